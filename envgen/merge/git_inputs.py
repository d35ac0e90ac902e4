"""What git is merging, and what specs and recipes will be after it: a merge driver is told neither."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from envgen.errors import UserError
from envgen.manifest.select import FOLDER
from envgen.merge.preferences import pick
from envgen.structs import replace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from envgen.project.context import Context
    from envgen.system.git import Repository

INPUTS = (FOLDER, "recipes")
"""Folders that a lock is made from."""

_LATER = "resolve the conflicts, then run `envgen merge-lock` and commit"


class Commits(Struct, frozen=True, kw_only=True):
    """What git is merging: `base` is None where both sides began with nothing in common."""

    base: str | None
    ours: str
    theirs: str


def find_commits(repository: Repository) -> Commits:
    """Find out what git is merging: `git merge` names the other commit in a variable, `git rebase` in a file.

    Raises:
        UserError: it is neither, or several commits are merged at once.
    """
    heads = [name.removeprefix("GITHEAD_") for name in repository.environment if name.startswith("GITHEAD_")]
    ours = repository.resolve("HEAD")
    if ours is None or len(heads) > 1:
        raise UserError("`merge-lock` cannot merge several commits at once", hint=_LATER)
    if heads:
        return Commits(base=repository.merge_base(ours, heads[0]), ours=ours, theirs=heads[0])
    if picked := _rebased(repository):
        return Commits(base=repository.resolve(f"{picked}^"), ours=ours, theirs=picked)
    raise UserError("failed to find the commit that git is merging", hint=_LATER)


def _rebased(repository: Repository) -> str | None:
    """Read which commit `git rebase` is at: `pick <commit> <subject>` is the last line of what it has done."""
    done = repository.folder / repository.git("rev-parse", "--git-path", "rebase-merge/done").strip()
    lines = done.read_text(encoding="utf-8", errors="replace").split("\n") if done.is_file() else []
    words = next((line.split() for line in reversed(lines) if line.strip()), [])
    return repository.resolve(words[1]) if len(words) > 1 else None


@contextmanager
def merged_project(context: Context, repository: Repository, commits: Commits) -> Iterator[Context]:
    """Write the project as it will be after the merge: merged specs and recipes, the rest as it is now.

    Its recipes are somebody else's until the merge is reviewed, so none of their scripts may run.
    """
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for path, content in _merged_files(repository, commits).items():
            file = root / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        for name in INPUTS:
            (root / name).mkdir(exist_ok=True)
        for beside in context.root.iterdir():
            if beside.name not in {*INPUTS, "locks", ".git"}:
                (root / beside.name).symlink_to(beside)
        yield replace(context, root=root, no_build=True)


def _merged_files(repository: Repository, commits: Commits) -> dict[str, bytes]:
    """Merge what locks are made from, file by file.

    Raises:
        UserError: both sides changed one file in ways that conflict.
    """
    found: dict[str, bytes] = {}
    conflicts: list[str] = []
    for folder in INPUTS:
        base, ours, theirs = (
            _files(repository, commit, folder) for commit in (commits.base, commits.ours, commits.theirs)
        )
        for path in sorted(ours.keys() | theirs.keys()):
            was, one, other = base.get(path), ours.get(path), theirs.get(path)
            is_settled, chosen = pick(was, one, other)
            if is_settled:
                found |= {path: repository.read(chosen)} if chosen else {}
            elif one and other and (text := _merged_text(repository, was, one, other)) is not None:
                found[path] = text
            else:
                conflicts.append(path)
    if conflicts:
        raise UserError(f"conflicting changes in {', '.join(conflicts)}", hint=_LATER)
    return found


def _files(repository: Repository, commit: str | None, folder: str) -> dict[str, str]:
    return repository.files(commit, folder) if commit else {}


def _merged_text(repository: Repository, base: str | None, ours: str, theirs: str) -> bytes | None:
    was = repository.read(base) if base else b""
    return repository.three_way(was, repository.read(ours), repository.read(theirs))
