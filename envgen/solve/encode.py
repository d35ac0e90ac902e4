"""Packages in the solver's words: a record of rattler for whatever a source offers, and back."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import quote

from msgspec import Struct, field
from rattler import (
    BuildString,
    Client,
    Gateway,
    GenericVirtualPackage,
    MatchSpec,
    PackageName,
    PackageRecord,
    RepoDataRecord,
    Version,
)
from rattler.exceptions import InvalidMatchSpecError

from envgen.digest import Sha256
from envgen.errors import ArtifactError, IntegrityError
from envgen.metadata import locked_requires
from envgen.names import CondaName
from envgen.packages import ChannelArchive, Wheel
from envgen.platforms import virtual_package
from envgen.records import Record
from envgen.structs import replace
from envgen.urls import without_secrets
from envgen.wheels import extra_name, package_id, solver_constrains, solver_depends, wheel_constrains, without_extras

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from packaging.requirements import Requirement

    from envgen.names import NameTable
    from envgen.platforms import Target
    from envgen.solve.closure import WheelCandidate

_NOWHERE = "https://solver.invalid"
"""The solver wants URLs; nothing reads these."""


class Offer(Struct, frozen=True, kw_only=True, eq=False):
    """One package as the solver sees it.

    Attributes:
        record: what the solver is given.
        origin: what it stands for: a wheel (also for an extra of it), a recipe's package, a channel's record,
            or something that the target has.
        asks: MatchSpecs of `record.depends` -> the requirement of the wheel that they come from.
        extra: of the wheel, for a package that stands for one; else empty.
    """

    record: RepoDataRecord
    origin: WheelCandidate | Record | RepoDataRecord | GenericVirtualPackage
    asks: Mapping[str, Requirement] = field(default_factory=dict)
    extra: str = ""

    @property
    def name(self) -> CondaName:
        """Return the name that the solver knows it by."""
        return CondaName(self.record.name.normalized)


def refuse_odd_dependencies(record: RepoDataRecord) -> None:
    """Refuse a record of a channel with a dependency that the solver cannot read.

    Raises:
        ArtifactError: it has one; text and reason are named.
    """
    for text in (*record.depends, *record.constrains):
        try:
            MatchSpec(text)
        except InvalidMatchSpecError as error:
            raise ArtifactError(
                f"`{record.file_name}` of a channel depends on `{text}`, which is not a MatchSpec: {error}"
            ) from error


def gateway() -> Gateway:
    """Return what a solve asks its source through; it has no connection of its own."""
    return Gateway(client=_client())


@cache
def _client() -> Client:
    """Return a client that is never used: making one reads the certificates of the machine, which takes 5 ms."""
    return Client()


def key_of(record: RepoDataRecord) -> tuple[str, str, str]:
    """Identify a record by name, version and build."""
    return record.name.normalized, str(record.version), str(record.build)


def encode_record(record: Record) -> Offer:
    """Offer a recipe's package."""
    return Offer(record=_encode(record), origin=record)


def encode_wheel(
    candidate: WheelCandidate,
    record: Record,
    asks: Mapping[str, Requirement],
    rank: int,
    *,
    target: Target,
    names: NameTable,
    replaced: Collection[str] = (),
) -> Offer:
    """Offer a wheel.

    Args:
        candidate: the wheel.
        record: of it, without extras.
        asks: MatchSpecs -> its requirement that they come from.
        rank: its place among wheels that differ in the local version alone; more is better.
        target: what is solved for.
        names: the name table.
        replaced: MatchSpecs of `candidate.depends` in whose place some of `asks` stand.
    """
    own = {*candidate.depends, *asks, *solver_depends(candidate.project, candidate.version, target)}
    depends = sorted(own.difference(replaced))
    record = replace(record, depends=tuple(depends), constrains=solver_constrains(candidate.project, names))
    return Offer(record=_encode(record, number=rank), origin=candidate, asks=asks)


