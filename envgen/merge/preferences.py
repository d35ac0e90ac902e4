"""Two locks that went different ways from one: what each of them changed, as preferences for a solve.

The result is not a lock of anything: it is what a solve of the merged spec is asked to keep as far as it serves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from packaging.version import InvalidVersion, Version

from envgen.lock.debian_lock import later_dates
from envgen.packages import sort_key
from envgen.structs import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Mapping

    from envgen.lock.debian_lock import DebianLock, DebianPackage
    from envgen.lock.model import Lock
    from envgen.packages import Package

P = TypeVar("P")
T = TypeVar("T")


def merge_locks(base: Lock | None, ours: Lock, theirs: Lock) -> Lock:
    """Merge the versions of every package: what one side changed; where both did, the newer one.

    Args:
        base: what both come from; without one both sides added everything.
        ours: one side; what is beside the packages is taken from it.
        theirs: the other one.
    """
    was = _by(base.packages if base else (), sort_key)
    packages = _merge(was, _by(ours.packages, sort_key), _by(theirs.packages, sort_key), _newer)
    return replace(ours, packages=tuple(sorted(packages, key=sort_key)))


def merge_debian_locks(base: DebianLock | None, ours: DebianLock, theirs: DebianLock) -> DebianLock:
    """Merge Debian packages likewise; where both sides changed one, ours is kept, as any offered version will do.

    Of the dates of releases the later ones count.
    """
    packages = _merge(
        _by(base.packages if base else (), _debian_key),
        _by(ours.packages, _debian_key),
        _by(theirs.packages, _debian_key),
        lambda one, _: one,
    )
    return replace(
        ours,
        packages=tuple(sorted(packages, key=lambda p: (p.name, p.architecture, p.version))),
        releases=later_dates(ours.releases, theirs.releases),
    )


def pick(was: T | None, ours: T | None, theirs: T | None) -> tuple[bool, T | None]:
    """Choose between two versions of a thing, None where it is not there.

    Returns:
        Whether at most one side changed it, or both alike, and what it is then.
    """
    if theirs in (ours, was):
        return True, ours
    return (True, theirs) if ours == was else (False, None)


def _merge(
    base: Mapping[Hashable, P], ours: Mapping[Hashable, P], theirs: Mapping[Hashable, P], choose: Callable[[P, P], P]
) -> list[P]:
    found: list[P] = []
    for key in ours.keys() | theirs.keys():
        one, other = ours.get(key), theirs.get(key)
        is_settled, taken = pick(base.get(key), one, other)
        if not is_settled:
            taken = choose(one, other) if one is not None and other is not None else one or other
        if taken is not None:
            found.append(taken)
    return found


def _by(packages: Iterable[P], key: Callable[[P], Hashable]) -> dict[Hashable, P]:
    return {key(package): package for package in packages}


def _debian_key(package: DebianPackage) -> tuple[str, str]:
    return package.name, package.architecture


def _newer(one: Package, other: Package) -> Package:
    """Choose the newer version; one that PEP 440 cannot read yields, and so does theirs among equals."""
    return other if _version(other) > _version(one) else one


def _version(package: Package) -> Version:
    try:
        return Version(package.version)
    except InvalidVersion:
        return Version("0")
