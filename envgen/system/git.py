"""Git, as far as locks need it: what a file was in a revision."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from envgen.errors import UserError
from envgen.system.process import ProcessError, run

if TYPE_CHECKING:
    from collections.abc import Mapping

_TIMEOUT = 60.0
"""Seconds: a clone that fetches lazily may have to ask its server."""


_ERROR = 128
"""`git merge-file` ends with the number of conflicts, at most 127; from here on it is an error."""


class Repository(Struct, frozen=True, kw_only=True):
    """The repository that a folder is in.

    Attributes:
        folder: paths count from here, though the repository may begin above it.
        environment: the process's environment variables.
    """

    folder: Path
    environment: Mapping[str, str]

    @classmethod
    def at(cls, folder: Path, environment: Mapping[str, str], *, hint: str = "work in a clone") -> Repository:
        """Open the repository that a folder is in.

        Args:
            folder: paths count from here.
            environment: the process's environment variables.
            hint: what the user can do where there is none.

        Raises:
            UserError: it is in none, or git is not installed.
        """
        repository = cls(folder=folder, environment=environment)
        try:
            repository.git("rev-parse", "--git-dir")
        except ProcessError as error:
            is_none = "not a git repository" in error.tail
            what = f"`{folder}` is not in a git repository" if is_none else f"git failed to read the history: {error}"
            raise UserError(what, hint=hint) from error
        return repository

    def resolve(self, revision: str) -> str | None:
        """Find the commit that a revision names; None where there is none."""
        try:
            return self.git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}").strip()
        except ProcessError:
            return None

    @property
    def is_shallow(self) -> bool:
        """Return whether the clone lacks older commits."""
        return self.git("rev-parse", "--is-shallow-repository").strip() == "true"

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

    def blob(self, name: str) -> bytes | None:
        """Read what a name such as `main:locks/x` or `:2:./locks/x` stands for; None where there is no such thing."""
        try:
            return self._run("cat-file", "blob", name)
        except ProcessError:
            return None

    def merge_base(self, one: str, other: str) -> str | None:
        """Find the commit that two come from; None where they have nothing in common."""
        try:
            return self.git("merge-base", one, other).split()[0]
        except ProcessError:
            return None

    def three_way(self, base: bytes, ours: bytes, theirs: bytes) -> bytes | None:
        """Merge three versions of a text as git would; None where they conflict."""
        with tempfile.TemporaryDirectory() as folder:
            paths = [Path(folder) / name for name in ("ours", "base", "theirs")]
            for path, content in zip(paths, (ours, base, theirs), strict=True):
                path.write_bytes(content)
            try:
                return self._run("merge-file", "-p", *map(str, paths))
            except ProcessError as error:
                if error.status is None or not 0 < error.status < _ERROR:
                    raise
                return None

    def git(self, *arguments: str) -> str:
        """Run git and return what it printed.

        Raises:
            ProcessError: it failed.
        """
        return self._run(*arguments).decode(errors="surrogateescape")

    def _run(self, *arguments: str) -> bytes:
        environment = {**self.environment, "LC_ALL": "C"}
        return run(["git", *arguments], cwd=self.folder, env=environment, timeout=_TIMEOUT).stdout
