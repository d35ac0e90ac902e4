"""Git, as far as locks need it: what a file was in a revision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from envgen.errors import UserError
from envgen.system.process import ProcessError, run

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_TIMEOUT = 60.0
"""Seconds: a clone that fetches lazily may have to ask its server."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """The repository that a folder is in.

    Attributes:
        folder: paths count from here, though the repository may begin above it.
        environment: the process's environment variables.
    """

    folder: Path
    environment: Mapping[str, str]

    @classmethod
    def at(cls, folder: Path, environment: Mapping[str, str]) -> Repository:
        """Open the repository that a folder is in.

        Raises:
            UserError: it is in none, or git is not installed.
        """
        repository = cls(folder=folder, environment=environment)
        try:
            repository.git("rev-parse", "--git-dir")
        except ProcessError as error:
            what = f"`{folder}` is in no git repository" if error.status else str(error)
            raise UserError(what, hint="name two files or environments, or work in a clone") from error
        return repository

    def resolve(self, revision: str) -> str | None:
        """Find the commit that a revision names; None where there is none."""
        try:
            return self.git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}").strip()
        except ProcessError:
            return None

    def names(self) -> tuple[str, ...]:
        """List branches and tags."""
        return tuple(self.git("for-each-ref", "--format=%(refname:short)").split())

    def files(self, commit: str, folder: str) -> dict[str, str]:
        """List the files below a folder in a commit or tree: path from our folder -> object."""
        listed = self.git("ls-tree", "-r", "-z", commit, "--", f"{folder}/")
        found = (line.partition("\t") for line in listed.split("\0") if line)
        return {path: facts.split()[2] for facts, _, path in found}

    def read(self, thing: str) -> bytes:
        """Read an object."""
        return self._run("cat-file", "blob", thing)

    def git(self, *arguments: str) -> str:
        """Run git and return what it printed.

        Raises:
            ProcessError: it failed.
        """
        return self._run(*arguments).decode(errors="surrogateescape")

    def _run(self, *arguments: str, stdin: bytes | None = None) -> bytes:
        environment = {**self.environment, "LC_ALL": "C"}
        argv = ["git", *arguments]
        return run(argv, cwd=self.folder, env=environment, stdin=stdin, timeout=_TIMEOUT).stdout
