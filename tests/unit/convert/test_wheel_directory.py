from __future__ import annotations

import io
import struct
import zipfile
from typing import TYPE_CHECKING

import pytest

from envgen.convert.wheel_directory import WheelDirectory, read_wheel_directory
from envgen.convert.wheel_zip import read_members
from envgen.errors import ArtifactError
from tests.builders.wheels import SCRIPT, make_wheel, make_zip

if TYPE_CHECKING:
    from pathlib import Path

RAW = make_wheel(
    "spam",
    files={"spam/__init__.py": "x = 1\n" * 50, "spam/\u00fc.bin": bytes(range(256)), "spam/run": "#!"},
    entry_points={"spam": "spam:main"},
    modes={"spam/run": SCRIPT},
)


def read(raw: bytes) -> WheelDirectory:
    return read_wheel_directory(io.BytesIO(raw), what="spam.whl", size=len(raw))


def test_says_what_reading_the_wheel_says(tmp_path: Path) -> None:
    path = tmp_path / "spam.whl"
    path.write_bytes(RAW)
    with path.open("rb") as archive:
        members = read_members(archive, what="spam.whl")
    found = read(RAW)
    assert [(f.name, f.size, f.packed, f.crc, f.method == zipfile.ZIP_DEFLATED, f.executable) for f in found.files] == [
        (m.name, m.size, m.packed, m.crc, m.deflated, m.executable) for m in members
    ]
    for file in found.files:
        signature, name_len, extra_len = struct.unpack_from("<4s22xHH", RAW, file.offset)
        assert signature == b"PK\x03\x04"
        assert file.offset + 30 + name_len + extra_len == next(m.start for m in members if m.name == file.name)


def test_holds_the_files_that_say_where_others_go() -> None:
    info = read(RAW).info
    assert sorted(info) == [
        f"spam-1.0.dist-info/{name}" for name in ("METADATA", "RECORD", "WHEEL", "entry_points.txt")
    ]
    assert info["spam-1.0.dist-info/entry_points.txt"] == b"[console_scripts]\nspam = spam:main\n"


def test_packed_and_unpacked_it_is_the_same() -> None:
    assert WheelDirectory.unpack(read(RAW).pack()) == read(RAW)


def test_what_another_version_packed_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = read(RAW).pack()
    monkeypatch.setattr("envgen.convert.wheel_directory._FORMAT", 2)
    assert WheelDirectory.unpack(packed) is None


def test_names_that_differ_by_case_only_are_left_to_who_knows_the_platform() -> None:
    assert read(make_zip([("a", b""), ("A", b"")])).sizes == {"a": 0, "A": 0}


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"<html>Please sign in</html>", "is not a usable zip file"),
        (RAW[:-30], "is not a usable zip file"),
        (make_zip([("../evil", b"")]), "`../evil` in `spam.whl`: has an empty, `.` or `..` part"),
        (make_zip([("a", b"1"), ("a", b"2")]), "is a duplicate"),
    ],
)
def test_refuses_what_must_not_be_unpacked(raw: bytes, message: str) -> None:
    with pytest.raises(ArtifactError) as caught:
        read(raw)
    assert message in str(caught.value)


def test_a_damaged_record_is_refused() -> None:
    raw = bytearray(make_zip([("spam-1.0.dist-info/RECORD", b"a" * 100)], compression=zipfile.ZIP_STORED))
    raw[70] ^= 1
    with pytest.raises(ArtifactError, match=r"failed to read .*RECORD` in `spam\.whl`"):
        read(bytes(raw))
