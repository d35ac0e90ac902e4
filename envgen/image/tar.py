"""Headers of a layer's tar: a pure function of the entries, whatever machine writes them.

Format: ustar, with PAX headers for names and sizes that do not fit (POSIX.1-2001), by `tarfile`.
"""

from __future__ import annotations

import tarfile
from typing import TYPE_CHECKING
from zlib import adler32

from envgen.errors import EnvgenError
from envgen.image.entries import Directory, Entry, File, Link
from envgen.oci.tar_blocks import MTIME, padding
from envgen.paths import folders_of
from envgen.whiteout import is_whiteout

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_LINK_MODE = 0o777

_NAME = 100
_SIZE = 8**11
_ID = 8**7
"""Bytes of a name, and bounds of the octal numbers that a header has room for."""

_BLOCK = b"%b%07o\0%07o\0%07o\0%011o\0%011o\0        %b%b"
"""Name, mode, owner, group, size, time, room for the checksum, the type, and what is the same in all files."""

_REST = tarfile.TarInfo().tobuf(tarfile.PAX_FORMAT)[157:]
"""What follows the type: no link, the magic, no names of owner and group."""


def arrange(entries: Iterable[Entry], special: Mapping[str, Directory]) -> list[Entry]:
    """Sort the entries of a layer, and put every folder above them in, once.

    Args:
        entries: in any order.
        special: folders of the whole image that are not 0755 and root's: path -> folder. A folder has the same
            metadata in every layer, since an upper layer's replace a lower one's.

    Raises:
        EnvgenError: a path is there twice, is a folder and something else, or means a removal.
    """
    found: dict[str, Entry] = {}
    for entry in entries:
        if entry.path in found:
            raise EnvgenError(f"duplicate path `{entry.path}` in a layer")
        if is_whiteout(entry.path):  # empty folders too, which the plan of layers does not know
            raise EnvgenError(f"`{entry.path}` would remove a file of a lower layer")
        found[entry.path] = entry
    for above in folders_of(found):
        folder = found.setdefault(above, special.get(above) or Directory(path=above))
        if not isinstance(folder, Directory):
            raise EnvgenError(f"`{above}` is both a directory and a file in a layer")
    return sorted(found.values(), key=lambda entry: entry.path)


def header(entry: Entry) -> bytes:
    """Write the header blocks of an entry: those of most files here, for tarfile takes many times as long."""
    if isinstance(entry, File) and entry.path.isascii():
        size, uid, gid = entry.source.size, entry.uid, entry.gid
        if size < _SIZE and max(uid, gid) < _ID:
            name = entry.path.encode()
            longer = _long_name(name) if len(name) > _NAME else b""
            return longer + _block(name[:_NAME], b"0", (entry.mode, uid, gid, size, MTIME))
    return by_tarfile(entry)


def _long_name(name: bytes) -> bytes:
    """Write the PAX header that goes before the header of a file with a long name."""
    rest = len(name) + len(b" path=\n")
    length = rest + len(str(rest))
    length = rest + len(str(length))  # counts its own digits
    record = b"%d path=%b\n" % (length, name)
    return _block(b"././@PaxHeader", b"x", (0, 0, 0, length, 0)) + record + padding(length)


def _block(name: bytes, kind: bytes, numbers: tuple[int, int, int, int, int]) -> bytes:
    raw = _BLOCK % (name.ljust(_NAME, b"\0"), *numbers, kind, _REST)
    total = adler32(raw, 0) & 0xFFFF  # the sum of the bytes, since 512 of ASCII, most of them zeros, are below 65521
    return b"%b%06o\0 %b" % (raw[:148], total, raw[156:])


def by_tarfile(entry: Entry) -> bytes:
    """Write the header blocks of any entry."""
    info = tarfile.TarInfo(entry.path)
    info.mtime = MTIME
    match entry:
        case File():
            info.size, info.mode, info.uid, info.gid = entry.source.size, entry.mode, entry.uid, entry.gid
        case Link():
            info.type, info.mode, info.linkname = tarfile.SYMTYPE, _LINK_MODE, entry.target
        case Directory():
            info.type, info.mode, info.uid, info.gid = tarfile.DIRTYPE, entry.mode, entry.uid, entry.gid
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "strict")
