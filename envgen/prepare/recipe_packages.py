"""Recipes at work: what they make for a platform, and having it in the store."""

from __future__ import annotations

import shutil
from functools import partial
from typing import TYPE_CHECKING

from msgspec import Struct, field

from envgen.checks import several
from envgen.convert.deb_plan import describe
from envgen.convert.package import record_of
from envgen.convert.recipe_build import build_recipe
from envgen.convert.recipe_run import BuildSurroundings
from envgen.errors import (
    DigestMismatchError,
    EnvgenError,
    LockError,
    MissingLibrariesError,
    NoBuildError,
)
from envgen.packages import BuiltArchive
from envgen.prepare.archive_recipes import make_archive, make_locked_archive
from envgen.prepare.build_limits import build_seconds
from envgen.prepare.built import ensure_built, ensure_outputs
from envgen.prepare.deb_builds import build
from envgen.prepare.deb_files import debian_archive, fetch_debs
from envgen.prepare.debian_recipes import recipe_of_lock, recipe_of_spec
from envgen.prepare.locked_recipes import foreseen_record, locked_records
from envgen.prepare.published import fetch_published, take_published
from envgen.prepare.recipe_tools import tools_of
from envgen.project import shipped
from envgen.sources.debian import DebianArchive
from envgen.sources.debian_age import LockedDebs
from envgen.sources.recipes import DEBIAN, recipe_files
from envgen.structs import replace

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Collection, Mapping, Sequence
    from pathlib import Path

    from envgen.convert.deb_plan import DebianRecipePackage
    from envgen.debs import Deb
    from envgen.lock.model import Lock
    from envgen.manifest.debian_recipe import DebianRecipe
    from envgen.manifest.env_spec import EnvSpec
    from envgen.packages import BuiltPackage
    from envgen.platforms import Platform
    from envgen.prepare.built import Built
    from envgen.prepare.recipe_tools import Prepare, RecipeTools
    from envgen.project.context import Context
    from envgen.project.lock_files import LockPair
    from envgen.records import Record
    from envgen.sources.debian_closure import Replaced
    from envgen.sources.debian_suites import DebianSuites
    from envgen.sources.recipes import Recipe

_NOTHING = LockedDebs()

_BUILDER = 1
"""Counts changes of how `recipe.yaml` is built that change the bytes."""


class RecipeOutput(Struct, frozen=True, kw_only=True):
    """What a recipe makes for one platform.

    Attributes:
        recipe: where it is written.
        records: the packages that come out, built and digested.
        suites: of Debian, where it takes packages from there.
        debs: the Debian packages that go in, sorted by name.
        replaced: Debian packages that could not be kept as locked.
        dates: suite -> date of the release that they came from, aware.
        remarks: what the user should know of these releases.
        build: the lock of what it was built with, where that is more than this machine.
    """

    recipe: Recipe
    records: tuple[Record, ...]
    suites: tuple[str, ...] = ()
    debs: tuple[Deb, ...] = ()
    replaced: tuple[Replaced, ...] = ()
    dates: Mapping[str, dt.datetime] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    build: Lock | None = None


def find_debs(
    context: Context,
    recipe: Recipe,
    *,
    spec: EnvSpec,
    platform: Platform,
    suites: DebianSuites,
    keep: Collection[Deb] = (),
    locked: LockedDebs = _NOTHING,
) -> RecipeOutput:
    """Find what a Debian recipe takes from Debian; the output has no records, since nothing is built.

    Args:
        context: the world.
        recipe: one with a `debian.yaml`.
        spec: which asks for it.
        platform: to make it for; need not be this machine's.
        suites: of Debian.
        keep: Debian packages that are locked, taken again as long as a suite offers them.
        locked: all that are locked for the recipe.

    Raises:
        UserError: the recipe has faults, or Debian has nothing for the platform.
        UnsatisfiableError, NetworkError, IntegrityError: as the archive says.
    """
    return _found(context, recipe, spec, platform, suites, keep=keep, locked=locked)[1]


def _found(
    context: Context,
    recipe: Recipe,
    spec: EnvSpec,
    platform: Platform,
    suites: DebianSuites,
    *,
    keep: Collection[Deb],
    locked: LockedDebs,
) -> tuple[DebianRecipe, RecipeOutput]:
    debian = recipe_of_spec(context, recipe, spec, platform)
    closure = DebianArchive(suites, debian.suites).closure(
        debian.packages, architecture=platform.debian_arch, exclude=debian.exclude, keep=keep, locked=locked
    )
    return debian, RecipeOutput(
        recipe=recipe,
        records=(),
        suites=debian.suites,
        debs=closure.debs,
        replaced=closure.replaced,
        dates=closure.dates,
        remarks=closure.remarks,
    )


