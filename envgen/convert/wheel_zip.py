"""A zip file read with suspicion: what its directory says is checked before a byte of it is used.

`zipfile` parses the central directory; everything after that is done here, because `zipfile` takes links, escaping
names and duplicates as they come, and inflates three times slower than isal.
"""

from __future__ import annotations

import os
import stat
import struct
import unicodedata
import zipfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, cast

from isal import igzip_lib, isal_zlib
from msgspec import Struct

from envgen.convert.zip_extra import ZIP64, other_names, zip64_sizes
from envgen.errors import ArtifactError
from envgen.paths import are_plain, folders_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from envgen.digest import Data

_READ = 1 << 18
"""Compressed bytes read at once; measured: 2.35 s for a 1 GB library, 2.9 s with a quarter of it."""

_INFLATED = 1 << 20
"""Bytes that one step of inflating may yield: memory stays flat in front of a bomb (DEFLATE reaches 1032:1)."""

_MAX_TOTAL = 32 << 30
_MAX_RATIO = 200
_RATIO_FLOOR = 64 << 20
"""Bounds of a whole wheel's content. The largest real one holds 2 GB at 3:1, the densest of a stack of 135 has 8:1."""

_MAX_NAME, _MAX_PATH = 255, 2048
"""Bytes: of one name, as Linux has it; of a path, half of what Linux has, since the prefix comes before it."""

_FORBIDDEN = frozenset(map(chr, range(32))) | {"\\", "\x7f"}
_LOCAL = struct.Struct("<4s5H3I2H")
_ENCRYPTED, _DEFERRED, _UTF8 = 0x1, 0x8, 0x800


class Member(Struct, frozen=True, kw_only=True):
    """One file of a zip.

    Attributes:
        name: as the directory has it: relative, with forward slashes and no `..`.
        size: bytes when inflated, as declared; reading proves it.
        packed: bytes in the zip.
        crc: declared CRC-32; reading proves it.
        deflated: whether it is compressed with DEFLATE; stored otherwise.
        start: offset of its data.
        executable: whether its Unix mode has an x bit.
    """

    name: str
    size: int
    packed: int
    crc: int
    deflated: bool
    start: int
    executable: bool


def read_members(archive: BinaryIO, *, what: str, fold_case: bool = True) -> tuple[Member, ...]:
    """Read the directory of a zip, and each member's own header, and refuse what is unsafe or contradicts itself.

    Args:
        archive: seekable, with a file descriptor.
        what: name of the file for messages.
        fold_case: whether names that differ by case or Unicode form only are one, as on macOS and Windows.

    Returns:
        The files, in the order of their data; folders are left out.

    Raises:
        ArtifactError: no zip, or one that must not be unpacked; names the member.
    """
    size = os.fstat(archive.fileno()).st_size
    infos = read_directory(open_zip(archive, what=what), what=what, size=size, fold_case=fold_case)
    with _refusals(what):
        return tuple(_members(archive.fileno(), infos, size, what))


def open_zip(archive: BinaryIO, *, what: str) -> zipfile.ZipFile:
    """Read the directory of a zip, whatever it says.

    Raises:
        ArtifactError: it is none.
    """
    try:
        return zipfile.ZipFile(archive)
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as e:
        raise ArtifactError(f"`{what}` is not a usable zip file: {e}") from e


def read_directory(archive: zipfile.ZipFile, *, what: str, size: int, fold_case: bool) -> list[zipfile.ZipInfo]:
    """List what the directory of a zip says, and refuse one that must not be unpacked.

    Args:
        archive: open.
        what: name of the file for messages.
        size: bytes of it.
        fold_case: see `read_members`.

    Returns:
        Files and folders, in the order of their data.

    Raises:
        ArtifactError: it is unsafe; names the member.
    """
    infos = archive.infolist()
    with _refusals(what):
        are_usual = _have_plain_names(infos)
        for info in infos:
            if not are_usual:
                _check_name(info)
            _check_kind(info)
        _check_unique([info.filename for info in infos], fold_case=fold_case)
        _check_bomb(infos, packed=size)
    return sorted(infos, key=lambda info: info.header_offset)


def check_unique(names: Iterable[str], *, what: str, fold_case: bool) -> None:
    """Refuse two names that are one file where a zip is unpacked.

    Args:
        names: of files, and of folders with a slash at the end.
        what: name of the zip for messages.
        fold_case: see `read_members`.

    Raises:
        ArtifactError: names both.
    """
    with _refusals(what):
        _check_unique(names, fold_case=fold_case)


