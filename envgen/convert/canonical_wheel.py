"""A wheel in its canonical form: the same bytes for the same files, whatever made the zip.

Backends write files in the order of the disk, with times and compressors of their own. Here they are sorted, stored
without compression, with one time and one of two modes, and RECORD is written again.
"""

from __future__ import annotations

import posixpath
import zipfile
from typing import TYPE_CHECKING

from msgspec import Struct
from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from envgen.convert.wheel_record import installed_entry, render_record
from envgen.convert.wheel_zip import inflate, read_members
from envgen.digest import Digest
from envgen.errors import ArtifactError
from envgen.names import project_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path
    from typing import BinaryIO

    from envgen.convert.wheel_zip import Member
    from envgen.digest import Sha256
    from envgen.names import ProjectName

_TIME = (1980, 1, 1, 0, 0, 0)
_UNIX = 3
_VERSION = 20
"""Of the zip format: what `zipfile` writes for stored files, fixed here."""

_ZIP64_FROM = 1 << 31
_FILE, _PROGRAM = 0o100644, 0o100755


class CanonicalWheel(Struct, frozen=True, kw_only=True):
    """What a wheel holds.

    Attributes:
        metadata: bytes of METADATA.
        digests: path -> sha256 of each file but RECORD.
    """

    metadata: bytes
    digests: Mapping[str, Sha256]


def write_canonical(wheel: Path, out: BinaryIO) -> CanonicalWheel:
    """Write a wheel again in its canonical form.

    Args:
        wheel: as a backend wrote it.
        out: seekable.

    Raises:
        ArtifactError: it is not a safe zip file, or has not one folder `*.dist-info` with METADATA.
    """
    with wheel.open("rb") as source:
        members = sorted(read_members(source, what=wheel.name), key=lambda member: member.name)
        record = _record_of(members, wheel.name)
        digests: dict[str, Sha256] = {}
        sizes: dict[str, int] = {}
        metadata = b""
        with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
            for member in members:
                if member.name in (record, f"{record}.jws", f"{record}.p7s"):
                    continue
                proof = Digest()
                content = proof.through(inflate(source.fileno(), member, what=wheel.name))
                with archive.open(_info(member), "w", force_zip64=member.size > _ZIP64_FROM) as target:
                    for piece in content:
                        target.write(piece)
                        metadata += piece if member.name == _metadata_path(record) else b""
                digests[member.name], sizes[member.name] = proof.sha256, proof.size
            entries = [installed_entry(path, digest, sizes[path]) for path, digest in digests.items()]
            archive.writestr(_named(record, _FILE), render_record([*entries, installed_entry(record, None, 0)]))
    if not metadata:
        raise ArtifactError(f"`{wheel.name}` does not contain `{_metadata_path(record)}`")
    return CanonicalWheel(metadata=metadata, digests=digests)


def metadata_of(wheel: Path) -> bytes:
    """Read METADATA of a wheel as a backend wrote it.

    Raises:
        ArtifactError: see `write_canonical`.
    """
    with wheel.open("rb") as source:
        members = {member.name: member for member in read_members(source, what=wheel.name)}
        path = _metadata_path(_record_of(members.values(), wheel.name))
        return b"".join(inflate(source.fileno(), members[path], what=wheel.name))


def check_built_name(filename: str, *, project: ProjectName, version: str | None = None) -> None:
    """Refuse a wheel of another project or version than it is taken for.

    Raises:
        ArtifactError: its name says so.
    """
    of = f"`{project}` {version or ''}".rstrip()
    try:
        name, said, _, _ = parse_wheel_filename(filename)
        is_its = project_name(name) == project and (version is None or said == Version(version))
    except (InvalidWheelFilename, InvalidVersion) as error:
        raise ArtifactError(f"expected a wheel of {of}, got `{filename}`: {error}") from error
    if not is_its:
        raise ArtifactError(f"expected a wheel of {of}, got `{filename}`")


def _record_of(members: Iterable[Member], what: str) -> str:
    folders = {posixpath.dirname(m.name) for m in members if posixpath.basename(m.name) == "METADATA"}
    found = [folder for folder in folders if folder.endswith(".dist-info") and "/" not in folder]
    if len(found) != 1:
        raise ArtifactError(f"`{what}` has {len(found)} dist-info folders with METADATA, expected one")
    return f"{found[0]}/RECORD"


def _metadata_path(record: str) -> str:
    return f"{posixpath.dirname(record)}/METADATA"


def _info(member: Member) -> zipfile.ZipInfo:
    info = _named(member.name, _PROGRAM if member.executable else _FILE)
    info.file_size = member.size
    return info


def _named(path: str, mode: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(path, date_time=_TIME)
    info.create_system, info.create_version, info.extract_version = _UNIX, _VERSION, _VERSION
    info.external_attr = mode << 16
    return info
