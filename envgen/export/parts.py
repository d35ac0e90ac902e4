"""What an SBOM lists: every package of a lock with its package URL, and which of them depends on which."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from envgen.export.purl import debian_purl, package_purl
from envgen.lock.graph import debian_node, graph_of, node_of
from envgen.packages import ChannelPackage, PackageKind, Wheel
from envgen.structs import replace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from envgen.digest import Sha256
    from envgen.export.export_input import ExportInput, License
    from envgen.lock.debian_lock import DebianPackage
    from envgen.packages import Package


class SbomComponent(Struct, frozen=True, kw_only=True):
    """One package of an SBOM.

    Attributes:
        purl: its package URL, and what other parts call it.
        name: project, conda name or Debian's name.
        version: as locked.
        kind: where it comes from.
        sha256: of the file; of the archive for what a recipe makes.
        md5: of the archive, for conda packages.
        filename: of the file.
        license: where it is known.
        url: public address, where the lock has one.
        needs: package URLs of what it depends on, sorted.
        stands_for: projects whose dist-info it brings, sorted.
    """

    purl: str
    name: str
    version: str
    kind: PackageKind
    sha256: Sha256
    md5: str | None = None
    filename: str
    license: License | None = None
    url: str | None = None
    needs: tuple[str, ...] = ()
    stands_for: tuple[str, ...] = ()


def parts_of(inputs: ExportInput) -> tuple[SbomComponent, ...]:
    """List the parts of one lock and of the Debian lock beside it, sorted by package URL."""
    lock = inputs.lock
    debian = inputs.debian.get(lock.platform)
    graph = graph_of(lock, names=inputs.names, debian=debian)
    bare = {node_of(package): _part(package, inputs) for package in lock.packages}
    for package in debian.packages if debian else ():
        bare[debian_node(package)] = _debian_part(package, debian.suites_of(package) if debian else ())
    found = (
        replace(part, needs=tuple(sorted({bare[need.node].purl for need in graph.needs.get(node, ())})))
        for node, part in bare.items()
    )
    return tuple(sorted(found, key=lambda part: part.purl))


def unnamed_indexes(inputs: ExportInput) -> tuple[str, ...]:
    """Return a note on wheels whose package URL cannot say which index they are from."""
    wheels = [w for w in inputs.lock.wheels if w.index and inputs.repository(w) is None]
    listed = ", ".join(f"`{wheel.project}` ({wheel.index})" for wheel in wheels)
    return (f"the package URL has no index for {listed}: its address is not public",) if wheels else ()


def top_of(parts: Sequence[SbomComponent]) -> tuple[str, ...]:
    """List the package URLs that no other part depends on: what the environment as a whole depends on."""
    needed = {purl for part in parts for purl in part.needs}
    return tuple(part.purl for part in parts if part.purl not in needed)


def _part(package: Package, inputs: ExportInput) -> SbomComponent:
    file = package.listed if isinstance(package, Wheel) else package
    is_public = isinstance(package, ChannelPackage) and "://" in package.url
    return SbomComponent(
        purl=package_purl(package, inputs.repository(package)),
        name=str(package.name),
        version=package.version,
        kind=package.kind,
        sha256=file.sha256,
        md5=package.md5,
        filename=file.filename,
        license=inputs.licenses.get(package.sha256),
        url=package.url if is_public else None,
        stands_for=package.stands_for,
    )


def _debian_part(package: DebianPackage, suites: Sequence[str]) -> SbomComponent:
    return SbomComponent(
        purl=debian_purl(package, suites),
        name=package.name,
        version=package.version,
        kind=PackageKind.DEBIAN,
        sha256=package.sha256,
        filename=package.path.rpartition("/")[2],
    )
