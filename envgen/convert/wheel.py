"""A wheel becomes an extracted conda package: a pure function of (wheel bytes, converter version, target, names).

One pass over the file, and nothing is held in memory but the wheel's metadata.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from installer.utils import parse_metadata_file
from msgspec import Struct, field
from packaging.specifiers import SpecifierSet
from packaging.utils import parse_wheel_filename

from envgen.convert.package import record_of, seal
from envgen.convert.stand_in import write_stand_ins
from envgen.convert.wheel_key import CONVERTER_VERSION
from envgen.convert.wheel_unpack import open_wheel, unpack
from envgen.errors import ArtifactError, UserError
from envgen.manifest.adjust import Adjustments, adjusted
from envgen.metadata import locked_requires, parse_metadata
from envgen.platforms import Platform
from envgen.versions import InexpressibleError
from envgen.wheels import is_version_of_file, package_id, wheel_constrains, wheel_depends

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from pathlib import Path

    from envgen.convert.wheel_unpack import OpenWheel
    from envgen.metadata import WheelMetadata
    from envgen.names import NameTable, ProjectName
    from envgen.packages import Wheel
    from envgen.platforms import Target
    from envgen.records import Record


def convert(
    wheel_file: Path,
    wheel: Wheel,
    terms: ConversionTerms,
    *,
    dest: Path,
    extras: Collection[str] = (),
    trusted: bool = False,
    advance: Callable[[int], None] | None = None,
) -> Record:
    """Write a wheel as an extracted conda package.

    Args:
        wheel_file: the wheel, its sha256 proved by the caller.
        wheel: what the lock says of it.
        terms: of the environment.
        dest: an empty directory.
        extras: the extras that `wheel.requires` was locked with.
        trusted: take the wheel whatever its RECORD says.
        advance: told the bytes of the wheel that were read.

    Raises:
        ArtifactError: the wheel is unsafe, contradicts itself, or is not what the lock says; names the member.
        UserError: the platform is Windows, where entry points need launchers.
    """
    target = terms.target
    if target.platform is Platform.WIN_64:
        raise UserError(f"`{wheel.filename}` cannot be installed for {target.platform}: wheels need a Unix prefix")
    with wheel_file.open("rb") as archive:
        opened = open_wheel(archive, wheel, python=target.python, fold_case=not target.platform.is_linux)
        return convert_opened(opened, wheel, terms, dest=dest, extras=extras, trusted=trusted, advance=advance)


def convert_opened(
    opened: OpenWheel,
    wheel: Wheel,
    terms: ConversionTerms,
    *,
    dest: Path,
    extras: Collection[str] = (),
    trusted: bool = False,
    advance: Callable[[int], None] | None = None,
) -> Record:
    """Write an opened wheel as an extracted conda package; see `convert`.

    Raises:
        ArtifactError: as `convert` says.
        IntegrityError: as the wheel's `finish` says.
    """
    check_format(opened.require_info("WHEEL"), what=opened.what)
    metadata, index = describe(opened.require_info("METADATA"), wheel, terms, extras=extras)
    written = unpack(opened, dest, trusted=trusted, advance=advance)
    stand_ins = write_stand_ins(dest, wheel, python=terms.target.python)
    seal(
        dest,
        index=index,
        placeholders={f.path: "text" for f in written if f.relocated},
        about=about_wheel(wheel, metadata),
        digests={f.path: (f.sha256, f.size) for f in written} | stand_ins,
        licenses=_licenses(opened, dest),
    )
    return record_of(dest, wheel)


class ConversionTerms(Struct, frozen=True, kw_only=True):
    """What an environment makes of METADATA.

    Attributes:
        target: gives the platform and Python's minor version.
        names: decides on names of packages.
        python_full: full version of Python that markers were evaluated for, where it is known.
        adjustments: those of the lock.
    """

    target: Target
    names: NameTable
    python_full: str | None = None
    adjustments: Adjustments = field(default_factory=Adjustments)


def describe(
    raw: bytes, wheel: Wheel, terms: ConversionTerms, *, extras: Collection[str]
) -> tuple[WheelMetadata, dict[str, Any]]:
    """Return what METADATA says, adjusted, and the fields of `info/index.json`.

    Args:
        raw: METADATA.
        wheel: what the lock says of the wheel.
        terms: of the environment.
        extras: the extras that `wheel.requires` was locked with.

    Raises:
        ArtifactError: METADATA differs from what is locked, or conda cannot express it.
    """
    target, python_full = terms.target, terms.python_full
    metadata = adjusted(parse_metadata(raw), terms.adjustments)
    try:
        _check_metadata(wheel, metadata, locked_requires(metadata, target, extras, python_full))
        return metadata, _index(wheel, metadata, target, terms.names, python_full)
    except InexpressibleError as e:
        raise ArtifactError(f"failed to convert `{wheel.filename}` to a conda package: {e}") from e


def check_format(raw: bytes, *, what: str) -> None:
    """Refuse a major version of the wheel format that is not known, as its specification asks.

    Args:
        raw: content of WHEEL.
        what: name of the wheel for messages.

    Raises:
        ArtifactError: it is not 1.
    """
    version = str(parse_metadata_file(raw.decode("utf-8", "replace")).get("Wheel-Version", ""))
    if version.partition(".")[0].strip() != "1":
        raise ArtifactError(f"`{what}` has Wheel-Version {version!r}, expected 1.x")


def _check_metadata(wheel: Wheel, metadata: WheelMetadata, found: Mapping[ProjectName, str]) -> None:
    """Compare METADATA with what was locked, which may have come from a file beside the wheel."""
    if metadata.name != wheel.project or not is_version_of_file(str(metadata.version), wheel.version):
        raise ArtifactError(
            f"METADATA of `{wheel.filename}` says {metadata.name} {metadata.version}, "
            f"expected {wheel.project} {wheel.version}"
        )
    faults = [
        f"`{name}` is {_demand(found.get(name))}, the lock has {_demand(wheel.requires.get(name))}"
        for name in sorted(found.keys() | wheel.requires.keys())
        if _specifiers(found.get(name)) != _specifiers(wheel.requires.get(name))
    ]
    if faults:
        raise ArtifactError(
            f"METADATA of `{wheel.filename}` differs from the lock: {'; '.join(faults)}",
            hint="run `envgen lock` to read it again; if that changes nothing, the index serves wrong metadata",
        )


def _specifiers(text: str | None) -> SpecifierSet | None:
    return None if text is None else SpecifierSet(text)


def _demand(text: str | None) -> str:
    return "not required" if text is None else f"required as `{text or 'any version'}`"


def _index(
    wheel: Wheel, metadata: WheelMetadata, target: Target, names: NameTable, python_full: str | None
) -> dict[str, Any]:
    package = package_id(wheel, target=target, names=names)
    tags = parse_wheel_filename(wheel.filename)[3]
    depends = wheel_depends(metadata, wheel_tags=tags, target=target, names=names, python_full=python_full)
    fields = {
        "name": package.name,
        "version": package.version,
        "build": package.build,
        "build_number": 0,
        "subdir": target.platform,
        "platform": target.platform.partition("-")[0],
        "arch": target.platform.machine,
        "depends": depends,
        "constrains": wheel_constrains(wheel.project, names),
        "purls": [f"pkg:pypi/{wheel.project}@{quote(wheel.version, safe='')}"],
    }
    return fields | ({"license": metadata.license} if metadata.license else {})


def about_wheel(wheel: Wheel, metadata: WheelMetadata) -> dict[str, Any]:
    """Return the fields of `info/about.json`: where the package comes from (CEP 31 leaves `extra` to the builder)."""
    made_from = {"filename": wheel.filename, "sha256": wheel.sha256, "converter": CONVERTER_VERSION}
    fields: dict[str, Any] = {"extra": {"wheel": made_from}}
    return fields | ({"license": metadata.license} if metadata.license else {})


def _licenses(opened: OpenWheel, dest: Path) -> dict[str, Path]:
    names = opened.layout.license_names(opened.members)
    return {name: dest / path for member, name in names.items() if (path := opened.layout.place(member))}
