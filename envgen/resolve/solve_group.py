"""Environments of a solve group become locks: one solve for all of them chooses, then each is solved within its choice.

The second solve prefers what the first one chose as it would prefer an old lock, and starts from the requirements of
one environment, so that its lock holds what these lead to and nothing else.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import Struct

from envgen.errors import Fault, SpecError, UnsatisfiableError
from envgen.lock.debian_lock import IMAGE, DebianLock
from envgen.lock.render import render_lock
from envgen.manifest.edit import SpecText, inherited_entries
from envgen.manifest.select import FOLDER, SpecsOnDisk
from envgen.manifest.solve_group import by_platform, differing, united
from envgen.project.lock_files import LockPair, lock_path
from envgen.project.solve_groups import apart, shared
from envgen.project.spec_faults import place_of
from envgen.resolve import kept
from envgen.resolve.lock_check import check
from envgen.resolve.resolve import resolve
from envgen.resolve.unchanged import is_current
from envgen.resolve.upgrade import Upgrade
from envgen.structs import replace

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from envgen.debs import Deb
    from envgen.lock.model import Lock
    from envgen.manifest.env_spec import EnvSpec
    from envgen.platforms import Platform
    from envgen.project.context import Context
    from envgen.resolve.resolved import Resolved

    Olds = Mapping[Platform, LockPair | None]
    """Platform to solve for -> the lock before."""

_QUOTE = re.compile(r"`(?:constraints: )?([^`]+)`")
_SECTIONS = ("dependencies", "pypi", "constraints")


class _Choice(Struct, frozen=True, kw_only=True):
    """What was chosen for a group.

    Attributes:
        pairs: platform -> the lock of all of them as one.
        before: platform -> the locks before as one, where there were some.
        upgrade: what of it was not kept.
    """

    pairs: Mapping[Platform, LockPair]
    before: Olds
    upgrade: Upgrade


def resolve_together(
    context: Context,
    specs: Sequence[EnvSpec],
    olds: Mapping[str, Olds],
    upgrade: Upgrade,
    *,
    refresh: bool = True,
    pin_local: bool | None = None,
) -> dict[str, list[Resolved]]:
    """Solve one spec, or those of a solve group so that they share versions; see `resolve`.

    Args:
        context: the world.
        specs: one, or all of a solve group, by name.
        olds: name -> its platforms, and what to keep of the lock before.
        upgrade: what not to keep.
        refresh: solve also where nothing changed since the locks were made.
        pin_local: whether the files of projects of the repository are locked; None for as it was.

    Returns:
        Name -> one for each of its platforms, in the same order.

    Raises:
        SpecError: specs differ in what a group has to have in common.
        UnsatisfiableError: they cannot be solved together; the message names their lines.
        UsageError, NetworkError, IntegrityError: as `resolve`.
    """
    _refuse_unlike(context, specs)
    is_alone = len(specs) == 1
    if is_alone or (not refresh and upgrade == Upgrade() and _are_current(context, specs, olds)):
        return {s.name: resolve(context, s, olds[s.name], upgrade, refresh=refresh, pin_local=pin_local) for s in specs}
    before = _merged(specs, olds)
    pairs = _chosen(context, specs, before, upgrade, pin_local=pin_local)
    choice = _Choice(pairs=pairs, before=before, upgrade=upgrade)
    found: dict[str, list[Resolved]] = {}
    for spec in specs:
        within = {platform: _within(context, spec, old, choice, platform) for platform, old in olds[spec.name].items()}
        found[spec.name] = resolve(context, spec, within, Upgrade(), pin_local=pin_local)
    _refuse_apart(found, specs)
    return _with_shared(context, found, olds)


def _with_shared(
    context: Context, found: Mapping[str, Sequence[Resolved]], olds: Mapping[str, Olds]
) -> dict[str, list[Resolved]]:
    """Write into each lock what it shares with the others."""
    result: dict[str, list[Resolved]] = {name: [] for name in found}
    both = {platform: shared(locks, context.names) for platform, locks in _by_platform(found).items()}
    for name, news in found.items():
        for new in news:
            lock = replace(new.lock, shared=both[new.lock.platform][name])
            old = olds[name][lock.platform]
            result[name].append(
                replace(new, lock=lock, text=render_lock(lock, old=old.text if old else None, check=check))
            )
    return result


def _by_platform(found: Mapping[str, Sequence[Resolved]]) -> dict[Platform, dict[str, Lock]]:
    locks: dict[Platform, dict[str, Lock]] = {}
    for name, news in found.items():
        for new in news:
            locks.setdefault(new.lock.platform, {})[name] = new.lock
    return locks


def _chosen(
    context: Context, specs: Sequence[EnvSpec], before: Olds, upgrade: Upgrade, *, pin_local: bool | None
) -> dict[Platform, LockPair]:
    """Solve for what all environments that have a platform ask for; platforms of the same ones side by side."""
    found: dict[Platform, LockPair] = {}
    of_names: dict[tuple[str, ...], list[Platform]] = {}
    there = by_platform(specs)
    for platform in before:
        of_names.setdefault(tuple(spec.name for spec in there[platform]), []).append(platform)
    for platforms in of_names.values():
        some = there[platforms[0]]
        whole, olds = united(some, platforms), {platform: before[platform] for platform in platforms}
        try:
            chosen = resolve(context, whole, olds, upgrade, pin_local=pin_local, outline=True)
        except UnsatisfiableError as error:
            raise (_cannot(context, some, str(error)) if len(some) > 1 else error) from error
        found |= {new.lock.platform: new.pair(lock_path(context, whole, new.lock.platform)) for new in chosen}
    return found


def _within(context: Context, spec: EnvSpec, old: LockPair | None, choice: _Choice, platform: Platform) -> LockPair:
    """Return the choice as the lock before of one environment, with what its own lock says beside packages."""
    chosen = choice.pairs[platform]
    own = old.lock if old else replace(chosen.lock, environment=spec.name, source=spec.source)
    of_image: Sequence[Deb] = ()
    for pair in (old, choice.before[platform]):
        of_image = of_image or kept.debs(pair, choice.upgrade).get(IMAGE, ())
    return LockPair(
        path=lock_path(context, spec, platform),
        text=old.text if old else "",
        lock=replace(
            own,
            packages=chosen.lock.packages,
            older=chosen.lock.older,
            build_environments=chosen.lock.build_environments,
            builds=chosen.lock.builds,
        ),
        debian=_debian([chosen.debian, old.debian if old else None], of_image=of_image),
        debian_digest=old.debian_digest if old else None,
    )


def _merged(specs: Sequence[EnvSpec], olds: Mapping[str, Olds]) -> dict[Platform, LockPair | None]:
    """Return the locks before as one for each platform: where they differ, the first environment's packages count."""
    platforms = dict.fromkeys(platform for spec in specs for platform in olds[spec.name])
    return {p: _merged_pair([pair for s in specs if (pair := olds[s.name].get(p))]) for p in platforms}


