"""The packages of a lock in the store, ready to be linked."""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from envgen.convert.extracted import Identity, check_identity
from envgen.convert.package import record_of
from envgen.errors import ArtifactError
from envgen.lock.conda_lock import dependencies_of
from envgen.packages import BuiltPackage, ChannelPackage, Wheel
from envgen.prefix.contents import LinkPackage
from envgen.prefix.link_scripts import described
from envgen.prepare.plan import Artifact, Plan, make_plan
from envgen.prepare.shared_packages import is_shared
from envgen.structs import replace
from envgen.system.mirrors import CHANNEL
from envgen.urls import without_secrets

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from envgen.debs import Deb
    from envgen.digest import Sha256
    from envgen.lock.debian_lock import DebianLock
    from envgen.prefix.installed import InstalledPackage
    from envgen.prepare.channel_listing import PublishedArchives
    from envgen.prepare.plan import PlannedPackage
    from envgen.project.context import Context
    from envgen.project.lock_files import LockPair
    from envgen.records import Record


def recipe_inputs(debian: DebianLock | None) -> dict[str, tuple[Artifact, ...]]:
    """Return of each recipe which files building it takes."""
    found: dict[str, tuple[Artifact, ...]] = {}
    for package in debian.packages if debian else ():
        for recipe in package.used_by:
            found[recipe] = (*found.get(recipe, ()), artifact_of(package))
    return found


def artifact_of(deb: Deb) -> Artifact:
    """Return the file of a Debian package."""
    return Artifact(filename=deb.path.rpartition("/")[2], sha256=deb.sha256, size=deb.size)


def plan(
    context: Context,
    items: Iterable[PlannedPackage],
    *,
    installed: Iterable[InstalledPackage] = (),
    unfinished: bool = False,
    unsettled: bool = False,
    reinstall: Collection[str] = frozenset(),
    verify: bool = False,
    meanwhile: Callable[[], object] = lambda: None,
) -> Plan:
    """Compare a lock with the store and a prefix, none by default; see `make_plan`.

    Where the store has to be looked at, `meanwhile` is called while another process does it.

    A package of the store that is not what it was counts as not there, and the store says so. That happens where
    somebody edits an environment, for its files are links to those of the store. With `verify`, every file is read.
    """
    store, every = context.store, tuple(items)

    @cache
    def observe() -> None:
        there = [folder for item in every if (folder := store.package(item.wanted.key))]
        with store.packages.observing(there):
            meanwhile()

    def has_artifact(sha: Sha256) -> bool:
        return store.artifact(sha) is not None or context.supply.has(sha)

    def has_package(key: str) -> bool:
        if not verify:
            observe()
        return not store.altered(key, read=verify) and store.package(key) is not None

    @cache
    def published() -> PublishedArchives:
        # takes 20 ms, and mostly nothing is missing
        from envgen.prepare.channel_listing import PublishedArchives  # noqa: PLC0415

        return PublishedArchives(context, is_at_hand=has_artifact)

    return make_plan(
        every,
        has_artifact=has_artifact,
        has_package=has_package,
        is_shared=partial(is_shared, context),
        archived=lambda item: published().find(item),
        installed=installed,
        unfinished=unfinished,
        unsettled=unsettled,
        reinstall=reinstall,
    )


def archives_address(context: Context) -> str:
    """Return the address of the channel for archives of what is made here: `ENVGEN_CHANNEL`, else the local one.

    `envgen build` and `publish` write them there; whether they did is not asked.
    """
    found = context.mirrors.find(CHANNEL)
    return without_secrets(found.url) if found else context.local_channel.as_uri()


def link_packages(context: Context, items: Iterable[PlannedPackage], pair: LockPair) -> list[LinkPackage]:
    """Describe packages to the linker; the store must have them."""
    context.store.sync()
    return [link_package(context, item, pair) for item in items]


def link_package(context: Context, item: PlannedPackage, pair: LockPair) -> LinkPackage:
    """Describe one package to the linker.

    Raises:
        ArtifactError: it is not what the lock says.
    """
    directory = context.store.need_package(item.wanted.key)
    package = item.package
    if isinstance(package, Wheel):
        return LinkPackage(record=record_of(directory, package), directory=directory)
    record = record_of(directory, package.origin, subdir=package.subdir)
    check_identity(Identity.of(record), Identity.of(package), what=item.wanted.key)
    if isinstance(package, BuiltPackage):
        _check_dependencies(record, package)
        return LinkPackage(record=record, directory=directory)
    # a channel corrects dependencies in its repodata, which the archive does not know of
    depends = tuple(f"{name} {rest}".rstrip() for name, rest in package.dependencies.items())
    origin = replace(package.archive, url=address(package, pair))
    return LinkPackage(record=replace(record, depends=depends, origin=origin), directory=directory)


def tell_link_scripts(context: Context, items: Iterable[PlannedPackage]) -> None:
    """Name the packages of channels that bring link scripts, as far as they are in the store."""
    places = ((item.wanted.name, context.store.package(item.wanted.key)) for item in _of_channels(items))
    if text := described((name, place) for name, place in places if place):
        context.reporter.note(text)


def _of_channels(items: Iterable[PlannedPackage]) -> Iterator[PlannedPackage]:
    yield from (item for item in items if isinstance(item.package, ChannelPackage))


def address(package: ChannelPackage, pair: LockPair) -> str:
    """Return where an archive is; one of a channel inside the project is locked relative to the lock."""
    return package.url if "://" in package.url else urljoin(pair.path.as_uri(), package.url)


def _check_dependencies(record: Record, package: BuiltPackage) -> None:
    """Refuse a package of a recipe whose dependencies differ from the lock."""
    got = dependencies_of(record.depends)
    names = (got.keys() | package.dependencies.keys()) if got != package.dependencies else ()
    for name in sorted(names):
        expected = package.dependencies.get(name)
        if got.get(name) != expected:
            raise ArtifactError(
                f"`{package.filename}`: `info/index.json`: dependency `{name}`: "
                f"expected {expected!r} as the lock says, got {got.get(name)!r}"
            )
