"""Verify a layer of an image: it matches its descriptor, and every runtime unpacks it to the same files."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import zstandard
from msgspec import Struct, field

from envgen.oci.layer_tar import LayerMember, Unpacked, read_members

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from envgen.digest import Sha256

_KNOWN_HEADERS = frozenset({"path", "linkpath", "size"})
"""What PAX headers may say: names and sizes that ustar cannot; times and extended attributes differ by machine."""

_UNREADABLE = (OSError, ValueError, EOFError, zlib.error, zstandard.ZstdError)


class Tree(Struct, kw_only=True):
    """What the layers of one image hold, lowest first.

    Attributes:
        folders: path -> mode, owner and group.
        others: path of a file or link -> layer it is in.
        times: every modification time.
    """

    folders: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    others: dict[str, str] = field(default_factory=dict)
    times: set[int] = field(default_factory=set)


class ReadLayer(Struct, frozen=True, kw_only=True):
    """What reading a layer to its end showed.

    Attributes:
        digest: of the blob.
        size: bytes of the blob.
        diff_id: digest of the tar without compression, as far as it could be read.
        unpacked: bytes of that.
        members: its entries, in their order.
        fault: what is wrong with the tar, in words, or None.
        is_whole: whether it could be read to its end.
    """

    digest: Sha256
    size: int
    diff_id: Sha256
    unpacked: int
    members: tuple[LayerMember, ...]
    fault: str | None
    is_whole: bool


def read_layer(blob: Path, media_type: str, *, contents: bool, advance: Callable[[int], object]) -> ReadLayer:
    """Read a layer to its end, once. Memory stays at a few MB beside the list of entries.

    Args:
        blob: the file.
        media_type: as the manifest has it.
        contents: whether to digest each file.
        advance: told the bytes of the blob that were read.

    Raises:
        OSError: the blob cannot be opened.
    """
    members: list[LayerMember] = []
    fault, is_whole = None, False
    with blob.open("rb", buffering=0) as raw:
        tar = Unpacked(raw, advance)
        try:
            tar.unpack(media_type)
            members.extend(read_members(tar, contents=contents))
            fault = "data after the end of the tar archive" if tar.rest() else None
            is_whole = True
        except _UNREADABLE as error:
            fault = f"failed to read: {error}"
        tar.drain()
    return ReadLayer(
        digest=tar.packed.sha256,
        size=tar.packed.size,
        diff_id=tar.plain.sha256,
        unpacked=tar.plain.size,
        members=tuple(members),
        fault=fault,
        is_whole=is_whole,
    )


def stack(layer: ReadLayer, tree: Tree, *, name: str) -> Iterator[str]:
    """Apply a layer to those below, and yield the faults of its entries.

    Args:
        layer: read.
        tree: of the layers below; its entries are added.
        name: of the layer, for messages.
    """
    seen: set[str] = set()
    for member in layer.members:
        yield from (f"`{member.name}`: {fault}" for fault in _faults(member, seen, tree))
        _add(member, name, tree)
        seen.add(member.name)


def _faults(member: LayerMember, seen: set[str], tree: Tree) -> Iterator[str]:
    name = member.name
    parts = name.split("/")
    if name.startswith("/") or not {"", ".", ".."}.isdisjoint(parts):
        yield "not a relative path without `..`"
    if any(part.startswith(".wh.") for part in parts):
        yield "is a whiteout, which removes a file of a lower layer"
    if name in seen:
        yield "duplicate entry"
    if member.kind not in {"file", "link", "folder"}:
        yield "not a regular file, symbolic link or directory"
    if any(member.names):
        yield f"owner names {member.names[0]!r}, {member.names[1]!r}, expected none"
    if unknown := member.extended.keys() - _KNOWN_HEADERS:
        yield f"unexpected PAX headers {', '.join(sorted(unknown))}"
    if (folder := name.rpartition("/")[0]) and folder not in seen:
        yield "precedes the entry of its directory"
    yield from _against_lower(member, tree)


def _against_lower(member: LayerMember, tree: Tree) -> Iterator[str]:
    name = member.name
    if member.kind == "folder":
        if name in tree.others:
            yield f"a directory here, a file in {tree.others[name]}"
        metadata = (member.mode, member.uid, member.gid)
        if tree.folders.get(name, metadata) != metadata:
            yield "different owner or permissions in a lower layer"
    elif name in tree.folders:
        yield "a directory in a lower layer"
    elif name in tree.others:
        yield f"also in {tree.others[name]}"


def _add(member: LayerMember, layer: str, tree: Tree) -> None:
    tree.times.add(member.mtime)
    if member.kind == "folder":
        tree.folders[member.name] = (member.mode, member.uid, member.gid)
    else:
        tree.others.setdefault(member.name, layer)
