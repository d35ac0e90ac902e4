"""`merge-lock`: locks that two branches changed are solved again for the merged spec, with both as preferences.

As git's merge driver it runs before git has written anything of the merge, and is told neither the other commit nor
the merged spec. So it finds the commits itself, merges specs and recipes as git will, and solves for these.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from envgen.errors import LockError, UserError
from envgen.lock.debian_lock import DebianLock, debian_file_name, read_debian_lock
from envgen.lock.model import Lock, file_name, lock_key
from envgen.lock.read import read_lock
from envgen.manifest.select import select
from envgen.merge.git_inputs import INPUTS, Commits, find_commits, merged_project
from envgen.merge.preferences import merge_debian_locks, merge_locks
from envgen.project.lock_files import LockPair, write_pair
from envgen.resolve.resolve import Resolved, Upgrade, resolve
from envgen.system.fs import atomic_write
from envgen.system.git import Repository

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from envgen.platforms import Platform
    from envgen.project.context import Context


def drive(context: Context, *, result: Path, path: str) -> None:
    """Be git's merge driver for one file.

    Args:
        context: the world; its root is the project that `path` is in.
        result: file that holds our version, and takes the merged one.
        path: of the file in the project, `locks/<name>`.

    Raises:
        UserError: the specs or recipes of both sides conflict, or it cannot be told what is being merged.
        LockError: a side's lock cannot be read.
        UnsatisfiableError, NetworkError, IntegrityError: as the solve and the sources say.
    """
    environment, platform = _key(path)
    repository = Repository.at(context.root, context.environment)
    commits = find_commits(repository)
    pair = _preferences([_side(repository, commit, environment, platform) for commit in _each(commits)], context.root)
    with merged_project(context, repository, commits) as merged:
        spec = select(merged.root, environment)
        if platform not in spec.targets:
            raise UserError(f"`{spec.source}` no longer names {platform} after the merge", hint=f"remove `{path}`")
        (new,) = resolve(merged, spec, {platform: pair}, Upgrade())
    text = new.debian_text if path.endswith(debian_file_name(environment, platform)) else new.text
    if text is None:
        raise UserError(f"`{path}` is not needed after the merge", hint=f"`git rm {path}`")
    atomic_write(result, text)


def settle(context: Context) -> tuple[str, ...]:
    """Settle the locks that a merge left in conflict: solve for the specs as they are now, write and stage them.

    A Debian lock that is not needed any more is removed, in git too.

    Returns:
        Paths of the files that were settled.

    Raises:
        UserError: a spec still conflicts, or no lock does.
        LockError: a side's lock cannot be read.
    """
    repository = Repository.at(context.root, context.environment)
    conflicts = _unmerged(repository)
    keys = sorted({key for path in conflicts if (key := _key_or_none(path))})
    if not keys:
        raise UserError("no lock is in conflict", hint="`envgen lock` renews locks that are stale")
    if open_ones := [path for path in conflicts if path.partition("/")[0] in INPUTS]:
        raise UserError(f"{', '.join(open_ones)} is still in conflict", hint="settle it, and `git add` it, first")
    settled: list[str] = []
    for environment, platform in keys:
        sides = [_stage(repository, stage, environment, platform, context.root) for stage in ("1", "2", "3")]
        spec = select(context.root, environment)
        (new,) = resolve(context, spec, {platform: _preferences(sides, context.root)}, Upgrade())
        settled += _write(context, repository, new, environment, platform)
    return tuple(settled)


def install(context: Context) -> str:
    """Make git use `merge-lock` in this clone: one line of configuration, and one of `.gitattributes`.

    Returns:
        The line of `.gitattributes`, which belongs into the repository.
    """
    repository = Repository.at(context.root, context.environment)
    repository.git("config", "merge.envgen.name", "envgen: solve the lock again, keeping what both sides have")
    repository.git("config", "merge.envgen.driver", "envgen merge-lock %A %P")
    line = "locks/*-lock.yml merge=envgen"
    file = context.root / ".gitattributes"
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    if line not in text.splitlines():
        atomic_write(file, f"{text.rstrip()}\n{line}\n".lstrip())
    return line


@dataclass(frozen=True, slots=True, kw_only=True)
class _Side:
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
    return LockPair(path=root / "locks", lock=lock, debian=debian, debian_digest=None)


def _each(commits: Commits) -> tuple[tuple[str, str | None], ...]:
    return ("the common ancestor's", commits.base), ("our", commits.ours), ("their", commits.theirs)


def _side(repository: Repository, side: tuple[str, str | None], environment: str, platform: Platform) -> _Side:
    where, commit = side
    names = file_name(environment, platform), debian_file_name(environment, platform)
    lock, debian = (_text(repository.blob(f"{commit}:./locks/{name}")) if commit else None for name in names)
    return _Side(where=where, lock=lock, debian=debian)


def _stage(repository: Repository, stage: str, environment: str, platform: Platform, root: Path) -> _Side:
    """Take a side of a conflict from the index; a file that git merged by itself has one version only."""

    def find(name: str) -> str | None:
        found = _text(repository.blob(f":{stage}:./locks/{name}"))
        settled = repository.blob(f":0:./locks/{name}") is not None and (root / "locks" / name).is_file()
        return (root / "locks" / name).read_text(encoding="utf-8") if found is None and settled else found

    where = {"1": "the common ancestor's", "2": "our", "3": "their"}[stage]
    return _Side(
        where=where,
        lock=find(file_name(environment, platform)),
        debian=find(debian_file_name(environment, platform)),
    )


def _text(content: bytes | None) -> str | None:
    return None if content is None else content.decode(errors="replace")


def _unmerged(repository: Repository) -> list[str]:
    """List paths in conflict, relative to the project."""
    listed = repository.git("ls-files", "--unmerged", "-z")
    return sorted({line.partition("\t")[2] for line in listed.split("\0") if line})


def _write(
    context: Context, repository: Repository, new: Resolved, environment: str, platform: Platform
) -> tuple[str, ...]:
    """Write and stage both files; return the paths of those that are there now."""
    lock, debian = (f"locks/{name(environment, platform)}" for name in (file_name, debian_file_name))
    beside = context.root / debian
    write_pair(context.root / lock, new.text, beside=beside, debian_text=new.debian_text)
    if new.debian_text is None:
        repository.git("rm", "--quiet", "--cached", "--ignore-unmatch", "--", debian)
    kept = (lock,) if new.debian_text is None else (lock, debian)
    repository.git("add", "--", *kept)
    return kept


def _key(path: str) -> tuple[str, Platform]:
    key = _key_or_none(path)
    if key is None:
        raise LockError(f"`{path}` is not named like a lock", hint="give only `locks/*-lock.yml` to this merge driver")
    return key


def _key_or_none(path: str) -> tuple[str, Platform] | None:
    name = PurePosixPath(path).name
    return lock_key(name) or lock_key(name.replace(".debian-lock.yml", ".conda-lock.yml"))
