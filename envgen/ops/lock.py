"""`lock`: specs become locks, the platforms of one spec side by side."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from envgen.build.wheel import CONVERTER_VERSION
from envgen.digest import Sha256
from envgen.lock.conda_lock import from_solution
from envgen.lock.debian_lock import IMAGE, DebianLock, debian_file_name, render_debian_lock
from envgen.lock.diff import Changes, diff
from envgen.lock.model import Lock, LockedConda, LockedWheel
from envgen.lock.render import render_lock
from envgen.names import CondaName, project_name
from envgen.ops.image_base import resolve_base
from envgen.ops.locks import LockPair, find_lock, lock_path, platforms_of, reasons_against
from envgen.ops.recipes import Made, known_recipes, make, names_of
from envgen.solve.engine import solve
from envgen.solve.task import Preference, SolveTask
from envgen.sources.conda import ChannelSource
from envgen.sources.pypi import WheelIndex
from envgen.spec.select import select
from envgen.system.fs import atomic_write

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from envgen.debs import Deb
    from envgen.names import NameTable
    from envgen.ops.context import Context
    from envgen.ops.image_base import Base
    from envgen.platforms import Platform
    from envgen.records import Solution
    from envgen.sources.debian_closure import Replaced
    from envgen.spec.model import EnvSpec


_PYTHON = "python"


@dataclass(frozen=True, slots=True, kw_only=True)
class Upgrade:
    """What may be newer than it is locked: everything, or what bears one of some names (a project's or conda's)."""

    everything: bool = False
    names: frozenset[str] = frozenset()

    def covers(self, *names: str) -> bool:
        """Tell whether a package may be upgraded that bears these names."""
        return self.everything or not {project_name(n) for n in self.names}.isdisjoint(map(project_name, names))


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
        UserError: the spec has faults, or an old lock cannot be read.
        UnsatisfiableError, NetworkError, IntegrityError: as the solve and the sources say.
    """
    spec = select(context.root, env)
    chosen = platforms_of(spec, platforms)
    olds = {platform: find_lock(context, spec, platform) for platform in chosen}
    news = asyncio.run(_solve_all(context, spec, olds, upgrade or Upgrade()))
    return tuple(_write(context, spec, olds[platform], new) for platform, new in zip(chosen, news, strict=True))


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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Workbench:
    """What the solves of one spec share."""

    context: Context
    spec: EnvSpec
    names: NameTable
    index: WheelIndex
    upgrade: Upgrade


@dataclass(frozen=True, slots=True, kw_only=True)
class _New:
    """What will be written for one platform."""

    lock: Lock
    debian: DebianLock | None
    text: str
    debian_text: str | None = field(default=None)


async def _solve_all(
    context: Context, spec: EnvSpec, olds: dict[Platform, LockPair | None], upgrade: Upgrade
) -> list[_New]:
    index = WheelIndex(http=context.http, store=context.store, base_url=context.mirrors.resolve("ENVGEN_PYPI"))
    bench = _Workbench(
        context=context, spec=spec, names=context.names.overridden(spec.names), index=index, upgrade=upgrade
    )
    label = f"solving `{spec.name}` for {', '.join(olds)}"
    try:
        with context.reporter.progress(label, total=len(olds), unit="platforms") as bar:

            async def one(platform: Platform, old: LockPair | None) -> _New:
                new = await _solve(bench, platform, old)
                bar.advance(1)
                return new

            return await asyncio.gather(*(one(platform, old) for platform, old in olds.items()))
    finally:
        index.close()


async def _solve(bench: _Workbench, platform: Platform, old: LockPair | None) -> _New:
    context, spec = bench.context, bench.spec
    channels = _channels(context, spec, platform)
    made = await _make_recipes(bench, platform, old, channels)
    base = await _resolve_base(bench, platform, old)
    task = SolveTask(
        target=spec.targets[platform],
        dependencies=spec.dependencies,
        pypi=spec.pypi,
        names=bench.names,
        recipes=[record for one in made for record in one.records],
        wheels=bench.index,
        channels=channels,
        preferred=_preferred(old.lock, bench) if old else {},
        exclude_newer=spec.exclude_newer,
    )
    solution = await solve(task)
    if old:
        await _tell_vanished(bench, old.lock, solution)
    return _assemble(bench, platform, solution, made, base)


def _channels(context: Context, spec: EnvSpec, platform: Platform) -> ChannelSource | None:
    if not spec.channels:
        return None
    cache = context.store.root / "repodata"
    return ChannelSource(spec.channels, platform=platform, cache_dir=cache, root=context.root)


