"""What goes into a layer: files, links and folders of an image, and where the bytes of a file are.

Paths are relative to the image's root, with forward slashes and none at either end (`opt/env/bin/python`). Times and
extended attributes have no place here: every layer has one modification time and no attributes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from envgen.digest import Sha256

if TYPE_CHECKING:
    from pathlib import Path

    from envgen.convert.wheel_zip import Member

PLAIN = 0o644
EXECUTABLE = 0o755


class Literal(Struct, frozen=True, kw_only=True):
    """Bytes in memory: for what envgen itself writes, not for what it copies."""

    data: bytes

    @property
    def sha256(self) -> Sha256:
        """Digest of the bytes."""
        return Sha256.of(self.data)

    @property
    def size(self) -> int:
        """Number of bytes."""
        return len(self.data)


class OnDisk(Struct, frozen=True, kw_only=True):
    """A file on this machine, outside the image.

    Attributes:
        on_disk: its path, as text since an image has tens of thousands; the layer writer opens it once, and refuses it
            if `size` or the digest are not true.
        sha256: of its bytes.
        size: bytes.
        crc: CRC-32 of its bytes, where a zip directory says it: proves the file instead of `sha256`, in a thirtieth
            of the time.
    """

    on_disk: str
    sha256: Sha256
    size: int
    crc: int | None = None


class InWheel(Struct, frozen=True, kw_only=True):
    """A member of a wheel in the store, whose own DEFLATE stream can be copied into a gzip layer.

    Attributes:
        wheel: the wheel file.
        wheel_sha256: of the wheel file.
        member: where in it, and what its zip directory says of the content.
        sha256: of the content.
        on_disk: path of the content as a file, which spares inflating where it is still what the member says.
    """

    wheel: Path
    wheel_sha256: Sha256
    member: Member
    sha256: Sha256
    on_disk: str

    @property
    def size(self) -> int:
        """Bytes of the content."""
        return self.member.size


Source = Literal | OnDisk | InWheel
"""Where the bytes of a file are; each has `sha256` and `size` of the content."""


class File(Struct, frozen=True, kw_only=True):
    """A regular file.

    Attributes:
        path: in the image.
        source: its bytes.
        mode: permissions, `PLAIN` or `EXECUTABLE` but for few.
        uid: owner.
        gid: group.
    """

    path: str
    source: Source
    mode: int = PLAIN
    uid: int = 0
    gid: int = 0


class Link(Struct, frozen=True, kw_only=True):
    """A symbolic link; `target` is its text as it stands, relative or absolute."""

    path: str
    target: str


class Directory(Struct, frozen=True, kw_only=True):
    """A folder that must be there although it is empty, or that is not 0755 and root's.

    All other folders follow from the paths of files and links.
    """

    path: str
    mode: int = EXECUTABLE
    uid: int = 0
    gid: int = 0


Entry = File | Link | Directory


def file(path: str, data: bytes | str, *, mode: int = PLAIN, uid: int = 0, gid: int = 0) -> File:
    """Make a file of bytes in memory; text becomes UTF-8."""
    raw = data.encode() if isinstance(data, str) else data
    return File(path=path, source=Literal(data=raw), mode=mode, uid=uid, gid=gid)
