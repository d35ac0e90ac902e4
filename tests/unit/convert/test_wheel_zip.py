from __future__ import annotations

import io
import stat
import struct
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envgen.convert import wheel_zip
from envgen.convert.wheel_zip import Member, inflate, read_members
from envgen.errors import ArtifactError
from tests.builders.wheels import FILE, LINK, SCRIPT, make_zip

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Read = Callable[[bytes], dict[str, bytes]]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Read every member of a zip, given as bytes."""

    def reader(raw: bytes) -> dict[str, bytes]:
        path = tmp_path / "a.whl"
        path.write_bytes(raw)
        with path.open("rb") as archive:
            members = read_members(archive, what="a.whl")
            return {m.name: b"".join(inflate(archive.fileno(), m, what="a.whl")) for m in members}

    return reader


NAMES = st.text(st.sampled_from("ab/.\\:\n\0\x7f\u00fc"), max_size=8)


@given(names=st.lists(NAMES, max_size=3), folders=st.booleans())
def test_names_that_are_not_looked_at_alone_are_allowed(names: list[str], *, folders: bool) -> None:
    infos = [zipfile.ZipInfo(f"{name}/" if folders else name) for name in names]
    if wheel_zip._have_plain_names(infos):
        for info in infos:
            wheel_zip._check_name(info)


def test_other_names_in_extra_fields_are_looked_at() -> None:
    info = zipfile.ZipInfo("a")
    assert wheel_zip._have_plain_names([info])
    info.extra = struct.pack("<HHBI", 0x7075, 6, 1, 0) + b"b"
    assert not wheel_zip._have_plain_names([info])


GOOD = {"a": b"", "dir/b": b"b" * 100_000, "dir/ü": bytes(range(256))}


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_reads_what_is_there(read: Read, compression: int) -> None:
    assert read(make_zip(GOOD.items(), compression=compression)) == GOOD


def test_reads_streamed_and_zip64_zips(read: Read) -> None:
    class Pipe(io.RawIOBase):  # not seekable: sizes and CRC follow the data
        out = io.BytesIO()

        def writable(self) -> bool:
            return True

        def write(self, data: bytes) -> int:  # type: ignore[override]  # bytes are all that zipfile writes
            return self.out.write(data)

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w") as archive, archive.open("big", "w", force_zip64=True) as member:
        member.write(b"x" * 10)
    assert read(pipe.out.getvalue()) == {"big": b"x" * 10}
    seekable = io.BytesIO()
    with zipfile.ZipFile(seekable, "w") as archive, archive.open("big", "w", force_zip64=True) as member:
        member.write(b"x" * 10)
    assert read(seekable.getvalue()) == {"big": b"x" * 10}


def test_several_threads_share_a_descriptor(tmp_path: Path) -> None:
    path = tmp_path / "a.whl"
    contents = {f"m{i}": bytes([i]) * 1_000_000 for i in range(20)}
    path.write_bytes(make_zip(contents.items()))
    with path.open("rb") as archive, ThreadPoolExecutor(4) as pool:
        members = read_members(archive, what="a.whl")

        def content(member: Member) -> bytes:
            return b"".join(inflate(archive.fileno(), member, what="a.whl"))

        assert dict(zip(contents, pool.map(content, members), strict=True)) == contents


def test_tells_what_was_read(tmp_path: Path) -> None:
    path = tmp_path / "a.whl"
    path.write_bytes(make_zip([("a", b"a" * 1000)]))
    steps: list[int] = []
    with path.open("rb") as archive:
        (member,) = read_members(archive, what="a.whl")
        list(inflate(archive.fileno(), member, what="a.whl", advance=steps.append))
    assert sum(steps) == member.packed


@pytest.mark.parametrize(("mode", "executable"), [(FILE, False), (SCRIPT, True), (0o600, False), (0o100, True)])
def test_knows_what_is_executable(tmp_path: Path, mode: int, executable: bool) -> None:
    path = tmp_path / "a.whl"
    path.write_bytes(make_zip([("a", b"")], modes={"a": mode}))
    with path.open("rb") as archive:
        (member,) = read_members(archive, what="a.whl")
    assert member.executable is executable


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["/etc/passwd"], "`/etc/passwd` in `a.whl`: is an absolute path"),
        (["C:/evil"], "is an absolute path"),
        (["../evil"], "`../evil` in `a.whl`: has an empty, `.` or `..` part"),
        (["a/../../evil"], "has an empty"),
        (["a//b"], "has an empty"),
        (["./a"], "has an empty"),
        ([""], "has an empty"),
        (["a" * 256], "too long"),
        (["ab/" * 700 + "c"], "too long"),
        (["a\\..\\evil"], "has a backslash"),
        (["a\nb"], "has a backslash or a control character"),
        (["a", "a"], "`a` in `a.whl`: is a duplicate"),
        (["a/B", "A/b"], "is a duplicate of `a/B`"),
        (["caf\u00e9", "cafe\u0301"], "is a duplicate"),
        (["a", "a/b"], "`a` in `a.whl`: is both a folder and a file"),
        (["A/b/c", "a/B"], "is both a folder and a file"),
        (["a/b/", "a", "a/b/c"], "`a` in `a.whl`: is both a folder and a file"),
    ],
)
def test_refuses_names(read: Read, names: list[str], message: str) -> None:
    with pytest.raises(ArtifactError) as caught:
        read(make_zip([(name, b"") for name in names]))
    assert message in str(caught.value)


def test_refuses_a_name_that_zipfile_would_cut(read: Read) -> None:
    raw = make_zip([("evil.py_.txt", b"")]).replace(b"evil.py_.txt", b"evil.py\0.txt")
    with pytest.raises(ArtifactError, match="control character"):
        read(raw)


def path_field(name: str, *, of: str) -> bytes:
    """Make the extra field that gives the member `of` another path (APPNOTE.TXT 4.6.9)."""
    data = struct.pack("<BL", 1, zlib.crc32(of.encode())) + name.encode()
    return struct.pack("<HH", 0x7075, len(data)) + data


def zip_with(extra: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        member = zipfile.ZipInfo("spam/a.py")
        member.extra = extra
        archive.writestr(member, b"a")
    return out.getvalue()


@pytest.mark.parametrize("other", ["spam-1.0.data/data//evil", "../evil", "spam/b.py"])
def test_refuses_a_second_name(read: Read, other: str) -> None:
    harmless = struct.pack("<HH", 0x5455, 1) + b"\0"
    with pytest.raises(ArtifactError) as caught:
        read(zip_with(harmless + path_field(other, of="spam/a.py")))
    assert str(caught.value) == f"`spam/a.py` in `a.whl`: has two different names, the other is {other!r}"


def test_a_name_that_is_given_twice_is_one(read: Read) -> None:
    assert read(zip_with(path_field("spam/a.py", of="spam/a.py"))) == {"spam/a.py": b"a"}


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK, stat.S_IFDIR])
def test_refuses_what_is_no_file(read: Read, kind: int) -> None:
    with pytest.raises(ArtifactError, match=r"`a` in `a\.whl`: is (both )?a"):
        read(make_zip([("a", b"target")], modes={"a": kind | 0o777}))


def test_names_a_symbolic_link(read: Read) -> None:
    with pytest.raises(ArtifactError, match="is a symbolic link"):
        read(make_zip([("a", b"/etc/passwd")], modes={"a": LINK}))


def test_refuses_other_compression(read: Read) -> None:
    with pytest.raises(ArtifactError, match="compressed with method 12, expected stored or deflated"):
        read(make_zip([("a", b"x" * 100)], compression=zipfile.ZIP_BZIP2))


LOCAL_FLAGS, LOCAL_METHOD, LOCAL_CRC, LOCAL_SIZE, LOCAL_NAME = 6, 8, 14, 22, 30
"""Offsets in the first member's local header."""