def _merged_pair(pairs: Sequence[LockPair]) -> LockPair | None:
    if not pairs:
        return None
    packages = {(p.kind, p.name): p for pair in reversed(pairs) for p in pair.lock.packages}
    older = {one.project: one for pair in reversed(pairs) for one in pair.lock.older}
    built = {key: lock for pair in reversed(pairs) for key, lock in pair.lock.build_environments.items()}
    lock = replace(
        pairs[0].lock, packages=tuple(packages.values()), older=tuple(older.values()), build_environments=built
    )
    return replace(pairs[0], text="", lock=lock, debian=_debian([pair.debian for pair in pairs]))


def _debian(locks: Iterable[DebianLock | None], *, of_image: Sequence[Deb] | None = None) -> DebianLock | None:
    """Join Debian locks: of each recipe the packages in the first one that has it; of the image those given."""
    there = [lock for lock in locks if lock]
    if not there:
        return None
    uses: dict[str, Sequence[Deb]] = {} if of_image is None else {IMAGE: of_image}
    for lock in there:
        users = {user for package in lock.packages for user in package.used_by}
        uses = {user: lock.used_by(user) for user in sorted(users)} | uses
    first = there[0]
    return DebianLock.of_uses(
        environment=first.environment,
        platform=first.platform,
        suites=[suite for lock in there for suite in lock.suites],
        uses={user: debs for user, debs in uses.items() if debs},
        recipe_suites={user: suites for lock in reversed(there) for user, suites in lock.recipe_suites.items()},
        releases={suite: date for lock in reversed(there) for suite, date in lock.releases.items()},
    )


