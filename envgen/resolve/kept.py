"""What of an old lock is kept: preferences for the solve, Debian packages, and what it says of packages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envgen.packages import ChannelPackage, Wheel
from envgen.solve.task import Preference
from envgen.sources.debian_age import LockedDebs
from envgen.structs import replace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from envgen.debs import Deb
    from envgen.lock.model import Lock
    from envgen.names import CondaName, NameTable, ProjectName
    from envgen.project.lock_files import LockPair
    from envgen.resolve.upgrade import Upgrade


def debs(old: LockPair | None, upgrade: Upgrade) -> dict[str, list[Deb]]:
    """Group the locked Debian packages by the recipe that uses them, less those that may be upgraded."""
    found: dict[str, list[Deb]] = {}
    for package in old.debian.packages if old and old.debian else ():
        for user in package.used_by:
            if not upgrade.covers(user, package.name):
                found.setdefault(user, []).append(package)
    return found


def locked_debs(old: LockPair | None, user: str) -> LockedDebs:
    """Return what is locked for a recipe or for the image, and from which releases."""
    if old is None or old.debian is None:
        return LockedDebs()
    return LockedDebs(debs=old.debian.used_by(user), dates=old.debian.releases)


def remarks(old: Lock | None) -> tuple[str, ...]:
    """Return the remarks that an old lock was made with."""
    return old.told.warnings if old and old.told else ()


def preferred(old: Lock, names: NameTable, upgrade: Upgrade) -> dict[CondaName, Preference]:
    """Return what a solve is to choose again where it serves: conda name -> what the old lock has."""
    found: dict[CondaName, Preference] = {}
    for package in old.packages:
        if isinstance(package, Wheel):
            name = names.conda_name(package.project)
            if not upgrade.covers(package.project, name):
                found[name] = Preference(version=package.version, sha256=package.listed.sha256)
        elif isinstance(package, ChannelPackage) and not upgrade.covers(package.name):
            found[package.name] = Preference(version=package.version, build=package.build, sha256=package.sha256)
    return found


def with_facts(old: Lock, names: NameTable, upgrade: Upgrade) -> Lock:
    """Remove facts of the old lock about packages that are chosen again."""
    covers = upgrade.covers
    kept = (older for older in old.older if not covers(older.project, names.conda_name(older.project)))
    return replace(old, older=tuple(kept))


def wheels(new: Lock, old: Lock | None, upgrade: Upgrade) -> Iterator[tuple[ProjectName, str]]:
    """Yield project and file name of each wheel that an old lock of the same request holds, too."""
    before = {wheel.sha256 for wheel in old.wheels} if old and old.request == new.request else set()
    kept = (wheel for wheel in new.wheels if wheel.sha256 in before and not upgrade.covers(wheel.project))
    yield from ((wheel.project, wheel.filename) for wheel in kept)


def may_differ(upgrade: Upgrade, old: Lock, recipe: str) -> bool:
    """Return whether the user wants a recipe, or a package that it builds, to be made again."""
    return upgrade.covers(recipe, *(package.name for package in old.built if package.recipe == recipe))
