"""What of a lock advisories can be about: each package under the name that its ecosystem has for it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import Struct

from envgen.audit.affects import Ecosystem
from envgen.packages import ChannelPackage, PackageKind, Wheel

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from envgen.debs import Deb
    from envgen.digest import Sha256
    from envgen.lock.debian_lock import DebianLock
    from envgen.lock.model import Lock
    from envgen.names import NameTable
    from envgen.packages import Package
    from envgen.platforms import Platform

RELEASES = {"bullseye": "11", "bookworm": "12", "trixie": "13", "forky": "14"}
"""Debian's names of releases, and the numbers that OSV has after `Debian:`."""

_REBUILD = re.compile(r"\+b\d+$")
"""What a rebuild without a change of the source adds to the version of a binary package."""

_SOURCE = re.compile(r"(?P<name>\S+)(?:\s+\((?P<version>[^()\s]+)\))?")


class Audited(Struct, frozen=True, kw_only=True):
    """A locked package as an ecosystem knows it.

    Attributes:
        name: in the lock.
        version: in the lock.
        kind: where it comes from.
        ecosystem: whose advisories are about it.
        release: of Debian, such as `12`; None elsewhere.
        project: name in the ecosystem: a PyPI project, or a source package of Debian.
        project_version: version in the ecosystem.
        is_assumed: `project` or `project_version` follows from names alone, and may be wrong.
        platforms: whose locks hold it.
    """

    name: str
    version: str
    kind: PackageKind
    ecosystem: Ecosystem
    release: str | None
    project: str
    project_version: str
    is_assumed: bool
    platforms: tuple[Platform, ...]


class Uncovered(Struct, frozen=True, kw_only=True):
    """A package that no ecosystem of the database knows: `Debian` packages under recipes are subjects of their own."""

    name: str
    version: str
    kind: PackageKind


def subjects_of_lock(lock: Lock, names: NameTable) -> Iterator[Audited | Uncovered]:
    """Yield what the packages of a lock are, those of recipes excepted whose Debian packages stand in a lock.

    A Python package of a channel is looked up under the project that the name table has for it, else under its own
    name, which is the convention of channels.
    """
    made_of_debs = set(lock.recipes) if lock.debian else set()
    for package in lock.packages:
        if isinstance(package, Wheel):
            yield _subject(package, str(package.project), lock, assumed=False)
        elif isinstance(package, ChannelPackage) and "python" in package.dependencies:
            yield _subject(package, str(names.project(package.name) or package.name), lock, assumed=True)
        elif isinstance(package, ChannelPackage) or package.recipe not in made_of_debs:
            yield Uncovered(name=str(package.name), version=package.version, kind=package.kind)


def subjects_of_debian(lock: DebianLock, controls: Mapping[Sha256, Mapping[str, str]]) -> Iterator[Audited]:
    """Yield the Debian packages of a lock under their source packages.

    Args:
        lock: of one platform.
        controls: sha256 of a `.deb` -> fields of its control file, where the file is on this machine.
    """
    for deb in lock.packages:
        name, version, assumed = source_of(deb, controls.get(deb.sha256))
        yield Audited(
            name=deb.name,
            version=deb.version,
            kind=PackageKind.DEBIAN,
            ecosystem=Ecosystem.DEBIAN,
            release=release_of(lock.suites),
            project=name,
            project_version=version,
            is_assumed=assumed,
            platforms=(lock.platform,),
        )


def source_of(deb: Deb, control: Mapping[str, str] | None) -> tuple[str, str, bool]:
    """Return name and version of the source of a `.deb`, and whether they are assumed.

    Without its control file, the source is the folder of the archive that holds the `.deb` (`pool/main/g/glibc`),
    and its version is that of the `.deb`, which a few packages number otherwise.

    Source: Debian Policy 5.6.1.
    """
    plain = _REBUILD.sub("", deb.version)
    if control is None:
        return deb.path.rsplit("/", 2)[-2], plain, True
    found = _SOURCE.fullmatch(control.get("source", deb.name).strip())
    if found is None:
        return deb.path.rsplit("/", 2)[-2], plain, True
    return found["name"], found["version"] or plain, False


def release_of(suites: Iterable[str]) -> str | None:
    """Return the number of the Debian release that suites belong to; None where they are of none or of several."""
    found = {RELEASES.get(suite.partition("-")[0]) for suite in suites}
    return found.pop() if len(found) == 1 else None


def _subject(package: Package, project: str, lock: Lock, *, assumed: bool) -> Audited:
    return Audited(
        name=str(package.name),
        version=package.version,
        kind=package.kind,
        ecosystem=Ecosystem.PYPI,
        release=None,
        project=project,
        project_version=package.version,
        is_assumed=assumed,
        platforms=(lock.platform,),
    )