def _are_current(context: Context, specs: Sequence[EnvSpec], olds: Mapping[str, Olds]) -> bool:
    every = ((spec, pair) for spec in specs for pair in olds[spec.name].values())
    return all(pair is not None and is_current(context, spec, pair) for spec, pair in every)


def _refuse_unlike(context: Context, specs: Sequence[EnvSpec]) -> None:
    """Raise where specs of a group have different values of what all of its packages depend on.

    Raises:
        SpecError: they have.
    """
    faults = [
        Fault(
            where=place_of(context, one, keys=keys),
            what=f"`{'.'.join(keys)}` differs from {place_of(context, other, keys=keys)}, "
            f"and both are in the solve group `{one.solve_group}`",
            hint="write it once, in a spec that both extend",
        )
        for keys, one, other in differing(specs)
    ]
    if faults:
        raise SpecError(tuple(dict.fromkeys(faults)))


def _cannot(context: Context, specs: Sequence[EnvSpec], why: str) -> UnsatisfiableError:
    """Build the error for specs that exclude each other, or of which one alone cannot be solved."""
    found = {spec.name: tuple(_lines(context, spec, why)) for spec in specs}
    blamed = [spec for spec in specs if found[spec.name]] or specs
    lines = dict.fromkeys(line for spec in blamed for line in found[spec.name])
    first = f"`{blamed[0].name}` cannot be solved:" if len(blamed) == 1 else f"{_listed(blamed)} exclude each other:"
    return UnsatisfiableError(
        "\n".join([first, why, "", *lines]).rstrip(),
        hint=f"relax one of the requirements, or remove one of the specs from the solve group `{specs[0].solve_group}`"
        if len(blamed) > 1
        else None,
    )


def _refuse_apart(found: Mapping[str, Sequence[Resolved]], specs: Sequence[EnvSpec]) -> None:
    """Raise where a package that environments share has several versions after all.

    Raises:
        UnsatisfiableError: it has.
    """
    odd = [text for locks in _by_platform(found).values() for text in apart(locks)]
    if odd:
        raise UnsatisfiableError(
            "\n".join([f"{_listed(specs)} do not share all versions:", *(f"  {text}" for text in odd)]),
            hint="require one version of it in each of the specs, or give one another `solve-group`",
        )


def _lines(context: Context, spec: EnvSpec, message: str) -> Iterator[str]:
    """Yield the lines of a spec that a message quotes, each with its place."""
    folder = SpecsOnDisk(context.root / FOLDER)
    quotes = {_plain(text) for text in _QUOTE.findall(message)}
    own = SpecText(text=(context.root / spec.source).read_text(encoding="utf-8"), source=spec.source)
    for section in _SECTIONS:
        for entry in (*own.entries(section), *inherited_entries(own, section, folder)):
            if _plain(entry.text) in quotes:
                yield f"  {entry.source}:{entry.line}: {entry.text}"


def _plain(text: str) -> str:
    return text.partition(";")[0].replace(" ", "").lower()


def _listed(specs: Sequence[EnvSpec]) -> str:
    return " and ".join(f"`{spec.name}`" for spec in specs)