def make(
    context: Context,
    recipe: Recipe,
    *,
    spec: EnvSpec,
    platform: Platform,
    suites: DebianSuites,
    keep: Collection[Deb] = (),
    locked: LockedDebs = _NOTHING,
    old: Lock | None = None,
    tools: RecipeTools | None = None,
    foreseen: Callable[[RecipeOutput], None] = lambda _output: None,
) -> RecipeOutput:
    """Resolve, fetch and build a recipe, or take from the store, a lock or a channel what was built before.

    Args:
        context: the world.
        recipe: to make.
        spec: which asks for it.
        platform: to make it for; need not be this machine's.
        suites: of Debian.
        keep: Debian packages that are locked, taken again as long as a suite offers them.
        locked: all that are locked for the recipe.
        old: a lock whose word on what Debian recipes build is taken; see `locked_recipes`.
        tools: what it is built with, where that is more than this machine.
        foreseen: is told what will come out, but for the digests, where it has to be built from Debian packages.

    Raises:
        UserError: the recipe has faults, or its script fails, or Debian has nothing for the platform.
        UnsatisfiableError, NetworkError, IntegrityError: as the sources and the builder say.
    """
    if recipe.is_archive:
        files = make_archive(context, recipe, spec.python_archive[platform], platform=platform, python=spec.python)
        return RecipeOutput(recipe=recipe, records=tuple(_record(context, recipe, one) for one in files))
    if not recipe.is_debian:
        made = _build(context, recipe, platform, tools)
        build = tools.pair.lock if tools and tools.pair else None
        return RecipeOutput(recipe=recipe, records=tuple(_record(context, recipe, one) for one in made), build=build)
    debian, found = _found(context, recipe, spec, platform, suites, keep=keep, locked=locked)
    makers = _makers(context, debian, found.debs, DebianArchive(suites, debian.suites), platform=platform)
    known = locked_records(context.store, recipe, [*makers], old, platform=platform)
    expected = (known.get(package.name) or foreseen_record(recipe, package, platform) for package in makers)
    if len(known) < len(makers):
        foreseen(replace(found, records=tuple(expected)))
    take_published(context, [package for package in makers if package.name not in known], platform)
    return replace(
        found,
        records=tuple(
            known.get(package.name) or _record(context, recipe, ensure_built(context.store, package.key, maker))
            for package, maker in makers.items()
        ),
    )


def prepare_built(context: Context, package: BuiltPackage, pair: LockPair, prepare: Prepare) -> None:
    """Fetch or build a locked package into the store: from the channel that publishes such packages, else built again.

    Raises:
        GoneError: a locked Debian package is no longer offered.
        IntegrityError: what was built is not what is locked.
        LockError: the recipe or the Debian lock is missing.
        NetworkError: a channel or an archive cannot be reached.
    """
    if package.archive.local or not fetch_published(context, package):
        _rebuild(context, package, pair, prepare)


def _rebuild(context: Context, package: BuiltPackage, pair: LockPair, prepare: Prepare) -> None:
    recipe = _recipe(context, package)
    facts = next((one for one in _build_locked(context, recipe, pair, prepare) if one.name == package.name), None)
    if facts is None:
        raise LockError(f"the recipe `{recipe.name}` no longer builds `{package.name}`", hint="run `envgen lock`")
    if facts.content != package.content:
        raise DigestMismatchError(
            what=f"the content of `{package.name}`",
            where=f"recipe `{recipe.name}`",
            expected=package.content,
            got=facts.content,
            hint=f"if it was locked by another version of envgen, run `envgen lock --upgrade {package.name}`",
        )
    if facts.sha256 != package.sha256 and not package.archive.local:
        context.reporter.note(
            f"`{package.name}` has the locked content, but its archive is compressed differently on this machine"
        )


def _recipe(context: Context, package: BuiltPackage) -> Recipe:
    recipe = shipped.recipes(context.root).get(package.recipe)
    if recipe is None:
        raise LockError(
            f"`{package.name}` cannot be built: the recipe `{package.recipe}` does not exist", hint="run `envgen lock`"
        )
    return recipe


def _build_locked(context: Context, recipe: Recipe, pair: LockPair, prepare: Prepare) -> list[Built]:
    platform = pair.lock.platform
    if recipe.is_archive:
        return make_locked_archive(context, recipe, pair.lock)
    if not recipe.is_debian:
        return _build(context, recipe, platform, _locked_tools(recipe, pair, prepare))
    if pair.debian is None:
        raise LockError(f"recipe `{recipe.name}` cannot be built: the Debian lock is missing", hint="run `envgen lock`")
    debian = recipe_of_lock(recipe, pair.lock.target.python)
    archive = debian_archive(context, debian.suites)
    makers = _makers(context, debian, pair.debian.used_by(recipe.name), archive, platform=platform)
    return [ensure_built(context.store, package.key, maker) for package, maker in makers.items()]


def _locked_tools(recipe: Recipe, pair: LockPair, prepare: Prepare) -> RecipeTools | None:
    lock, own = pair.lock, pair.lock.builds.get(recipe.name)
    build = replace(pair, text="", lock=own) if own else None
    return tools_of(recipe, platform=lock.platform, python=lock.target.python, pair=build, prepare=prepare)


