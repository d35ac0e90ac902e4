"""A spec becomes the text of locks: what the sources offer, one solve for each platform, and both files rendered."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING

from envgen.builds import RecipeSources
from envgen.convert.wheel_key import CONVERTER_VERSION
from envgen.digest import Sha256
from envgen.errors import UnsatisfiableError
from envgen.events import NullReporter
from envgen.lock.conda_lock import from_solution
from envgen.lock.debian_lock import IMAGE, render_debian_lock
from envgen.lock.render import render_lock
from envgen.lock.request import active
from envgen.lock.told import Told
from envgen.manifest.adjust import adjustments
from envgen.manifest.python_archive import RECIPE
from envgen.manifest.values import match_name
from envgen.names import CondaName
from envgen.prepare.deb_files import debian_suites
from envgen.prepare.locked_builds import with_local_recipes
from envgen.prepare.recipe_packages import RecipeOutput, make
from envgen.prepare.wheel_index import wheel_indexes
from envgen.project import shipped
from envgen.project.cooldown import dated
from envgen.project.local_projects import pinned, pins_local
from envgen.project.lock_files import LockPair, lock_path
from envgen.resolve import build_remarks, index_remarks, kept, older
from envgen.resolve.ahead import ReadAhead
from envgen.resolve.built_solution import BuildNeeds, BuiltSolution
from envgen.resolve.debian_part import debian_lock
from envgen.resolve.doubt import doubted, solved
from envgen.resolve.image_base import resolve_base
from envgen.resolve.lock_check import begin_check, check
from envgen.resolve.making import Making, make_all
from envgen.resolve.places import open_channels
from envgen.resolve.preflight import have_built, preflight_links
from envgen.resolve.recipe_builds import RecipeBuilds
from envgen.resolve.resolved import Resolved
from envgen.resolve.said import Said
from envgen.resolve.solve_tasks import task_of
from envgen.resolve.source_builds import SourceBuilds
from envgen.resolve.system_libraries import remarks_on_libraries
from envgen.resolve.unchanged import debian_remarks, is_current
from envgen.resolve.upgrade import Upgrade
from envgen.resolve.wheel_directories import wheel_directories
from envgen.resolve.workbench import Workbench
from envgen.solve.engine import known_python
from envgen.solve.family import solve_families
from envgen.structs import replace
from envgen.system.memory import share_memory
from envgen.together import together

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from envgen.manifest.env_spec import EnvSpec
    from envgen.platforms import Platform, Target
    from envgen.project.context import Context
    from envgen.resolve.image_base import ResolvedBase
    from envgen.resolve.preflight import Remarks
    from envgen.sources.conda import ChannelSource
    from envgen.sources.debian_closure import Replaced
    from envgen.sources.recipes import Recipe

_PYTHON = "python"


def resolve(
    context: Context,
    spec: EnvSpec,
    olds: Mapping[Platform, LockPair | None],
    upgrade: Upgrade,
    *,
    refresh: bool = True,
    pin_local: bool | None = None,
    outline: bool = False,
) -> list[Resolved]:
    """Solve a spec for some platforms, side by side.

    Args:
        context: the world.
        spec: what is wanted.
        olds: platform to solve for -> what to keep as long as it serves.
        upgrade: what not to keep.
        refresh: solve also where nothing changed since the lock was made.
        pin_local: whether the files of projects of the repository are locked; None for as it was.
        outline: choose for several environments together: what is odd about packages is told when each is solved.

    Returns:
        One for each platform, in the same order.

    Raises:
        UsageError: a version in `upgrade` is none of that kind of package.
        UnsatisfiableError, NetworkError, IntegrityError: as the solve and the sources say.
    """
    share_memory()
    if not outline:
        index_remarks.tell_pip(context, spec)
    run = partial(_solve_all, context, spec, olds, upgrade, refresh=refresh, pin_local=pin_local, outline=outline)
    return solved(run)


async def _solve_all(
    context: Context,
    spec: EnvSpec,
    olds: Mapping[Platform, LockPair | None],
    upgrade: Upgrade,
    *,
    refresh: bool,
    pin_local: bool | None,
    recent: bool,
    outline: bool,
) -> list[Resolved]:
    if not all(olds.values()):
        begin_check()
    names = context.names.overridden(spec.names)
    progress = context.reporter.progress(
        f"solving `{spec.name}` for {', '.join(olds)}", total=len(olds), unit="platforms"
    )
    indexes = wheel_indexes(context, spec.indexes, recent=recent)
    directories_of = partial(wheel_directories, python=spec.python, trusted=spec.trust_record)
    with indexes as index, directories_of(context.store, index) as directories, progress as bar:
        bench = Workbench(
            context=context,
            spec=dated(spec, None, now=context.now),
            names=names,
            index=index,
            ahead=ReadAhead(index=index),
            suites=debian_suites(context),
            directories=directories,
            upgrade=upgrade,
            said=Said(reporter=NullReporter() if outline else context.reporter),
            refresh=refresh,
            pin_local=pin_local,
            olds=olds,
            outline=outline,
        )

        async def one(platform: Platform, old: LockPair | None) -> Resolved:
            new = await _solve(bench, platform, old)
            bar.advance(1)
            return new

        try:
            with doubted(index, offline=context.offline):
                found = await together(one(platform, old) for platform, old in olds.items())
        finally:
            await bench.ahead.close()
    bench.said.warn_of_idle(len(spec.targets))
    for tell in () if outline else (index_remarks.tell, build_remarks.tell):
        tell(context, spec, [one.lock for one in found])
    return found


async def _solve(bench: Workbench, platform: Platform, old: LockPair | None) -> Resolved:
    context, spec = bench.context, bench.spec
    if old and (same := await _unchanged(bench, old)):
        return same
    locked = old.lock if old else None
    if locked:
        bench.ahead.start(locked, bench.upgrade)
    channels = open_channels(context, spec, platform)
    task = task_of(bench, platform, old, channels)
    if not (old or channels or bench.inner):
        bench.ahead.foresee(task, shipped.recipes_by_package(context.root))
    making = Making()
    made = await _make_recipes(bench, platform, old, channels, making)
    base = await _resolve_base(bench, platform, old)
    builds = _source_builds(bench, platform, old) if bench.builds else None
    if builds:
        await builds.open_direct(active(spec, spec.targets[platform]))
    task = replace(
        task,
        recipes=[record for one in made for record in one.records],
        wheels=builds or bench.index,
        builds=builds is not None,
    )
    python = await known_python(task)
    try:
        solution = await solve_families(replace(task, adjustments=adjustments(spec, spec.targets[platform], python)))
        bench.said.warn(solution.remarks)
        bench.said.note(solution.notes)
        older.tell(context, platform, solution.older, accepted=spec.allow_older.keys(), told=bench.said.texts)
    except UnsatisfiableError as error:
        raise (builds.explain(error) if builds else None) or error from error
    if old:
        await index_remarks.tell_vanished(context, spec, old.lock, solution, index=bench.index, upgrade=bench.upgrade)
    if making.goes_on and not bench.inner:
        bench.directories.begin(solution.records)
    solution = await making.finish(solution)
    path = lock_path(context, spec, platform)

    def assemble(built: BuiltSolution) -> LockPair:
        return _assemble(bench, built, made, base, old).pair(path)

    built = await builds.finish(solution, assemble) if builds else BuiltSolution(solution=solution)
    resolved = _assemble(bench, built, made, base, old)
    if bench.inner or bench.outline:
        return resolved
    await have_built(context, resolved.pair(path), locked)
    remarks = await _preflight(bench, resolved)
    await asyncio.to_thread(_tell_missing_libraries, bench, resolved)
    told = Told(
        warnings=solution.remarks, notes=(*solution.notes, *remarks.notes), idle=(*solution.idle, *remarks.idle)
    ).carried_by(locked.told if locked else None, kept=kept.wheels(resolved.lock, locked, bench.upgrade))
    bench.said.idle.append(frozenset(told.idle))
    return _with_told(resolved, told, old) if told or resolved.lock.adjustments.by_key() else resolved


async def _unchanged(bench: Workbench, old: LockPair) -> Resolved | None:
    """Return the lock as it is, and repeat what was said of it, where nothing changed that a solve asks about."""
    context, spec = bench.context, bench.spec
    if bench.refresh or bench.pin_local not in (None, pins_local(old.lock)):
        return None
    if bench.upgrade != Upgrade() or not is_current(context, spec, old):
        return None
    remarks = await asyncio.to_thread(debian_remarks, context, bench.suites, spec, old)
    if remarks is None:
        return None
    bench.said.warn(remarks)
    bench.said.repeat(old.lock.told or Told())
    text = render_debian_lock(old.debian) if old.debian else None
    same = Resolved(lock=old.lock, debian=old.debian, text=old.text, debian_text=text, solved=False)
    await asyncio.to_thread(_tell_missing_libraries, bench, same)
    return same


def _with_told(resolved: Resolved, told: Told, old: LockPair | None) -> Resolved:
    lock = replace(resolved.lock, told=told)
    return replace(resolved, lock=lock, text=render_lock(lock, old=old.text if old else None, check=check))


def _source_builds(bench: Workbench, platform: Platform, old: LockPair | None) -> SourceBuilds:
    return SourceBuilds.of(
        bench.context,
        bench.spec,
        platform,
        index=bench.index,
        names=bench.names,
        old=old.lock if old else None,
        renewed=bench.upgrade.covers,
        solve=partial(_build_environment, bench, old),
        solve_before=partial(_solve_before, bench, old),
        deferred=bench.deferred,
        building=bench.sources,
    )


async def _solve_before(bench: Workbench, old: LockPair | None, target: Target) -> LockPair:
    """Solve for what builds without isolation see, while nobody knows yet what they require."""
    inner = bench.before_builds(target)
    same = old if old and old.lock.platform == target.platform else None
    return (await _solve(inner, target.platform, same)).pair(lock_path(bench.context, bench.spec, target.platform))


async def _build_environment(
    bench: Workbench,
    old: LockPair | None,
    target: Target,
    needs: BuildNeeds,
) -> LockPair:
    """Solve for what a build requires, with nothing of the spec's own but where packages come from.

    Sources are offered where wheels alone do not serve, or where a requirement has an address.
    """
    inner = bench.for_build(target, needs.requires, needs.given)
    if any(requirement.url for requirement in needs.requires):
        inner = inner.with_sources(needs.project)
    same = old if old and old.lock.platform == target.platform else None
    recipes = replace(same, lock=replace(same.lock, packages=same.lock.built, older=())) if same else None
    try:
        found = await _solve(inner, target.platform, recipes)
    except UnsatisfiableError:
        if inner.builds:
            raise
        found = await _solve(inner.with_sources(needs.project), target.platform, recipes)
    return found.pair(lock_path(bench.context, bench.spec, target.platform))


async def _make_recipes(
    bench: Workbench, platform: Platform, old: LockPair | None, channels: ChannelSource | None, making: Making
) -> list[RecipeOutput]:
    """Start building the packages of recipes, for the names that no channel has."""
    known, keep = shipped.recipes_by_package(bench.context.root), kept.debs(old, bench.upgrade)
    if platform in bench.spec.python_archive:
        known[_PYTHON] = known[RECIPE]
    builds = RecipeBuilds(context=bench.context, spec=bench.spec, names=bench.names, olds=bench.olds)
    scripts = asyncio.Lock()  # one after the other, beside what is read from Debian

    async def start(recipe: Recipe) -> RecipeOutput:
        async with nullcontext() if recipe.is_debian else scripts:
            tools = await builds.tools(recipe, platform, partial(_solve_build, bench, recipe), bench.building)
            maker = partial(
                make,
                bench.context,
                recipe,
                spec=bench.spec,
                platform=platform,
                suites=bench.suites,
                keep=keep.get(recipe.name, ()),
                locked=kept.locked_debs(old, recipe.name),
                old=None if old is None or kept.may_differ(bench.upgrade, old.lock, recipe.name) else old.lock,
                tools=tools,
            )
            return await making.start(maker)

    async def recipe_of(name: str) -> Recipe | None:
        recipe = known.get(name)
        is_elsewhere = recipe and channels and not recipe.is_archive and await channels.records(CondaName(name))
        return None if is_elsewhere else recipe

    found = await make_all({*map(match_name, bench.spec.dependencies), _PYTHON}, recipe_of, start)
    _tell_replaced(bench, platform, [replaced for one in found.values() for replaced in one.replaced])
    bench.said.warn(remark for one in found.values() for remark in one.remarks)
    return [found[name] for name in sorted(found)]


async def _solve_build(bench: Workbench, recipe: Recipe, own: EnvSpec, old: LockPair | None) -> LockPair:
    """Solve for what a recipe is built with."""
    (platform,) = own.targets
    found = await _solve(bench.for_recipe(own, recipe.name), platform, old)
    return found.pair(lock_path(bench.context, bench.spec, platform))


async def _resolve_base(bench: Workbench, platform: Platform, old: LockPair | None) -> ResolvedBase | None:
    """Find the packages below the environment in an image, if there is to be one."""
    keep = kept.debs(old, bench.upgrade).get(IMAGE, ())
    locked = kept.locked_debs(old, IMAGE)
    base = await asyncio.to_thread(
        resolve_base, bench.context, bench.suites, bench.spec, platform, keep=keep, locked=locked
    )
    _tell_replaced(bench, platform, base.replaced if base else ())
    bench.said.warn(base.remarks if base else ())
    return base


def _tell_replaced(bench: Workbench, platform: Platform, replaced: Sequence[Replaced]) -> None:
    for one in replaced:
        bench.context.reporter.note(
            f"{platform}: Debian no longer offers `{one.old.name}` {one.old.version}, locked {one.new.version} instead"
        )


async def _preflight(bench: Workbench, resolved: Resolved) -> Remarks:
    """Refuse to lock what could not be linked, and say once what is odd about wheels that can."""
    path, image = lock_path(bench.context, bench.spec, resolved.lock.platform), bench.spec.image is not None
    lock = with_local_recipes(bench.context, resolved.pair(path)).lock
    found = await preflight_links(bench.context, lock, resolved.text, bench.directories, image=image)
    bench.said.note(found.notes)
    failed = [one for one in found.unread if one.why]
    if failed:
        bench.context.reporter.warn(
            f"{lock.platform}: the paths of {len(failed)} wheels could not be checked, such as those of "
            f"`{failed[0].filename}`: {failed[0].why}"
        )
    return found


def _tell_missing_libraries(bench: Workbench, resolved: Resolved) -> None:
    """Warn of libraries that the packages need and the image would not have."""
    pair = resolved.pair(lock_path(bench.context, bench.spec, resolved.lock.platform))
    told = remarks_on_libraries(bench.context, bench.spec, pair, bench.suites)
    bench.said.warn(told.missing)
    if told.unknown:
        bench.context.reporter.note(told.unknown)


def _assemble(
    bench: Workbench,
    built: BuiltSolution,
    made: Sequence[RecipeOutput],
    base: ResolvedBase | None,
    old: LockPair | None,
) -> Resolved:
    """Render both files; the conda-lock holds the digest of the other one."""
    solution = built.solution
    names, platform = {record.name for record in solution.records}, solution.target.platform
    used = [one for one in made if any(record.name in names for record in one.records)]
    debian = debian_lock(bench.spec.name, platform, used=used, base=base, old=old)
    debian_text = render_debian_lock(debian) if debian else None
    lock = from_solution(
        solution,
        bench.spec,
        recipes={one.recipe.name: one.recipe.digest for one in used},
        debian=Sha256.of(debian_text.encode()) if debian_text else None,
        converter=CONVERTER_VERSION,
        root_url=bench.context.root.as_uri(),
        old=kept.with_facts(old.lock, bench.names, bench.upgrade) if old else None,
        build_environments=built.environments,
        builds={one.recipe.name: one.build for one in used if one.build},
        recipe_sources={one.recipe.name: RecipeSources(paths=one.recipe.sources) for one in used if one.recipe.outside},
    )
    lock = pinned(bench.context, lock, asked=bench.pin_local, old=old.lock if old else None)
    text = render_lock(lock, old=old.text if old else None, check=check)
    return Resolved(lock=lock, debian=debian, text=text, debian_text=debian_text, older=solution.older)
