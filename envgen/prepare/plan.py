"""What `create` will do, as data, before anything moves."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct

from envgen.convert.wheel_key import package_key
from envgen.packages import ChannelPackage, Wheel, store_key
from envgen.prefix.changes import PrefixChanges, Wanted, compare
from envgen.prepare.built_files import is_local
from envgen.structs import replace
from envgen.wheels import package_id

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from envgen.digest import Sha256
    from envgen.lock.model import Lock
    from envgen.names import NameTable
    from envgen.packages import Package
    from envgen.prefix.installed import InstalledPackage


class Work(StrEnum):
    """How a package gets into the store."""

    EXTRACT = "extract"
    CONVERT = "convert"
    BUILD = "build"
    COPY = "copy"


class Artifact(Struct, frozen=True, kw_only=True):
    """A file to have in the store.

    Attributes:
        filename: as its source has it.
        sha256: of the file.
        size: bytes, where the lock says so.
    """

    filename: str
    sha256: Sha256
    size: int | None


class PlannedPackage(Struct, frozen=True, kw_only=True):
    """A locked package with what is known of it before it is there.

    Attributes:
        package: the lock's entry.
        wanted: what a prefix shall hold, and the key of the extracted package in the store.
        work: how it gets there.
        artifacts: what it is made from: one wheel, one archive, or the files of a recipe.
        subdir: folder of a channel that its archive belongs in: the platform, or `noarch`.
    """

    package: Package
    wanted: Wanted
    work: Work
    artifacts: tuple[Artifact, ...]
    subdir: str = ""


class Plan(Struct, frozen=True, kw_only=True):
    """What is to be done, sorted by name.

    Attributes:
        items: every package of the lock.
        fetch: artifacts that the store lacks and that something below needs; each once.
        prepare: packages that the store lacks, to be extracted, converted or built.
        changes: what comes into the prefix, goes from it and stays.
        unfinished: whether an interrupted run left something to clean up in the prefix.
        unsettled: whether who owns what is to be decided again, for the spec's `conflicts` have changed.
        relinks_known: whether `changes` has the packages that stay the same and are linked again because of their
            paths, which only packages in the store tell.
    """

    items: tuple[PlannedPackage, ...]
    fetch: tuple[Artifact, ...]
    prepare: tuple[PlannedPackage, ...]
    changes: PrefixChanges
    unfinished: bool = False
    unsettled: bool = False
    relinks_known: bool = True

    @property
    def fetch_size(self) -> int:
        """Bytes to download, as far as the lock knows them."""
        return sum(artifact.size or 0 for artifact in self.fetch)

    @property
    def sizes_known(self) -> bool:
        """Return whether the lock knows the size of everything there is to download."""
        return all(artifact.size is not None for artifact in self.fetch)

    def __bool__(self) -> bool:
        return bool(self.changes) or self.unfinished or self.unsettled

    def with_changes(self, changes: PrefixChanges) -> Plan:
        """Return the plan with the changes that the files of all packages lead to."""
        return replace(self, changes=changes, relinks_known=True)

    def preparing(self, work: Work) -> tuple[PlannedPackage, ...]:
        """List the packages that the store lacks and gets in one way."""
        return tuple(item for item in self.prepare if item.work is work)


def items_of(lock: Lock, names: NameTable, *, inputs: Mapping[str, tuple[Artifact, ...]]) -> tuple[PlannedPackage, ...]:
    """Return for each package of a lock what it is called in conda's world and what it is made from; sorted by name.

    Args:
        lock: for one platform.
        names: the shipped table; the lock's own pairs go on top.
        inputs: recipe -> the files that building it takes (`.deb`s).
    """
    table = names.overridden(lock.names).substituted(lock.stand_ins)
    found = (_item(package, lock, table, inputs) for package in lock.packages)
    return tuple(sorted(found, key=lambda item: item.wanted.name))


def make_plan(
    items: Iterable[PlannedPackage],
    *,
    has_artifact: Callable[[Sha256], bool],
    has_package: Callable[[str], bool],
    is_shared: Callable[[PlannedPackage], bool] = lambda _item: False,
    archived: Callable[[PlannedPackage], Artifact | None] = lambda _item: None,
    installed: Iterable[InstalledPackage],
    unfinished: bool = False,
    unsettled: bool = False,
    reinstall: Collection[str] = frozenset(),
) -> Plan:
    """Compare a lock with the store and a prefix.

    Where nothing changes, nothing is fetched, however empty the store is. Where anything does, the store must have
    every package: who owns a path that several bring is decided over all of them.

    Args:
        items: from `items_of`.
        has_artifact: whether the store has a file.
        has_package: whether the store has an extracted package.
        is_shared: whether it can be copied from somebody else's store.
        archived: gives the archive of a package that would have to be made, where a bundle or a channel has it.
        installed: what the prefix holds.
        unfinished: whether the last change of the prefix was interrupted.
        unsettled: whether the prefix was linked by other `conflicts`.
        reinstall: names of installed packages that come again, for their files are damaged.
    """
    every = tuple(items)
    changes = compare((item.wanted for item in every), installed, reinstall=reinstall)
    moves = bool(changes) or unfinished or unsettled
    missing = (item for item in every if moves and not has_package(item.wanted.key))
    prepare = tuple(
        replace(item, work=Work.COPY) if is_shared(item) else _from_archive(item, archived(item)) for item in missing
    )
    made = [item for item in prepare if item.work is not Work.COPY]
    needed = {artifact.sha256: artifact for item in made for artifact in item.artifacts}
    fetch = tuple(artifact for artifact in needed.values() if not has_artifact(artifact.sha256))
    return Plan(
        items=every,
        fetch=fetch,
        prepare=prepare,
        changes=changes,
        unfinished=unfinished,
        unsettled=unsettled,
        relinks_known=not moves or not changes.unchanged,
    )


def _from_archive(item: PlannedPackage, archive: Artifact | None) -> PlannedPackage:
    return replace(item, work=Work.EXTRACT, artifacts=(archive,)) if archive else item


def _item(package: Package, lock: Lock, names: NameTable, inputs: Mapping[str, tuple[Artifact, ...]]) -> PlannedPackage:
    if isinstance(package, Wheel):
        return _wheel_item(package, lock, names)
    key = store_key(package.dist, package.content)
    wanted = Wanted(name=package.name, version=package.version, build=package.build, key=key)
    if isinstance(package, ChannelPackage):
        archive = _file(package)
        return PlannedPackage(
            package=package, wanted=wanted, work=Work.EXTRACT, artifacts=(archive,), subdir=package.subdir
        )
    artifacts = inputs.get(package.recipe, ())
    return PlannedPackage(package=package, wanted=wanted, work=Work.BUILD, artifacts=artifacts, subdir=package.subdir)


def _wheel_item(locked: Wheel, lock: Lock, names: NameTable) -> PlannedPackage:
    found = package_id(locked, target=lock.target, names=names)
    key = package_key(
        locked,
        target=lock.target,
        names=names,
        python_full=lock.marker_python,
        trusted=locked.project in lock.adjustments.trust_record,
    )
    wanted = Wanted(name=found.name, version=found.version, build=found.build, key=key)
    work = Work.BUILD if locked.made else Work.CONVERT
    artifacts = () if is_local(locked) else (_file(locked),)
    return PlannedPackage(package=locked, wanted=wanted, work=work, artifacts=artifacts, subdir=lock.target.platform)


def _file(package: ChannelPackage | Wheel) -> Artifact:
    return Artifact(filename=package.filename, sha256=package.sha256, size=package.size)