async def _make_recipes(
    bench: _Workbench, platform: Platform, old: LockPair | None, channels: ChannelSource | None
) -> list[Made]:
    """Make what recipes offer for names that no channel has."""
    known, keep = known_recipes(bench.context), _kept_debs(old, bench.upgrade)
    waiting = [*names_of(bench.spec.dependencies), _PYTHON]
    found: dict[str, Made] = {}
    while waiting:
        name = waiting.pop()
        if name not in known or name in found or (channels and await channels.records(CondaName(name))):
            continue
        found[name] = await asyncio.to_thread(
            make, bench.context, known[name], platform=platform, keep=keep.get(name, ())
        )
        waiting += [need for record in found[name].records for need in names_of(record.depends)]
    _tell_replaced(bench, platform, [replaced for one in found.values() for replaced in one.replaced])
    return [found[name] for name in sorted(found)]


async def _resolve_base(bench: _Workbench, platform: Platform, old: LockPair | None) -> Base | None:
    """Find the packages below the environment in an image, if there is to be one."""
    keep = _kept_debs(old, bench.upgrade).get(IMAGE, ())
    base = await asyncio.to_thread(resolve_base, bench.context, bench.spec, platform, keep=keep)
    _tell_replaced(bench, platform, base.replaced if base else ())
    return base


def _tell_replaced(bench: _Workbench, platform: Platform, replaced: Sequence[Replaced]) -> None:
    for one in replaced:
        bench.context.reporter.note(
            f"{platform}: Debian no longer offers {one.old.name} {one.old.version}, locked is now {one.new.version}"
        )


def _kept_debs(old: LockPair | None, upgrade: Upgrade) -> dict[str, list[Deb]]:
    """Group the locked Debian packages by the recipe that uses them, less those that may be upgraded."""
    found: dict[str, list[Deb]] = {}
    for package in old.debian.packages if old and old.debian else ():
        for user in package.used_by:
            if not upgrade.covers(user, package.name):
                found.setdefault(user, []).append(package)
    return found


def _preferred(old: Lock, bench: _Workbench) -> dict[CondaName, Preference]:
    found: dict[CondaName, Preference] = {}
    for package in old.packages:
        if isinstance(package, LockedWheel):
            name = bench.names.conda_name(package.project)
            if not bench.upgrade.covers(package.project, name):
                found[name] = Preference(version=package.version, sha256=package.sha256)
        elif isinstance(package, LockedConda) and not bench.upgrade.covers(package.name):
            found[package.name] = Preference(version=package.version, build=package.build, sha256=package.sha256)
    return found


async def _tell_vanished(bench: _Workbench, old: Lock, solution: Solution) -> None:
    """Say of each locked wheel that was replaced whether that is because the index dropped it."""
    chosen = {record.origin.sha256 for record in solution.records}
    for wheel in old.wheels:
        if wheel.sha256 in chosen or bench.upgrade.covers(wheel.project):
            continue
        page = await bench.index.page(wheel.project)
        if page is None or all(file.sha256 != wheel.sha256 for file in page.all_files()):
            bench.context.reporter.note(
                f"{old.platform}: the wheel index no longer offers `{wheel.filename}`; it was resolved anew"
            )


def _assemble(
    bench: _Workbench, platform: Platform, solution: Solution, made: Sequence[Made], base: Base | None
) -> _New:
    """Render both files; the conda-lock holds the digest of the other one."""
    names = {record.name for record in solution.records}
    used = [one for one in made if any(record.name in names for record in one.records)]
    debian = _debian_lock(bench.spec.name, platform, used, base) if base or any(one.debs for one in used) else None
    debian_text = render_debian_lock(debian) if debian else None
    lock = from_solution(
        solution,
        bench.spec,
        recipes={one.recipe.name: one.recipe.digest for one in used},
        debian=Sha256.of(debian_text.encode()) if debian_text else None,
        converter=CONVERTER_VERSION,
        root_url=bench.context.root.as_uri(),
    )
    return _New(lock=lock, debian=debian, text=render_lock(lock), debian_text=debian_text)


def _debian_lock(environment: str, platform: Platform, used: Sequence[Made], base: Base | None) -> DebianLock:
    of_image = base.request.suites if base else ()
    return DebianLock.of_uses(
        environment=environment,
        platform=platform,
        suites=[*of_image, *(suite for one in used for suite in one.suites)],
        uses={one.recipe.name: one.debs for one in used if one.debs} | ({IMAGE: base.debs} if base else {}),
        base=base.request if base else None,
    )


def _write(context: Context, spec: EnvSpec, old: LockPair | None, new: _New) -> LockOutcome:
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