def encode_extra(base: Offer, extra: str, asks: Mapping[str, Requirement]) -> Offer:
    """Offer an extra of the wheel `base`: a package that needs exactly that wheel, and what the extra adds."""
    name, version, build = key_of(base.record)
    package = PackageRecord(
        name=extra_name(CondaName(name), extra),
        version=version,
        build=BuildString(build),
        build_number=base.record.build_number,
        subdir=base.record.subdir,
        depends=sorted({f"{name} =={version} {build}", *asks}),
    )
    return Offer(record=_located(package), origin=base.origin, asks=asks, extra=extra)


def decode_wheel(
    candidate: WheelCandidate, extras: Collection[str], *, target: Target, names: NameTable, python: str | None
) -> Record:
    """Make the record of a chosen wheel, with what the given extras of it require."""
    file, metadata = candidate.file, candidate.metadata
    if file.sha256 is None:
        raise IntegrityError(f"`{file.filename}` was chosen without a sha256")
    wheel = Wheel(
        project=candidate.project,
        version=str(candidate.version),
        filename=file.filename,
        sha256=file.sha256,
        size=file.size,
        requires=locked_requires(metadata, target, extras, python),
    )
    identity = package_id(wheel, target=target, names=names)
    return Record(
        name=identity.name,
        version=identity.version,
        build=identity.build,
        build_number=0,
        subdir=target.platform,
        depends=without_extras(candidate.depends),
        constrains=wheel_constrains(candidate.project, names),
        origin=wheel,
    )


def decode_channel(record: RepoDataRecord) -> Record:
    """Make the record of a package that was chosen from a channel.

    Raises:
        IntegrityError: the channel gives no digests for it, so that it cannot be locked.
    """
    if record.sha256 is None or record.md5 is None:
        raise IntegrityError(
            f"the channel has no {'md5' if record.md5 is None else 'sha256'} for `{record.file_name}`",
            hint="locks need both: re-index the channel with a current tool",
        )
    name, version, build = key_of(record)
    return Record(
        name=CondaName(name),
        version=version,
        build=build,
        build_number=record.build_number,
        subdir=record.subdir,
        depends=tuple(record.depends),
        constrains=tuple(record.constrains),
        noarch=_noarch(record),
        origin=ChannelArchive(
            url=without_secrets(record.url), md5=record.md5.hex(), sha256=Sha256(record.sha256.hex()), size=record.size
        ),
    )


def virtual_packages(target: Target) -> list[GenericVirtualPackage]:
    """List what the target has."""
    found = []
    for name, text in sorted(target.virtual_packages().items()):
        version, build = virtual_package(name, text)
        found.append(GenericVirtualPackage(PackageName(name), Version(version), BuildString(build)))
    return found


def encode_virtual(target: Target) -> list[Offer]:
    """Show what the target has as if it were offered; the solver is told of it otherwise."""
    return [
        Offer(
            record=_located(
                PackageRecord(
                    name=package.name.normalized,
                    version=str(package.version),
                    build=package.build_string,
                    build_number=0,
                    subdir=target.platform,
                )
            ),
            origin=package,
        )
        for package in virtual_packages(target)
    ]


def _noarch(record: RepoDataRecord) -> str | None:
    if record.noarch.python:
        return "python"
    return "generic" if record.noarch.generic else None


def _encode(record: Record, *, number: int | None = None) -> RepoDataRecord:
    package = PackageRecord(
        name=record.name,
        version=record.version,
        build=BuildString(record.build),
        build_number=record.build_number if number is None else number,
        subdir=record.subdir,
        depends=list(record.depends),
        constrains=list(record.constrains),
    )
    return _located(package)


def _located(package: PackageRecord) -> RepoDataRecord:
    dist = f"{package.name.normalized}-{package.version}-{package.build}"
    url = f"{_NOWHERE}/{package.subdir}/{quote(dist)}.conda"
    return RepoDataRecord(package, file_name=f"{dist}.conda", url=url, channel=_NOWHERE)
