"""The reader of layers sees what `tarfile` sees, and refuses what no layer has."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from typing import TYPE_CHECKING, Any

import pytest
import zstandard

from envgen.oci.layer_tar import Unpacked, read_members

if TYPE_CHECKING:
    from collections.abc import Callable

    from envgen.oci.layer_tar import LayerMember

LAYER = "application/vnd.oci.image.layer.v1.tar"


def tar_of(*members: tuple[str, bytes, dict[str, Any]], form: int = tarfile.PAX_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for name, data, fields in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            for key, value in fields.items():
                setattr(info, key, value)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def unpacked(blob: bytes, media_type: str = LAYER, told: Callable[[int], object] = lambda _size: None) -> Unpacked:
    found = Unpacked(io.BytesIO(blob), told)  # type: ignore[arg-type]  # a file without a buffer, as far as it is used
    found.unpack(media_type)
    return found


def read(blob: bytes, *, contents: bool = True) -> list[LayerMember]:
    return list(read_members(unpacked(blob), contents=contents))


LONG = "/".join(["folder"] * 60)

SOME: tuple[tuple[str, bytes, dict[str, Any]], ...] = (
    ("usr", b"", {"type": tarfile.DIRTYPE, "mode": 0o755}),
    ("usr/tmp", b"", {"type": tarfile.DIRTYPE, "mode": 0o1777, "uid": 7, "gid": 8}),
    ("usr/empty", b"", {}),
    ("usr/block", bytes(range(256)) * 2, {"mode": 0o755}),
    ("usr/large", b"abc" * 300_000, {"mtime": 315_532_800}),
    ("usr/link", b"", {"type": tarfile.SYMTYPE, "linkname": "../x"}),
    (f"{'a' * 60}/{'b' * 90}", b"1", {}),
    (LONG, b"2", {}),
    ("usr/\u00e4", b"3", {}),
    ("usr/far", b"", {"type": tarfile.SYMTYPE, "linkname": LONG}),
    ("usr/pipe", b"", {"type": tarfile.FIFOTYPE, "uname": "alice", "gname": "staff"}),
    ("usr/more", b"4", {"pax_headers": {"SCHILY.xattr.user.x": "1"}}),
)


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT])
def test_every_entry_is_what_tarfile_reads(form: int) -> None:
    some = [one for one in SOME if form == tarfile.PAX_FORMAT or not (one[0] == LONG or {*one[2]} & {"pax_headers"})]
    some = [one for one in some if form == tarfile.PAX_FORMAT or one[2].get("linkname") != LONG]
    blob = tar_of(*some, form=form)
    with tarfile.open(fileobj=io.BytesIO(blob)) as archive:
        expected = [
            (
                member.name,
                "file"
                if member.isreg()
                else "link"
                if member.issym()
                else "folder"
                if member.isdir()
                else "special file",
                (member.mode, member.uid, member.gid, member.mtime),
                member.linkname,
                (member.uname, member.gname),
                member.pax_headers,
                hashlib.sha256(content.read()).hexdigest()
                if member.isreg() and (content := archive.extractfile(member))
                else None,
            )
            for member in archive
        ]
    got = [
        (m.name, m.kind, (m.mode, m.uid, m.gid, m.mtime), m.target, m.names, dict(m.extended), m.sha256)
        for m in read(blob)
    ]
    assert got == expected
    assert [member.name for member in read(blob, contents=False)] == [entry[0] for entry in expected]
    assert not any(member.sha256 for member in read(blob, contents=False))


@pytest.mark.parametrize(
    ("suffix", "pack"),
    [
        ("", bytes),
        ("+gzip", gzip.compress),
        ("+gzip", lambda tar: gzip.compress(tar[:700]) + gzip.compress(tar[700:])),
        ("+zstd", zstandard.compress),
        ("+zstd", lambda tar: zstandard.compress(tar[:700]) + zstandard.compress(tar[700:])),
    ],
)
def test_blob_and_tar_are_digested_once_and_whole(suffix: str, pack: Callable[[bytes], bytes]) -> None:
    tar, told = tar_of(*SOME), list[int]()
    blob = pack(tar)
    found = unpacked(blob, f"{LAYER}{suffix}", told.append)
    assert len(list(read_members(found, contents=True))) == len(SOME)
    assert not found.rest()
    found.drain()
    assert (found.packed.hexdigest(), found.packed.size) == (hashlib.sha256(blob).hexdigest(), len(blob))
    assert (found.plain.hexdigest(), found.plain.size) == (hashlib.sha256(tar).hexdigest(), len(tar))
    assert sum(told) == len(blob)


def test_what_follows_the_end_is_seen() -> None:
    tar = tar_of(("a", b"1", {}))
    for more, expected in ((b"", False), (bytes(10_000), False), (bytes(10_000) + b"x", True)):
        found = unpacked(tar + more)
        assert [member.name for member in read_members(found, contents=True)] == ["a"]
        assert found.rest() is expected


def _pax(data: bytes, size: int | None = None) -> bytes:
    head = tarfile.TarInfo("PaxHeaders/x")
    head.type, head.size = tarfile.XHDTYPE, len(data) if size is None else size
    return head.tobuf(tarfile.USTAR_FORMAT) + data + bytes(-len(data) % 512)


PLAIN = tar_of(("a", b"1", {}))
GNU = tarfile.GNU_FORMAT


@pytest.mark.parametrize(
    ("blob", "message"),
    [
        (PLAIN[:700], "unexpected end"),
        (PLAIN[:300], "unexpected end"),
        (b"x" + PLAIN[1:], "is damaged"),
        (b"no tar at all" * 100, "damaged|octal"),
        (tar_of(("a", b"1", {}), form=GNU), "not one of ustar"),
        (tar_of((LONG, b"1", {}), form=GNU), "not one of ustar"),
        (_pax(b"", size=1 << 32) + PLAIN, "a PAX header of"),
        (_pax(b"9999 path=a\n") + PLAIN, "PAX header is damaged"),
        (_pax(b"0 path=a\n") + PLAIN, "PAX header is damaged"),
        (_pax(b"-1 path=a\n") + PLAIN, "PAX header is damaged"),
        (_pax(b"path=a\n") + PLAIN, "PAX header is damaged"),
        (_pax(b"12 size=-99\n") + PLAIN, "has the size '-99'"),
        (_pax(b"13 size=9999\n") + PLAIN, "unexpected end"),
    ],
)
def test_a_tar_that_is_damaged_or_of_another_kind_is_refused(blob: bytes, message: str) -> None:
    with pytest.raises((ValueError, EOFError), match=message):
        read(blob)


def test_a_sparse_file_is_not_expanded() -> None:
    """`tarfile` would read 8 EB of zeros."""
    sparse = {"GNU.sparse.map": "0,1", "GNU.sparse.size": str(1 << 62), "GNU.sparse.name": "b"}
    (member,) = read(tar_of(("a", b"1", {"pax_headers": sparse})))
    assert (member.name, member.sha256) == ("a", hashlib.sha256(b"1").hexdigest())
    assert sparse.keys() <= member.extended.keys()


def test_an_unknown_compression_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown media type"):
        unpacked(PLAIN, f"{LAYER}+xz")
