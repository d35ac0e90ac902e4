"""`lock`: specs become locks, the platforms of one spec side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from envgen.diff.changes import LockChanges, diff
from envgen.errors import UserError
from envgen.lock.debian_lock import debian_file_name
from envgen.lock.graph import nearest_hint
from envgen.manifest.select import load_all, select
from envgen.manifest.values import match_name
from envgen.names import project_name
from envgen.project import orphans
from envgen.project.lock_files import LockPair, find_lock, lock_path, platforms_of, reasons_against, write_pair
from envgen.resolve.resolve import Resolved, Upgrade, resolve

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from envgen.manifest.env_spec import EnvSpec
    from envgen.platforms import Platform
    from envgen.project.context import Context

__all__ = [
    "LockOutcome",
    "LockVerdict",
    "Tidied",
    "Upgrade",
    "check",
    "check_orphans",
    "environments",
    "lock",
    "tidy",
    "write",
]

MISSING = "it is missing"


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
    changes: LockChanges


@dataclass(frozen=True, slots=True, kw_only=True)
class LockVerdict:
    """Whether the lock in a file is true: `reasons` says why not."""

    path: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tidied:
    """What became of locks that nothing asks for.

    Attributes:
        removed: paths of those that are gone, and of the Debian locks beside them.
        orphans: path of one that stays -> why nothing asks for it.
    """

    removed: tuple[str, ...]
    orphans: Mapping[str, str]


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


def check(context: Context, *, env: str | None, platforms: Sequence[Platform] = ()) -> tuple[LockVerdict, ...]:
    """Say of each lock whether it is true for its spec; one of a platform that the spec dropped is not. Offline.

    Raises:
        UserError: the spec or a lock has faults.
    """
    spec = select(context.root, env)
    found = [_verdict(context, spec, platform) for platform in platforms_of(spec, platforms)]
    for platform, path in orphans.dropped(context, spec).items() if not platforms else ():
        reasons = (f"{platform} is no longer among the spec's platforms",)
        found.append(LockVerdict(path=context.relative(path), reasons=reasons))
    return tuple(found)


def check_orphans(context: Context) -> tuple[LockVerdict, ...]:
    """Say of each lock without a spec that it is not true."""
    return tuple(LockVerdict(path=context.relative(p), reasons=(why,)) for p, why in orphans.orphans(context).items())


def tidy(context: Context, *, envs: Sequence[str | None], everything: bool) -> Tidied:
    """Remove the locks of platforms that the specs no longer name.

    Args:
        context: the world.
        envs: names of specs, or None for the project's only or default one.
        everything: remove locks without a spec, too; otherwise they are only told.
    """
    dropped = [path for env in envs for path in orphans.dropped(context, select(context.root, env)).values()]
    unasked = orphans.orphans(context)
    removed = orphans.remove(context, [*dropped, *unasked] if everything else dropped)
    told = {} if everything else {context.relative(path): why for path, why in unasked.items()}
    return Tidied(removed=removed, orphans=told)


def _verdict(context: Context, spec: EnvSpec, platform: Platform) -> LockVerdict:
    pair = find_lock(context, spec, platform)
    reasons = (MISSING,) if pair is None else reasons_against(context, spec, pair, image=True)
    return LockVerdict(path=context.relative(lock_path(context, spec, platform)), reasons=reasons)


def write(context: Context, spec: EnvSpec, old: LockPair | None, new: Resolved) -> LockOutcome:
    """Write what changed, and say how it differs from what was there."""
    platform = new.lock.platform
    path = lock_path(context, spec, platform)
    beside = context.locks / debian_file_name(spec.name, platform)
    written = write_pair(path, new.text, beside=beside, debian_text=new.debian_text)
    return LockOutcome(
        platform=platform,
        path=context.relative(path),
        packages=len(new.lock.packages),
        written=bool(written.changed or written.removed),
        first=old is None,
        changes=diff(old.lock if old else None, new.lock),
    )