def inflate(
    descriptor: int,
    member: Member,
    *,
    what: str,
    advance: Callable[[int], None] | None = None,
) -> Iterator[bytes]:
    """Yield the content of a member, a few MB at most at a time; safe in several threads on one descriptor.

    Args:
        descriptor: of the zip file.
        member: from `read_members`.
        what: name of the zip file for messages.
        advance: told how many bytes of the zip were read.

    Raises:
        ArtifactError: the data end early, are no DEFLATE stream, or have another size or CRC than declared.
    """
    return inflate_pieces(_read(descriptor, member, advance), member, what=what)


def inflate_pieces(data: Iterable[Data], member: Member, *, what: str) -> Iterator[bytes]:
    """Yield the content of a member, given its data as they stand in the zip; see `inflate`.

    Args:
        data: in pieces, from their beginning to their end.
        member: which.
        what: name of the zip file for messages.

    Raises:
        ArtifactError: as `inflate` says.
    """
    with _refusals(what):
        try:
            yield from _proven(member, _inflated(member, data) if member.deflated else map(bytes, data))
        except _InflateError as e:
            raise _Refusal(member.name, f"failed to inflate: {e}") from e


def packed_data(descriptor: int, member: Member, *, what: str) -> Iterator[bytes]:
    """Yield the data of a member as they stand in the zip, unseen: the caller knows the zip by its digest.

    Raises:
        ArtifactError: the data end early.
    """
    with _refusals(what):
        yield from _read(descriptor, member, None)


_InflateError = cast("type[Exception]", igzip_lib.error)  # isal's stub calls it an instance


class _Refusal(Exception):  # noqa: N818 - a signal inside this module, turned into an ArtifactError at its border
    def __init__(self, name: str, why: str) -> None:
        super().__init__(why)
        self.name = name
        self.why = why


@contextmanager
def _refusals(what: str) -> Iterator[None]:
    try:
        yield
    except _Refusal as e:
        raise ArtifactError(f"`{e.name}` in `{what}`: {e.why}") from None


def _have_plain_names(infos: Sequence[zipfile.ZipInfo]) -> bool:
    """Return whether no name needs to be looked at alone: those of nearly all wheels do not."""
    plain = are_plain([info.orig_filename.removesuffix("/") for info in infos])
    return plain and not any(info.extra or info.filename != info.orig_filename for info in infos)


def _check_name(info: zipfile.ZipInfo) -> None:
    name = info.orig_filename  # before zipfile cut it at a NUL
    parts = name.removesuffix("/").split("/")
    if name.startswith("/") or parts[0][1:2] == ":":
        raise _Refusal(name, "is an absolute path")
    if not {"", ".", ".."}.isdisjoint(parts):
        raise _Refusal(name, "has an empty, `.` or `..` part")
    if len(name.encode()) > _MAX_PATH or max(len(part.encode()) for part in parts) > _MAX_NAME:
        raise _Refusal(f"{name[:50]}...", "has a name too long for a file system")
    if not _FORBIDDEN.isdisjoint(name):
        raise _Refusal(repr(name)[1:-1], "has a backslash or a control character")
    for other in (info.filename, *other_names(info.extra)):
        if other != name:
            raise _Refusal(name, f"has two different names, the other is {other!r}")


def _check_kind(info: zipfile.ZipInfo) -> None:
    name, kind = info.orig_filename, stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise _Refusal(name, "is a link, device or pipe" if kind != stat.S_IFLNK else "is a symbolic link")
    if (kind == stat.S_IFDIR and not info.is_dir()) or (info.is_dir() and info.file_size):
        raise _Refusal(name, "is both a folder and a file")
    if info.flag_bits & _ENCRYPTED:
        raise _Refusal(name, "is encrypted")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise _Refusal(name, f"is compressed with method {info.compress_type}, expected stored or deflated")


def _check_unique(names: Iterable[str], *, fold_case: bool) -> None:
    """Refuse two members with the same path on file systems that ignore case or Unicode form."""
    files: dict[str, str] = {}
    folders: dict[str, str] = {}
    for name in names:
        plain = name.removesuffix("/")
        key = unicodedata.normalize("NFC", plain).casefold() if fold_case else plain
        seen = folders if name.endswith("/") else files
        if key in seen:
            raise _Refusal(name, f"is a duplicate of `{seen[key]}`")
        seen[key] = name
    if clash := files.keys() & (folders.keys() | folders_of(files).keys()):
        raise _Refusal(files[min(clash)], "is both a folder and a file")


def _check_bomb(infos: Iterable[zipfile.ZipInfo], *, packed: int) -> None:
    limit = min(_MAX_TOTAL, max(_RATIO_FLOOR, packed * _MAX_RATIO))
    total = 0
    for info in infos:
        total += info.file_size
        if total > limit:
            raise _Refusal(info.filename, f"raises the total size to {total} bytes, more than the limit of {limit}")


