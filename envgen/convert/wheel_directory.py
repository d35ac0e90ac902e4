"""What a wheel's zip directory and the small files of its dist-info say: all that is known without its content.

It stands at the end of the file, so a few ranges of it tell where every file will go, long before the wheel is
downloaded. `pack` and `unpack` keep it by the wheel's digest.
"""

from __future__ import annotations

import lzma
import struct
import zipfile
import zlib
from typing import TYPE_CHECKING

import msgspec
from isal import isal_zlib
from msgspec import Struct

from envgen.convert.wheel_zip import open_zip, read_directory
from envgen.errors import ArtifactError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import BinaryIO

_FORMAT = 1

_INFO = ("METADATA", "RECORD", "WHEEL", "entry_points.txt")
"""Files of dist-info that say what the wheel is and where its files go."""

_LARGEST = 64 << 20
"""Bytes of such a file beyond which a wheel is refused; the largest real one, torch's RECORD, has 1.5 MB."""

_DAMAGED = (zlib.error, lzma.LZMAError, struct.error, EOFError, RuntimeError, ValueError, zipfile.BadZipFile)
"""What `zipfile` raises for damaged members."""


class ListedFile(Struct, frozen=True, array_like=True):
    """One file of a wheel, as the zip directory says; reading its data proves it.

    Attributes:
        name: relative, with forward slashes.
        size: bytes when inflated.
        packed: bytes in the zip.
        crc: CRC-32.
        method: 0 for stored, 8 for DEFLATE.
        offset: where its local header begins.
        executable: whether its Unix mode has an x bit.
    """

    name: str
    size: int
    packed: int
    crc: int
    method: int
    offset: int
    executable: bool


_Packed = tuple[int, tuple[ListedFile, ...], dict[str, str]]
"""What `WheelDirectory.pack` condenses: format, files, info."""


class WheelDirectory(Struct, frozen=True, kw_only=True):
    """The directory of a wheel.

    Attributes:
        files: in the order of their data; folders are left out.
        info: name of a member -> content, for METADATA, RECORD, WHEEL and `entry_points.txt` as far as they are there.
    """

    files: tuple[ListedFile, ...]
    info: Mapping[str, bytes]

    @property
    def sizes(self) -> dict[str, int]:
        """File -> size."""
        return {file.name: file.size for file in self.files}

    def pack(self) -> bytes:
        """Return it condensed."""
        info = {name: content.decode("latin-1") for name, content in self.info.items()}
        return isal_zlib.compress(msgspec.json.encode([_FORMAT, self.files, info]), 1)

    @classmethod
    def unpack(cls, raw: bytes) -> WheelDirectory | None:
        """Read what `pack` returned; None where another version of envgen did."""
        document = isal_zlib.decompress(raw)
        if not document.startswith(b"[%d," % _FORMAT):
            return None
        _format, files, info = msgspec.json.decode(document, type=_Packed)
        return cls(files=files, info={name: content.encode("latin-1") for name, content in info.items()})


def read_wheel_directory(stream: BinaryIO, *, what: str, size: int) -> WheelDirectory:
    """Read the directory of a wheel.

    Args:
        stream: the wheel, seekable; little more than its end is read.
        what: name of the wheel for messages.
        size: bytes of it.

    Raises:
        ArtifactError: it is not a zip, or one that must not be unpacked; names the member.
    """
    archive = open_zip(stream, what=what)
    infos = read_directory(archive, what=what, size=size, fold_case=False)
    files = tuple(_listed(info) for info in infos if not info.is_dir())
    return WheelDirectory(files=files, info=read_info(archive, infos, what=what))


def read_info(archive: zipfile.ZipFile, infos: Iterable[zipfile.ZipInfo], *, what: str) -> dict[str, bytes]:
    """Read the small files of dist-info that say what a wheel is: name of the member -> content.

    Raises:
        ArtifactError: one is too large, or damaged.
    """
    return {info.filename: _read(archive, info, what) for info in infos if _tells(info)}


def _listed(info: zipfile.ZipInfo) -> ListedFile:
    return ListedFile(
        info.filename,
        info.file_size,
        info.compress_size,
        info.CRC,
        info.compress_type,
        info.header_offset,
        bool(info.external_attr >> 16 & 0o111),
    )


def _tells(info: zipfile.ZipInfo) -> bool:
    folder, slash, name = info.filename.partition("/")
    return bool(slash) and folder.endswith(".dist-info") and name in _INFO


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo, what: str) -> bytes:
    if info.file_size > _LARGEST:
        raise ArtifactError(f"`{info.filename}` in `{what}` has {info.file_size} bytes, expected at most {_LARGEST}")
    try:
        return archive.read(info)
    except _DAMAGED as error:
        raise ArtifactError(f"failed to read `{info.filename}` in `{what}`: {error}") from error