def _patched(raw: bytes, offset: int, patch: bytes) -> bytes:
    return raw[:offset] + patch + raw[offset + len(patch) :]


@pytest.mark.parametrize(
    ("offset", "patch"),
    [
        (LOCAL_FLAGS, b"\x01"),
        (LOCAL_METHOD, b"\x00"),
        (LOCAL_CRC, b"\x00\x00\x00\x00"),
        (LOCAL_SIZE, b"\xff"),
        (LOCAL_NAME, b"B"),
    ],
)
def test_refuses_a_local_header_that_disagrees(read: Read, offset: int, patch: bytes) -> None:
    with pytest.raises(ArtifactError, match=r"`a` in `a\.whl`: has a local header that differs"):
        read(_patched(make_zip([("a", b"x" * 100)]), offset, patch))


def test_refuses_a_missing_local_header(read: Read) -> None:
    with pytest.raises(ArtifactError, match="no local header"):
        read(_patched(make_zip([("a", b"x" * 100)]), 0, b"XX"))


def _everywhere(raw: bytes, field: str, old: object, new: object) -> bytes:
    """Change a number both in the local header and in the directory."""
    was, now = struct.pack(field, old), struct.pack(field, new)
    assert raw.count(was) == 2
    return raw.replace(was, now)


def test_refuses_an_encrypted_member(read: Read) -> None:
    raw = make_zip([("a", b"x" * 100)])
    directory = raw.index(b"PK\x01\x02")
    with pytest.raises(ArtifactError, match="is encrypted"):
        read(_patched(_patched(raw, LOCAL_FLAGS, b"\x01"), directory + 8, b"\x01"))