def _members(descriptor: int, infos: Iterable[zipfile.ZipInfo], size: int, what: str) -> Iterator[Member]:
    end = 0
    for info in infos:
        if info.header_offset < end:
            raise _Refusal(info.filename, "overlaps the member before it")
        start = _data_start(descriptor, info, what)
        end = start + info.compress_size
        if end > size:
            raise _Refusal(info.filename, "is truncated")
        if not info.is_dir():
            yield member_of(info, start=start)


def member_of(info: zipfile.ZipInfo, *, start: int) -> Member:
    """Describe a file of a zip whose data begin at `start`."""
    return Member(
        name=info.filename,
        size=info.file_size,
        packed=info.compress_size,
        crc=info.CRC,
        deflated=info.compress_type == zipfile.ZIP_DEFLATED and info.compress_size > 0,
        start=start,
        executable=bool(info.external_attr >> 16 & 0o111),
    )


def _data_start(descriptor: int, info: zipfile.ZipInfo, what: str) -> int:
    """Check a member's local header against the directory and return where its data begin."""
    position = info.header_offset

    def read(size: int) -> bytes:
        nonlocal position
        position += len(data := os.pread(descriptor, size, position))
        return data

    check_local_header(read, info, what=what)
    return position


def check_local_header(read: Callable[[int], bytes], info: zipfile.ZipInfo, *, what: str) -> None:
    """Read a member's local header, and refuse one that differs from the central directory.

    Args:
        read: returns the next bytes of the zip, fewer at its end; `info.header_offset` is where it begins.
        info: what the directory says.
        what: name of the zip file for messages.

    Raises:
        ArtifactError: there is none, or it says something else.
    """
    head = read(_LOCAL.size)
    if len(head) < _LOCAL.size or not head.startswith(b"PK\x03\x04"):
        raise ArtifactError(
            f"`{info.filename}` in `{what}`: has no local header at the offset in the central directory"
        )
    _, _, flags, method, _, _, crc, packed, size, name_len, extra_len = _LOCAL.unpack(head)
    rest = read(name_len + extra_len)
    raw = rest[:name_len]  # ASCII is the same in both, and decoded faster as UTF-8
    name = raw.decode("utf-8" if flags & _UTF8 or raw.isascii() else "cp437", "replace")
    if flags & _DEFERRED:  # sizes and CRC follow the data; the header may have zeros
        pairs = ((crc, info.CRC), (packed, info.compress_size), (size, info.file_size))
        agrees = all(here in (0, there, ZIP64) for here, there in pairs)
    else:
        packed, size = zip64_sizes(rest[name_len:], packed, size)
        agrees = (crc, packed, size) == (info.CRC, info.compress_size, info.file_size)
    if not agrees or (name, method) != (info.orig_filename, info.compress_type) or flags & _ENCRYPTED:
        raise ArtifactError(
            f"`{info.filename}` in `{what}`: has a local header that differs from the central directory"
        )


def _proven(member: Member, content: Iterable[bytes]) -> Iterator[bytes]:
    crc = total = 0
    for data in content:
        total += len(data)
        if total > member.size:
            raise _Refusal(member.name, f"has more than the {member.size} bytes that it declares")
        crc = isal_zlib.crc32(data, crc)
        yield data
    if total != member.size:
        raise _Refusal(member.name, f"has {total} bytes, expected {member.size}")
    if crc != member.crc:
        raise _Refusal(member.name, f"has CRC {crc:08x}, expected {member.crc:08x}")


def _read(descriptor: int, member: Member, advance: Callable[[int], None] | None) -> Iterator[bytes]:
    position, left = member.start, member.packed
    while left:
        data = os.pread(descriptor, min(_READ, left), position)
        if not data:
            raise _Refusal(member.name, "is truncated")
        position, left = position + len(data), left - len(data)
        yield data
        if advance:
            advance(len(data))


def _inflated(member: Member, packed: Iterable[Data]) -> Iterator[bytes]:
    stream = igzip_lib.IgzipDecompressor(igzip_lib.DECOMP_DEFLATE)
    left = member.size

    def inflate_some(data: Data) -> bytes:
        # the buffer has this size from the beginning; one byte more shows a member that is too long
        nonlocal left
        piece = stream.decompress(data, min(left, _INFLATED - 1) + 1)
        left -= len(piece)
        return piece

    for data in packed:
        if stream.eof:
            break
        yield inflate_some(data)
        while not (stream.needs_input or stream.eof):
            yield inflate_some(b"")
    else:
        while not stream.eof and (rest := inflate_some(b"")):
            yield rest
        if stream.eof and not stream.unused_data:
            return
    raise _Refusal(member.name, "has a DEFLATE stream that does not end where its data ends")
