"""The Nix archive format (NAR), the hash that Nix calls a tree by, and the path that follows from it.

Formats: https://nix.dev/manual/nix/latest/protocols/nix-archive.html and `store-path.html` beside it. A NAR holds
names, contents, targets of links and whether a file is executable; no other modes, no times and no owners.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from msgspec import Struct

from envgen.digest import Sha256
from envgen.errors import EnvgenError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Write = Callable[[bytes], object]

_DIGITS = "0123456789abcdfghijklmnpqrsvwxyz"
"""Of Nix's base 32: without e, o, t and u."""

_PATH_BYTES = 20
"""To which the digest in a store path is folded."""


class NarFile(Struct, frozen=True, kw_only=True):
    """A regular file.

    Attributes:
        path: from the root of the tree, with forward slashes.
        size: bytes of it.
        executable: whether its owner may run it.
        pieces: yields its bytes.
    """

    path: str
    size: int
    executable: bool
    pieces: Callable[[], Iterable[bytes]]


class NarLink(Struct, frozen=True, kw_only=True):
    """A symbolic link with its text."""

    path: str
    target: str


class NarFolder(Struct, frozen=True, kw_only=True):
    """A folder; those above files and links need none."""

    path: str


NarNode = NarFile | NarLink | NarFolder


class _Tree(Struct, frozen=True, kw_only=True):
    """A folder with what is in it: name as bytes, by which Nix sorts -> node."""

    members: dict[bytes, _Tree | NarFile | NarLink]


def write_nar(nodes: Iterable[NarNode], write: Write) -> None:
    """Write a tree as an archive, front to back.

    Args:
        nodes: in any order.
        write: takes the bytes.

    Raises:
        EnvgenError: a path is there twice, or a file has another size than its node says.
    """
    write(_text(b"nix-archive-1"))
    for piece in _node(_arranged(nodes)):
        write(piece)


def store_path(nar: Sha256, name: str, *, store: str) -> str:
    """Return where Nix puts a fixed-output tree without references.

    Args:
        nar: digest of its archive.
        name: of the derivation.
        store: folder of the store, `/nix/store` in most places.
    """
    digest = Sha256.of(f"source:sha256:{nar}:{store}:{name}".encode()).raw
    folded = bytearray(_PATH_BYTES)
    for place, byte in enumerate(digest):
        folded[place % _PATH_BYTES] ^= byte
    return f"{store}/{nix32(bytes(folded))}-{name}"


def nix32(data: bytes) -> str:
    """Write bytes in Nix's base 32: five bits a digit, the last ones first."""
    number = int.from_bytes(data, "little")
    digits = (len(data) * 8 + 4) // 5
    return "".join(_DIGITS[number >> (5 * place) & 31] for place in reversed(range(digits)))


def _arranged(nodes: Iterable[NarNode]) -> _Tree:
    root = _Tree(members={})
    for node in nodes:
        *above, name = node.path.encode().split(b"/")
        folder = root
        for part in above:
            folder = _folder(folder, part, node.path)
        if isinstance(node, NarFolder):
            _folder(folder, name, node.path)
        elif folder.members.setdefault(name, node) is not node:
            raise EnvgenError(f"duplicate path `{node.path}` in an archive")
    return root


def _folder(above: _Tree, name: bytes, path: str) -> _Tree:
    found = above.members.setdefault(name, _Tree(members={}))
    if not isinstance(found, _Tree):
        raise EnvgenError(f"`{path}` is below a file in an archive")
    return found


def _node(node: _Tree | NarFile | NarLink) -> Iterator[bytes]:
    match node:
        case NarLink():
            yield _texts(b"(", b"type", b"symlink", b"target", node.target.encode(), b")")
        case NarFile():
            yield from _file(node)
        case _Tree():
            yield _texts(b"(", b"type", b"directory")
            for name, member in sorted(node.members.items()):
                yield _texts(b"entry", b"(", b"name", name, b"node")
                yield from _node(member)
                yield _text(b")")
            yield _text(b")")


def _file(node: NarFile) -> Iterator[bytes]:
    mark = (b"executable", b"") if node.executable else ()
    yield _texts(b"(", b"type", b"regular", *mark, b"contents") + _number(node.size)
    size = 0
    for piece in node.pieces():
        size += len(piece)
        yield piece
    if size != node.size:
        raise EnvgenError(f"`{node.path}` has {size} bytes, expected {node.size}")
    yield _padding(size) + _text(b")")


def _texts(*texts: bytes) -> bytes:
    return b"".join(map(_text, texts))


def _text(data: bytes) -> bytes:
    """Write a text: its length, itself, zeros up to a multiple of eight."""
    return _number(len(data)) + data + _padding(len(data))


def _number(value: int) -> bytes:
    return struct.pack("<Q", value)


def _padding(size: int) -> bytes:
    return bytes(-size % 8)
