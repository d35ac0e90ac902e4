"""`lock`: specs become locks, the platforms of one spec side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from envgen.errors import UserError
from envgen.lock.debian_lock import debian_file_name
from envgen.lock.diff import Changes, diff
from envgen.lock.graph import nearest_hint
from envgen.names import project_name
from envgen.ops.locks import LockPair, find_lock, lock_path, platforms_of, reasons_against
from envgen.ops.resolve import Resolved, Upgrade, resolve
from envgen.spec.select import load_all, select
from envgen.spec.values import match_name
from envgen.system.fs import atomic_write

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path

    from envgen.ops.context import Context
    from envgen.platforms import Platform
    from envgen.spec.model import EnvSpec

__all__ = ["LockOutcome", "Upgrade", "Verdict", "check", "environments", "lock", "write"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LockOutcome:
    """What became of one lock.

    Attributes:
        platform: of the lock.
        path: of its file, from the project's root.
        packages: how many are locked.
        written: whether a file changed.
        first: whether there was no lock before.
        changes: from the old lock to the new one; from nothing where there was none.
    """

    platform: Platform
    path: str
    packages: int
    written: bool
    first: bool
    changes: Changes


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether one lock is true: `reasons` says why not."""

    platform: Platform
    path: str
    reasons: tuple[str, ...]


def environments(context: Context) -> tuple[str, ...]:
    """Name every environment of the project.

    Raises:
        UserError: there is none, or a spec has faults.
    """
    return tuple(spec.name for spec in load_all(context.root))


def lock(
    context: Context, *, env: str | None, platforms: Sequence[Platform] = (), upgrade: Upgrade | None = None
) -> tuple[LockOutcome, ...]:
    """Resolve a spec and write its locks; all platforms are solved before the first file is written.

    Args:
        context: the world.
        env: name of the spec, or None for the project's only or default one.
        platforms: those to lock; all of the spec without.
        upgrade: what may be newer than it is locked; nothing without.

    Raises:
        UserError: the spec has faults, an old lock cannot be read, or nothing bears a name in `upgrade`.
        UnsatisfiableError, NetworkError, IntegrityError: as the solve and the sources say.
    """
    spec = select(context.root, env)
    chosen = platforms_of(spec, platforms)
    olds = {platform: find_lock(context, spec, platform) for platform in chosen}
    _check_names(spec, olds.values(), upgrade or Upgrade())
    news = resolve(context, spec, olds, upgrade or Upgrade())
    return tuple(write(context, spec, olds[platform], new) for platform, new in zip(chosen, news, strict=True))


def _check_names(spec: EnvSpec, olds: Collection[LockPair | None], upgrade: Upgrade) -> None:
    """Refuse to upgrade what is not there: a misspelt name would pass for one that has nothing newer.

    Raises:
        UserError: neither the spec nor a lock has such a name.
    """
    known = {project_name(name) for pair in olds if pair for name in _locked_names(pair)}
    known |= {project_name(requirement.name) for requirement in spec.pypi}
    known |= {project_name(match_name(text)) for text in spec.dependencies}
    for name in sorted({*upgrade.names, *upgrade.pins}):
        if project_name(name) not in known:
            raise UserError(f"`{name}` cannot be upgraded: it is not locked", hint=nearest_hint(name, known))


def _locked_names(pair: LockPair) -> Iterator[str]:
    for package in pair.lock.packages:
        yield package.name
    for deb in pair.debian.packages if pair.debian else ():
        yield from (deb.name, *deb.used_by)
    yield from pair.lock.recipes


def check(context: Context, *, env: str | None, platforms: Sequence[Platform] = ()) -> tuple[Verdict, ...]:
    """Say of each lock whether it is true for its spec. Offline.

    Raises:
        UserError: the spec or a lock has faults.
    """
    spec = select(context.root, env)
    return tuple(_verdict(context, spec, platform) for platform in platforms_of(spec, platforms))


def _verdict(context: Context, spec: EnvSpec, platform: Platform) -> Verdict:
    pair = find_lock(context, spec, platform)
    reasons = ("it is missing",) if pair is None else reasons_against(context, spec, pair, image=True)
    return Verdict(platform=platform, path=context.relative(lock_path(context, spec, platform)), reasons=reasons)


def write(context: Context, spec: EnvSpec, old: LockPair | None, new: Resolved) -> LockOutcome:
    """Write what changed: the Debian lock first, since the other one holds its digest."""
    platform = new.lock.platform
    path = lock_path(context, spec, platform)
    beside = context.locks / debian_file_name(spec.name, platform)
    if new.debian_text is None:
        beside.unlink(missing_ok=True)
    written = [
        _write_text(file, text) for file, text in ((beside, new.debian_text), (path, new.text)) if text is not None
    ]
    return LockOutcome(
        platform=platform,
        path=context.relative(path),
        packages=len(new.lock.packages),
        written=any(written),
        first=old is None,
        changes=diff(old.lock if old else None, new.lock),
    )


def _write_text(path: Path, text: str) -> bool:
    """Write a file unless it has this text already; tell whether it changed."""
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return False
    path.parent.mkdir(exist_ok=True)
    atomic_write(path, text)
    return True
