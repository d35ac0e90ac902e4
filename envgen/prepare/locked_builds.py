"""Packages of a lock into the store, built ones among them: each as the lock has it, or not at all."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from envgen.builds import LocalSource, differing, seen_by
from envgen.convert.build_backend import SourceName
from envgen.errors import HostError, IntegrityError
from envgen.manifest.adjust import Adjustments
from envgen.packages import BuiltPackage, Wheel, sort_key
from envgen.prepare.artifacts import is_at_hand
from envgen.prepare.build_rooms import python_closure, tell_unconfined
from envgen.prepare.built_files import accept_other, is_local, wheel_file
from envgen.prepare.plan import Work
from envgen.prepare.preparer import prepare as prepare_downloads
from envgen.prepare.preparer import prepared
from envgen.prepare.recipe_packages import as_it_is
from envgen.prepare.source_trees import direct_url, unpacker
from envgen.prepare.wheel_builds import BuildOrder, build_wheel, built_before
from envgen.prepare.wheel_index import locked_indexes
from envgen.project.local_projects import (
    declaring_digest,
    files_digest,
    project_folder,
    recipe_sources_now,
    recipes_unlike_pinned,
    tell_untracked,
    unlike_pinned,
)
from envgen.structs import replace
from envgen.system.host import probe_host

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from typing import BinaryIO

    from envgen.builds import WheelBuild
    from envgen.names import ProjectName
    from envgen.packages import Package
    from envgen.prepare.plan import Plan
    from envgen.prepare.wheel_builds import BuiltWheel
    from envgen.project.context import Context
    from envgen.project.lock_files import LockPair

_SHOWN = 10
"""Files that a message names."""


def prepare(context: Context, plan: Plan, pair: LockPair, *, keep_wheels: bool = True) -> None:
    """Ensure that the store has every package that the plan links: fetched, extracted, converted or built.

    Args:
        context: the world.
        plan: what the store lacks.
        pair: the lock that it was made for.
        keep_wheels: put wheels of the index into the store, too.

    Raises:
        NoBuildError: a wheel has to be built, and no code may run.
        BuildError: a build fails.
        HostError: a wheel can be built on another machine only.
        IntegrityError: a build gave other files than the lock has, or see `preparer.prepare`.
        NetworkError: as the sources say.
    """
    build = [item.package for item in plan.preparing(Work.BUILD) if isinstance(item.package, Wheel)]
    build_wheels(context, pair, build)
    prepare_downloads(context, plan, pair, keep_wheels=keep_wheels)


def build_wheels(context: Context, pair: LockPair, wheels: Iterable[Wheel]) -> None:
    """Build those wheels of a lock that have to be built and are not at hand; raises as `prepare` does."""
    builds = [(w, w.made) for w in wheels if w.made and not _is_there(context, w)]
    if builds and not context.no_build:
        tell_unconfined(context)
    for wheel, made in builds:
        _build(context, pair, wheel, made)


def build_for_bundle(context: Context, pair: LockPair) -> None:
    """Build the wheels of a lock that a bundle holds: all but projects of the repository, which are built elsewhere.

    Raises as `prepare` does.
    """
    build_wheels(context, pair, [wheel for wheel in pair.lock.wheels if not is_local(wheel)])
    for wheel in pair.lock.wheels:
        if wheel.made and is_local(wheel):
            environment = _environment(context, pair, wheel, wheel.made)
            build_wheels(context, environment, environment.lock.wheels)


def with_local_files(context: Context, pair: LockPair, *, linked: Collection[ProjectName] = ()) -> LockPair:
    """Return a lock with the projects of the repository as they are now: each is named by the digest of its files.

    Args:
        context: the world.
        pair: the lock.
        linked: projects whose modules are not installed: the environment has those of their folders.

    Raises:
        UserError: one is not there any more, or cannot be linked.
        IntegrityError: one is locked with other files.
        ArtifactError: a file of one leads out of it.
    """
    if other := next(recipes_unlike_pinned(context, pair.lock), None):
        raise IntegrityError(other, hint="run `envgen lock`")
    tell_untracked(context, pair.lock)
    pair = with_local_recipes(context, pair)
    packages = tuple(_as_it_is(context, pair, package, linked) for package in pair.lock.packages)
    return pair if packages == pair.lock.packages else replace(pair, lock=replace(pair.lock, packages=packages))


def with_local_recipes(context: Context, pair: LockPair) -> LockPair:
    """Return a lock with the packages of recipes that build from code of the repository as that is now.

    Raises:
        LockError: a recipe does not exist.
    """
    if not pair.lock.recipe_sources:
        return pair
    packages = tuple(
        as_it_is(context, package, pair, prepared)
        if isinstance(package, BuiltPackage) and package.archive.local
        else package
        for package in pair.lock.packages
    )
    sources = recipe_sources_now(context, pair.lock)
    return replace(pair, lock=replace(pair.lock, packages=packages, recipe_sources=sources))


def _as_it_is(context: Context, pair: LockPair, package: Package, linked: Collection[ProjectName]) -> Package:
    if not isinstance(package, Wheel) or package.made is None or not isinstance(package.made.source, LocalSource):
        return package
    folder = project_folder(context.root, package.made.source.path)
    if package.project in linked:
        source = replace(package.made.source, digest=declaring_digest(folder), linked=True)
    elif other := unlike_pinned(context, package.made.source):
        raise IntegrityError(other, hint="run `envgen lock`")
    else:
        source = replace(package.made.source, digest=files_digest(folder, context.environment))
    wheel = replace(package, made=replace(package.made, source=source))
    return replace(wheel, sha256=_order(context, pair, wheel, wheel.made or package.made).key)


def _is_there(context: Context, wheel: Wheel) -> bool:
    return wheel_file(context.store, wheel) is not None or is_at_hand(context, wheel.sha256)


def _build(context: Context, pair: LockPair, wheel: Wheel, made: WheelBuild) -> None:
    host = probe_host().platform
    if pair.lock.platform != host:
        raise HostError(
            f"`{wheel.project}` {wheel.version} must be built for {pair.lock.platform}, this machine is {host}",
            hint=f"if it is pure Python, run `envgen lock` here; otherwise run `envgen build` on {pair.lock.platform}",
        )
    order = _order(context, pair, wheel, made)
    if not built_before(context, order):  # what it is built with may have to be built as well
        build_wheels(context, order.environment, order.environment.lock.wheels)
    built = build_wheel(context, order)
    if built.filename != wheel.filename and not order.linked:
        raise IntegrityError(
            f"the build of `{wheel.project}` gave `{built.filename}`, the lock has `{wheel.filename}`",
            hint=f"run `envgen lock --upgrade {wheel.project}`",
        )
    if built.sha256 != wheel.sha256 and not is_local(wheel):
        _take_other(context, wheel, made, built)


def _order(context: Context, pair: LockPair, wheel: Wheel, made: WheelBuild) -> BuildOrder:
    source = made.source
    folder = source.path if isinstance(source, LocalSource) and source.linked else None
    return BuildOrder(
        name=SourceName(project=wheel.project, version=wheel.version, origin=made.source.filename),
        source=source,
        linked=project_folder(context.root, folder).resolve() if folder else None,
        environment=_environment(context, pair, wheel, made),
        allowed=made.terms,
        unpack=unpacker(context, source, partial(_fetch, context, pair, wheel)),
    )


def _environment(context: Context, pair: LockPair, wheel: Wheel, made: WheelBuild) -> LockPair:
    """Return the lock of a build's environment: the locked Python, and what is locked for the build.

    Without isolation it has what the environment has, and extras and adjustments as there: it links the same packages.
    """
    lock, names = pair.lock, context.names.overridden(pair.lock.names).substituted(pair.lock.stand_ins)
    every = {package.conda_name(names): package for package in lock.packages}
    extra = {package.conda_name(names): package for package in lock.build_environments[made.environment]}
    if made.terms.isolation:
        needs = {str(name): [str(need) for need, _ in one.depends_on(names)] for name, one in every.items()}
        made_here = {str(one.conda_name(names)): one.made for one in lock.wheels if one.made}
        hidden = [name for name, one in made_here.items() if one.terms.isolation]
        never = [name for name, one in made_here.items() if isinstance(one.source, LocalSource)]
        seen = seen_by(str(wheel.conda_name(names)), needs, hidden=hidden, never=never)
        packages = extra | {name: package for name, package in every.items() if name in seen}
        return replace(pair, lock=replace(lock, packages=tuple(sorted(packages.values(), key=sort_key))))
    packages = python_closure(every) | extra
    bare = replace(lock, adjustments=Adjustments(), extras={})
    return replace(pair, lock=replace(bare, packages=tuple(sorted(packages.values(), key=sort_key))))


def _fetch(context: Context, pair: LockPair, wheel: Wheel, out: BinaryIO) -> None:
    with locked_indexes(context, [pair.lock]) as index:
        url = direct_url(context, wheel.direct) if wheel.direct else index.locate(wheel)
        context.http.download(url, out, expected=wheel.listed.sha256)


def _take_other(context: Context, wheel: Wheel, made: WheelBuild, built: BuiltWheel) -> None:
    """Refuse a build with other content, unless the spec accepts it by name."""
    error = _other_content(wheel, made, built)
    if not made.terms.reproducible:
        raise error
    context.reporter.warn(f"{error} (accepted by `builds.{wheel.project}.reproducible`)")
    accept_other(context.store, wheel, built.sha256)


def _other_content(wheel: Wheel, made: WheelBuild, built: BuiltWheel) -> IntegrityError:
    files = differing(made.files, built.files)
    more = f" and {len(files) - _SHOWN} more" if len(files) > _SHOWN else ""
    what = ", ".join(f"`{path}`" for path in files[:_SHOWN]) or "modes of files"
    return IntegrityError(
        f"the build of `{wheel.project}` {wheel.version} differs from the locked one in {what}{more}",
        hint=f"run `envgen lock --upgrade {wheel.project}` to lock what this machine builds",
    )
