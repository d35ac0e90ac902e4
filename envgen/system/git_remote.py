"""Git repositories of other people: which commit a reference is, and its files."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from envgen.errors import GoneError, NetworkError, UserError
from envgen.suggest import nearest
from envgen.system.process import ProcessError, run

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_TIMEOUT = 900.0
"""Seconds for a clone: large repositories take minutes."""

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_SHORT = re.compile(r"[0-9a-f]{7,39}")


def find_commit(url: str, reference: str, environment: Mapping[str, str], *, scratch: Path) -> str:
    """Return the commit that a tag, branch or commit is now; the default branch where `reference` is empty.

    Args:
        url: of the repository.
        reference: as a person writes it; a commit may be cut to seven digits.
        environment: the process's variables.
        scratch: a folder for a clone, which only a cut commit needs.

    Raises:
        NetworkError: the repository cannot be reached.
        UserError: it has no such reference.
    """
    if _COMMIT.fullmatch(reference):
        return reference
    refs = _refs(_git(["ls-remote", "--", url], url, environment))
    wanted = (f"refs/tags/{reference}^{{}}", f"refs/tags/{reference}", f"refs/heads/{reference}", reference)
    for name in wanted if reference else ("HEAD",):
        if name in refs:
            return refs[name]
    if _SHORT.fullmatch(reference):
        clone(url, scratch, environment)
        try:
            return _git(["-C", str(scratch), "rev-parse", f"{reference}^{{commit}}"], url, environment).strip()
        except NetworkError:
            pass
    known = {name.split("/", 2)[2].removesuffix("^{}") for name in refs if name.startswith("refs/")}
    raise UserError(
        f"`{url}` has no tag, branch or commit `{reference}`" if reference else f"`{url}` has no default branch",
        hint=nearest(reference, known),
    )


def clone(url: str, dest: Path, environment: Mapping[str, str]) -> None:
    """Clone a repository with its history, from which some projects derive their version, and write no files yet.

    Raises:
        NetworkError: it cannot be reached.
    """
    # not `--filter=blob:none`: git 2.39 asks a server without end for a commit that is gone
    _git(["clone", "--quiet", "--no-checkout", "--", url, str(dest)], url, environment)


def check_out(url: str, commit: str, dest: Path, environment: Mapping[str, str]) -> str:
    """Write the files of a commit, those of submodules included, and return the identifier of its tree.

    Raises:
        GoneError: the repository does not have the commit any more.
        NetworkError: it cannot be reached.
    """
    clone(url, dest, environment)
    here = ["-C", str(dest), "-c", "advice.detachedHead=false"]
    try:
        _git([*here, "checkout", "--quiet", "--detach", commit], url, environment)
    except NetworkError:
        try:
            _git([*here, "fetch", "--quiet", "origin", commit], url, environment)
            _git([*here, "checkout", "--quiet", "--detach", commit], url, environment)
        except NetworkError as error:
            raise GoneError(
                f"`{url}` does not have commit {commit} any more", hint="run `envgen lock --upgrade` for the project"
            ) from error
    if (dest / ".gitmodules").is_file():
        _git([*here, "submodule", "--quiet", "update", "--init", "--recursive"], url, environment)
    return _git([*here, "rev-parse", "HEAD^{tree}"], url, environment).strip()


def _refs(text: str) -> dict[str, str]:
    """Read what `git ls-remote` prints: a commit, a tab and a reference in each line."""
    lines = (line.partition("\t") for line in text.splitlines())
    return {name: commit for commit, tab, name in lines if tab and _COMMIT.fullmatch(commit)}


def _git(arguments: list[str], url: str, environment: Mapping[str, str]) -> str:
    quiet = {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_SSH_COMMAND": "ssh -oBatchMode=yes"}
    try:
        found = run(["git", *arguments], env={**environment, **quiet}, timeout=_TIMEOUT)
    except ProcessError as error:
        if error.status is None and not error.tail:
            raise UserError(f"`{url}` cannot be fetched: {error}", hint="install git") from error
        lines = [line for line in error.tail.splitlines() if line.strip()]
        what = next((line for line in lines if line.startswith("fatal:")), lines[-1] if lines else str(error))
        raise NetworkError(f"`{url}` cannot be fetched: {what}") from error
    return found.stdout.decode(errors="replace")