def as_it_is(context: Context, package: BuiltPackage, pair: LockPair, prepare: Prepare) -> BuiltPackage:
    """Return a package that is built from code of the project with digests of what that is now; see `BuiltArchive`.

    Raises:
        LockError: its recipe does not exist.
    """
    recipe = _recipe(context, package)
    inputs = _inputs(context, recipe, pair.lock.platform, _locked_tools(recipe, pair, prepare))
    return replace(package, archive=package.archive.built_from(inputs))


def _inputs(context: Context, recipe: Recipe, platform: Platform, tools: RecipeTools | None) -> str:
    """Name everything that determines the packages of a `recipe.yaml`."""
    subdir = "noarch" if tools and tools.needs.noarch else platform
    key = f"{recipe.name}-{subdir}-{_BUILDER}-{recipe.files_digest(context.environment)[:32]}"
    return f"{key}-{digest[:16]}" if tools and (digest := tools.digest) else key


def _build(context: Context, recipe: Recipe, platform: Platform, tools: RecipeTools | None) -> list[Built]:
    """Build the packages of a `recipe.yaml` into the store. This is the only place where code of a repository runs.

    Raises:
        NoBuildError: they are not there yet, and no script may run.
        UserError: this machine cannot build them, or the script fails.
    """

    def fill(dest: Path) -> Sequence[Path]:
        if context.no_build:
            raise NoBuildError.of_recipe(recipe.name)
        if tools:
            tools.check(recipe, platform)
        with context.store.view() as scratch:
            staged, work = scratch / "project/recipes" / recipe.name, scratch / "work"
            work.mkdir()
            _stage(context, recipe, staged)
            inside = None
            if tools:
                channel = tools.open_channel(context, recipe, scratch)
                inside = BuildSurroundings(channel=channel, python=tools.python, tests=platform == tools.machine)
            context.reporter.running(f"running the script of recipe `{recipe.name}` for {platform}")
            log = context.store.log(f"recipe-{recipe.name}-{platform}.log")
            return build_recipe(
                staged,
                platform=platform,
                dest=dest,
                work=work,
                log=log,
                surroundings=inside,
                timeout=build_seconds(context),
            )

    with context.reporter.progress(f"building recipe `{recipe.name}`", total=None, unit="packages"):
        inputs = _inputs(context, recipe, platform, tools)
        return ensure_outputs(context.store, inputs, fill, local=bool(recipe.outside))


def _stage(context: Context, recipe: Recipe, folder: Path) -> None:
    """Copy the files of a recipe that its digests cover, so that no other file can get into its package."""
    folder.mkdir(parents=True)
    for path in (*recipe_files(recipe.folder), *recipe.outside_files(context.environment)):
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(recipe.folder / path, target, follow_symlinks=False)


def _makers(
    context: Context, debian: DebianRecipe, debs: Collection[Deb], archive: DebianArchive, *, platform: Platform
) -> dict[DebianRecipePackage, Callable[[Path], Built | None]]:
    """Map the packages of a Debian recipe, the one with files first, to what fills a folder with each."""

    def fill(dest: Path) -> Built | None:
        files = fetch_debs(context, debs, archive, architecture=platform.debian_arch)
        try:
            return build(debian, files, platform=platform, dest=dest, warn=context.reporter.warn)
        except MissingLibrariesError as error:
            error.hint = _packages_with(error.libraries, debian, archive, platform) or error.hint
            raise

    main, *others = describe(debian, debs, platform=platform)
    return {main: fill, **{other: partial(_build_empty, other, debian, platform) for other in others}}


def _packages_with(
    libraries: Collection[str], debian: DebianRecipe, archive: DebianArchive, platform: Platform
) -> str | None:
    """Return which Debian packages have libraries that a recipe lacks; None where the archive does not tell."""
    try:
        known = archive.libraries(architecture=platform.debian_arch)
    except EnvgenError:  # a mirror without `Contents`: the error that is explained here is the one to be told
        return None
    found = {name: known[name][0] for name in libraries if name in known}
    if not found:
        return None
    packages = ", ".join(sorted(set(found.values())))
    absent = sorted(set(libraries) - found.keys())
    rest = f"; no package of its suites has {several(absent)}" if absent else ""
    return f"add to `packages` in `recipes/{debian.recipe}/{DEBIAN}`, or exclude less: {packages}{rest}"


def _build_empty(package: DebianRecipePackage, debian: DebianRecipe, platform: Platform, dest: Path) -> None:
    from envgen.convert.deb import build_empty  # noqa: PLC0415  see `_makers`

    build_empty(package, debian, platform=platform, dest=dest)


def _record(context: Context, recipe: Recipe, facts: Built) -> Record:
    origin = BuiltArchive(
        recipe=recipe.name,
        filename=f"{facts.stem}.conda",
        md5=facts.md5,
        sha256=facts.sha256,
        content=facts.content,
        size=facts.size,
    )
    if recipe.outside:  # its code changes, and the lock does not
        origin = origin.built_from(recipe.digest)
    return record_of(context.store.need_package(facts.key), origin)