def test_refuses_a_wrong_crc(read: Read) -> None:
    raw = make_zip([("a", b"some text")], compression=zipfile.ZIP_STORED)
    with pytest.raises(ArtifactError, match=r"`a` in `a\.whl`: has CRC [0-9a-f]{8}, expected [0-9a-f]{8}"):
        read(raw.replace(b"some text", b"same text"))


@pytest.mark.parametrize(("declared", "message"), [(70_001, "has 70000 bytes, expected 70001"), (65_000, "has more")])
def test_refuses_another_size_than_declared(read: Read, declared: int, message: str) -> None:
    raw = _everywhere(make_zip([("a", b"x" * 70_000)]), "<I", 70_000, declared)
    with pytest.raises(ArtifactError, match=message):
        read(raw)


def test_refuses_a_damaged_stream(read: Read) -> None:
    raw = make_zip([("a", b"x" * 100)])
    with pytest.raises(ArtifactError, match=r"`a` in `a\.whl`: failed to inflate"):
        read(_patched(raw, LOCAL_NAME + 1, b"\xff\xff\xff"))


def test_refuses_a_stream_that_ends_early(read: Read) -> None:
    with pytest.raises(ArtifactError, match="does not end where its data end"):
        read(_patched(make_zip([("a", b"x" * 100)]), LOCAL_NAME + 1, b"\x03\x00"))


@pytest.mark.parametrize("keep", [0, 1, 20, 100])
def test_refuses_a_truncated_zip(read: Read, keep: int) -> None:
    with pytest.raises(ArtifactError, match=r"`a\.whl` is not a usable zip file"):
        read(make_zip(GOOD.items())[:keep])


def test_refuses_members_that_overlap(read: Read) -> None:
    raw = make_zip([("a", b"x" * 100), ("b", b"x" * 100)])
    second = raw.rindex(b"PK\x01\x02")
    with pytest.raises(ArtifactError, match="overlaps the member before it"):
        read(_patched(raw, second + 42, struct.pack("<I", 0)))


def test_refuses_a_bomb_before_inflating(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wheel_zip, "_RATIO_FLOOR", 1_000_000)
    with pytest.raises(ArtifactError, match=r"`b` in `a\.whl`: raises the total size to 2000000 bytes"):
        read(make_zip([("a", bytes(1_000_000)), ("b", bytes(1_000_000))]))


def test_inflates_a_dense_stream_in_small_steps(tmp_path: Path) -> None:
    path = tmp_path / "a.whl"
    path.write_bytes(make_zip([("a", bytes(50_000_000))]))
    with path.open("rb") as archive:
        (member,) = read_members(archive, what="a.whl")
        sizes = [len(data) for data in inflate(archive.fileno(), member, what="a.whl")]
    assert sum(sizes) == 50_000_000
    assert max(sizes) <= 1 << 22
