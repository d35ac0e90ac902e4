"""Verify a layer of an image: it matches its descriptor, and every runtime unpacks it to the same files."""

from __future__ import annotations

import tarfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO, cast

import zstandard
from isal import igzip

from envgen.digest import Digest, Sha256

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    See = Callable[[tarfile.TarInfo, str | None], object]

_LAYER = "application/vnd.oci.image.layer.v1.tar"
_READ = 1 << 20
_KNOWN_HEADERS = frozenset({"path", "linkpath", "size"})
"""What PAX headers may say: names and sizes that ustar cannot; times and extended attributes differ by machine."""


@dataclass(slots=True, kw_only=True)
class Tree:
    """What the layers of one image hold, lowest first.

    Attributes:
        folders: path -> mode, owner and group.
        others: path of a file or link -> layer it is in.
        times: every modification time.
        faults: what is wrong, in words.
    """

    folders: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    others: dict[str, str] = field(default_factory=dict)
    times: set[float] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What reading a layer to its end showed: digest and size of the tar without compression."""

    diff_id: str
    unpacked: int


def read_layer(blob: Path, media_type: str, *, name: str, tree: Tree, see: See | None = None) -> Read:
    """Read a layer to its end, and add its entries to the tree.

    Args:
        blob: the file.
        media_type: as the manifest has it.
        name: of the layer for messages.
        tree: of the layers below; faults go there.
        see: told each entry, with the sha256 of a file.

    Raises:
        ValueError, EOFError, tarfile.TarError, zlib.error, zstandard.ZstdError: it cannot be read.
    """
    with blob.open("rb") as raw:
        reader = _Reader(_decompressed(raw, media_type))
        seen: set[str] = set()
        with tarfile.open(fileobj=cast("BinaryIO", reader), mode="r|") as archive:
            for member in archive:
                tree.faults.extend(f"{name}: `{member.name}`: {fault}" for fault in _faults(member, seen, tree))
                _add(member, name, tree)
                if see:
                    see(member, _content(archive, member))
                seen.add(member.name)
        while rest := reader.read(_READ):
            if rest.strip(b"\0"):
                tree.faults.append(f"{name}: data after the end of the tar archive")
    return Read(diff_id=reader.digest.sha256, unpacked=reader.digest.size)


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> str | None:
    """Digest the content of an entry; None of what is not a file."""
    stream = archive.extractfile(member) if member.isreg() else None
    return Sha256.of_stream(cast("BinaryIO", stream)) if stream else None


class _Reader:
    """A stream that is digested as it is read."""

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self._read = read
        self.digest = Digest()

    def read(self, size: int) -> bytes:
        data = self._read(size)
        self.digest.update(data)
        return data


def _decompressed(raw: BinaryIO, media_type: str) -> Callable[[int], bytes]:
    if media_type == _LAYER:
        return raw.read
    if media_type == f"{_LAYER}+gzip":
        unpacked = igzip.IGzipFile(fileobj=raw, mode="rb")  # type: ignore[no-untyped-call]  # as isal's stub has it
        return cast("Callable[[int], bytes]", unpacked.read)
    if media_type == f"{_LAYER}+zstd":
        return zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True).read
    raise ValueError(f"unknown media type {media_type!r}")


def _faults(member: tarfile.TarInfo, seen: set[str], tree: Tree) -> Iterator[str]:
    name = member.name
    if name.startswith("/") or not {"", ".", ".."}.isdisjoint(name.split("/")):
        yield "not a relative path without `..`"
    if any(part.startswith(".wh.") for part in name.split("/")):
        yield "is a whiteout, which removes a file of a lower layer"
    if name in seen:
        yield "duplicate entry"
    if not (member.isreg() or member.issym() or member.isdir()):
        yield "not a regular file, symbolic link or directory"
    if member.uname or member.gname:
        yield f"owner names {member.uname!r}, {member.gname!r}, expected none"
    if unknown := member.pax_headers.keys() - _KNOWN_HEADERS:
        yield f"unexpected PAX headers {', '.join(sorted(unknown))}"
    if (folder := name.rpartition("/")[0]) and folder not in seen:
        yield "precedes the entry of its directory"
    yield from _against_lower(member, tree)


def _against_lower(member: tarfile.TarInfo, tree: Tree) -> Iterator[str]:
    name = member.name
    if member.isdir():
        if name in tree.others:
            yield f"a directory here, a file in {tree.others[name]}"
        metadata = (member.mode, member.uid, member.gid)
        if tree.folders.get(name, metadata) != metadata:
            yield "different owner or permissions in a lower layer"
    elif name in tree.folders:
        yield "a directory in a lower layer"
    elif name in tree.others:
        yield f"also in {tree.others[name]}"


def _add(member: tarfile.TarInfo, layer: str, tree: Tree) -> None:
    tree.times.add(member.mtime)
    if member.isdir():
        tree.folders[member.name] = (member.mode, member.uid, member.gid)
    else:
        tree.others.setdefault(member.name, layer)
