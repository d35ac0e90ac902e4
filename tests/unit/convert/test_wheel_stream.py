"""What only a wheel that is unpacked as it comes can get wrong."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

import pytest

from envgen.convert.wheel import ConversionTerms
from envgen.convert.wheel_stream import Body
from envgen.errors import ArtifactError, DigestMismatchError
from envgen.names import NameTable
from envgen.platforms import Platform, PythonMinor, Target
from tests.builders.streams import convert_streamed, pieces
from tests.builders.wheels import locked_wheel, make_wheel

if TYPE_CHECKING:
    from pathlib import Path

TERMS = ConversionTerms(
    target=Target(platform=Platform.LINUX_64, python=PythonMinor(3, 11), glibc=(2, 36)), names=NameTable()
)
RAW = make_wheel("spam", files={"spam.py": "x = 1\n" * 1000}, licenses={"LICENSE": "text"})
WHEEL = locked_wheel(RAW, "spam")


def convert(raw: bytes, tmp_path: Path, *, told: bytes | None = None) -> None:
    dest = tmp_path / "package"
    dest.mkdir()
    convert_streamed(raw, WHEEL, TERMS, dest=dest, told=told)


def test_a_body_of_another_wheel(tmp_path: Path) -> None:
    """The ranges tell of one wheel, the body is another one of the same names and sizes."""
    other = make_wheel("spam", files={"spam.py": "x = 2\n" * 1000}, licenses={"LICENSE": "text"})
    with pytest.raises(ArtifactError):
        convert(RAW, tmp_path, told=other)


def test_a_wheel_that_is_another_one_in_both(tmp_path: Path) -> None:
    with pytest.raises(DigestMismatchError):
        convert(make_wheel("spam", files={"spam.py": "x = 2\n"}), tmp_path)


@pytest.mark.parametrize("cut", [1, 30, len(RAW) // 2, len(RAW) - 1])
def test_a_body_that_ends_early(cut: int, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError):
        convert(RAW[:cut], tmp_path, told=RAW)


def test_a_body_that_goes_on(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="differs from the one that was read by range requests"):
        convert(RAW + b"more", tmp_path, told=RAW)


def test_a_directory_in_front_of_a_member(tmp_path: Path) -> None:
    """`zipfile` takes it as long as the end is found; the directory would not be compared then."""
    (tmp_path / "a").write_bytes(RAW)
    with zipfile.ZipFile(tmp_path / "a") as archive:
        start = archive.start_dir
    with pytest.raises(ArtifactError):
        convert(RAW[start:] + RAW[:start], tmp_path)


@pytest.mark.parametrize("size", [0, 1, 999, 1000, 1001, 2500])
def test_a_body_gives_what_is_asked_for(size: int) -> None:
    raw = bytes(range(250)) * 10
    seen: list[bytes] = []
    body = Body(pieces(raw), seen.append)
    assert body.take(size) == raw[:size]
    assert body.position == size
    assert body.take(5000) == raw[size:]
    assert body.take(1) == b""
    assert b"".join(seen) == raw


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_script_whose_first_line_comes_in_pieces(compression: int, tmp_path: Path) -> None:
    """A network cuts a file anywhere; its package is the same."""
    raw = make_wheel("spam", data={"scripts/run": "#!python -E\nprint()\n" * 50}, compression=compression)
    for piece in (1, 1000):
        (dest := tmp_path / str(piece)).mkdir()
        convert_streamed(raw, locked_wheel(raw, "spam"), TERMS, dest=dest, piece=piece)
    first, second = ((tmp_path / name / "bin/run").read_bytes() for name in ("1", "1000"))
    assert first == second
    assert not first.startswith(b"#!python")
