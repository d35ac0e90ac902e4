"""The locks of both sides of a merge, from git: of commits while it runs, of the index where it left conflicts."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from msgspec import Struct

from envgen.errors import LockError
from envgen.lock.debian_lock import DebianLock, debian_file_name, read_debian_lock
from envgen.lock.model import Lock, file_name, lock_key
from envgen.lock.read import read_lock
from envgen.merge.preferences import merge_debian_locks, merge_locks, pick
from envgen.project.lock_files import LockPair

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from envgen.merge.git_inputs import Commits
    from envgen.platforms import Platform
    from envgen.system.git import Repository


def key_of(path: str) -> tuple[str, Platform]:
    """Return environment and platform of a lock or a Debian lock by its file name.

    Raises:
        LockError: it is not named like one.
    """
    key = find_key(path)
    if key is None:
        raise LockError(f"`{path}` is not the name of a lock", hint="use this merge driver only for `locks/*-lock.yml`")
    return key


def find_key(path: str) -> tuple[str, Platform] | None:
    """Return environment and platform of a lock or a Debian lock by its file name; None for any other file."""
    name = PurePosixPath(path).name
    return lock_key(name) or lock_key(name.replace(".debian-lock.yml", ".conda-lock.yml"))


def merge_commits(repository: Repository, commits: Commits, key: tuple[str, Platform], root: Path) -> LockPair | None:
    """Return what both commits have locked, as preferences for a solve; None where neither has anything.

    Raises:
        LockError: the lock of a side cannot be read.
    """
    return _preferences([_committed(repository, side, *key) for side in _each(commits)], root)


def merged_by_git(repository: Repository, commits: Commits, key: tuple[str, Platform]) -> Lock | None:
    """Return the lock that git takes without a merge driver, since at most one side changed it; None for any other.

    Raises:
        LockError: it cannot be read.
    """
    base, ours, theirs = (_committed(repository, side, *key) for side in _each(commits))
    settled, text = pick(base.lock, ours.lock, theirs.lock)
    return None if text is None or not settled else read_lock(text, source=f"`locks/{file_name(*key)}`")


def merge_conflict(repository: Repository, key: tuple[str, Platform], root: Path) -> LockPair | None:
    """Return what both sides of a conflict have locked, as `merge_commits` does.

    Raises:
        LockError: the lock of a side cannot be read.
    """
    return _preferences([_staged(repository, stage, *key, root) for stage in _STAGES], root)


_STAGES = {"1": "the common ancestor's", "2": "our", "3": "their"}
"""Git's number of a side in the index -> what messages call it."""


class _Side(Struct, frozen=True, kw_only=True):
    """Both locks of one side as text; None where it has none."""

    where: str
    lock: str | None
    debian: str | None

    def read_lock(self) -> Lock | None:
        return None if self.lock is None else read_lock(self.lock, source=f"{self.where} lock")

    def read_debian(self) -> DebianLock | None:
        return None if self.debian is None else read_debian_lock(self.debian, source=f"{self.where} Debian lock")


def _preferences(sides: Sequence[_Side], root: Path) -> LockPair | None:
    """Merge what both sides have locked; None where neither has anything."""
    base, ours, theirs = (side.read_lock() for side in sides)
    one = ours or theirs
    if one is None:
        return None
    lock = merge_locks(base, ours, theirs) if ours and theirs else one
    old, mine, other = (side.read_debian() for side in sides)
    debian = merge_debian_locks(old, mine, other) if mine and other else mine or other
    return LockPair(path=root / "locks", text="", lock=lock, debian=debian, debian_digest=None)


def _each(commits: Commits) -> tuple[tuple[str, str | None], ...]:
    return ("the common ancestor's", commits.base), ("our", commits.ours), ("their", commits.theirs)


def _committed(repository: Repository, side: tuple[str, str | None], environment: str, platform: Platform) -> _Side:
    where, commit = side
    names = file_name(environment, platform), debian_file_name(environment, platform)
    lock, debian = (_text(repository.blob(f"{commit}:./locks/{name}")) if commit else None for name in names)
    return _Side(where=where, lock=lock, debian=debian)


def _staged(repository: Repository, stage: str, environment: str, platform: Platform, root: Path) -> _Side:
    """Read a side of a conflict from the index; a file that git merged by itself has one version only."""

    def find(name: str) -> str | None:
        found = _text(repository.blob(f":{stage}:./locks/{name}"))
        settled = repository.blob(f":0:./locks/{name}") is not None and (root / "locks" / name).is_file()
        return (root / "locks" / name).read_text(encoding="utf-8") if found is None and settled else found

    return _Side(
        where=_STAGES[stage],
        lock=find(file_name(environment, platform)),
        debian=find(debian_file_name(environment, platform)),
    )


def _text(content: bytes | None) -> str | None:
    return None if content is None else content.decode(errors="replace")
