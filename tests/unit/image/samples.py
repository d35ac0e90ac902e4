"""A few entries of every kind, and what a layer that holds them shows to a reader that is not ours."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import zstandard

from envgen.convert.wheel_zip import read_members
from envgen.digest import Sha256
from envgen.image.entries import EXECUTABLE, Directory, Entry, File, InWheel, Link, OnDisk, file
from envgen.image.layer import write_layer
from envgen.oci.compress import Compression

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from envgen.oci.layer import Layer

WHEEL = Path(__file__).parents[2] / "golden/image/spam-1.0-py3-none-any.whl"
"""A file, since the zlib of the test run's Python decides what a wheel made here would contain."""

LONG = "opt/env/" + "/".join(["a-folder-with-a-long-name"] * 6) + "/späm"
SPECIAL = {"home/user": Directory(path="home/user", mode=0o1777, uid=1000, gid=1000)}


def entries(folder: Path) -> list[Entry]:
    """Make entries with every kind of source; the same whatever the folder."""
    text = folder / "text"
    text.write_bytes(b"from a file\n" * 1000)
    found: list[Entry] = [
        file("opt/env/bin/run", "#!/bin/sh\n", mode=EXECUTABLE),
        file("opt/env/empty", b""),
        file(LONG, "long names need PAX headers"),
        Link(path="opt/env/bin/again", target="run"),
        Directory(path="tmp", mode=0o1777),
        file("home/user/.profile", "", uid=1000, gid=1000),
        File(path="opt/env/text", source=OnDisk(on_disk=str(text), sha256=Sha256.of(text.read_bytes()), size=12000)),
    ]
    return [*found, *wheel_entries(folder)]


def wheel_entries(folder: Path) -> list[Entry]:
    """Make entries of a wheel, some deflated and one stored."""
    wheel = folder / "spam.whl"
    wheel.write_bytes(WHEEL.read_bytes())
    with wheel.open("rb") as archive:
        members = read_members(archive, what="spam")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "extracted")  # noqa: S202  our own
    return [
        File(
            path=f"opt/env/{member.name}",
            source=InWheel(
                wheel=wheel,
                wheel_sha256=Sha256.of(wheel.read_bytes()),
                member=member,
                sha256=Sha256.of((folder / "extracted" / member.name).read_bytes()),
                on_disk=str(folder / "extracted" / member.name),
            ),
        )
        for member in members
    ]


def write(
    some: Iterable[Entry],
    compression: Compression = Compression.GZIP,
    special: Mapping[str, Directory] = SPECIAL,
) -> tuple[Layer, bytes]:
    """Write a layer into memory."""
    out = io.BytesIO()
    layer = write_layer(some, out, compression=compression, special=special)
    return layer, out.getvalue()


def unpacked(blob: bytes, compression: Compression) -> bytes:
    """Decompress with somebody else's code."""
    match compression:
        case Compression.GZIP:
            return gzip.decompress(blob)
        case Compression.ZSTD:
            return zstandard.ZstdDecompressor().stream_reader(blob).read()
        case Compression.NONE:
            return blob


def listing(tar: bytes) -> dict[str, tuple[Any, ...]]:
    """List a tar: path -> kind, mode, owner, group, time, and what it holds."""
    found: dict[str, tuple[Any, ...]] = {}
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        for member in archive:
            assert member.name not in found
            held = member.linkname
            if member.isfile():
                stream = archive.extractfile(member)
                assert stream
                held = hashlib.sha256(stream.read()).hexdigest()[:16]
            kind = {tarfile.DIRTYPE: "folder", tarfile.REGTYPE: "file", tarfile.SYMTYPE: "link"}[member.type]
            found[member.name] = (kind, oct(member.mode), member.uid, member.gid, member.mtime, held)
    return found
