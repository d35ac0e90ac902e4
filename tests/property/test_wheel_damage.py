"""A wheel with some bytes changed becomes the same files, or is refused: no third way, and never another error."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from envgen.convert.wheel_stream import Body, open_streamed
from envgen.convert.wheel_unpack import open_wheel, unpack
from envgen.errors import ArtifactError
from envgen.platforms import PythonMinor
from tests.builders.streams import pieces
from tests.builders.wheels import locked_wheel, make_wheel

RAW = make_wheel(
    "spam",
    files={"spam/__init__.py": "x = 1\n" * 50, "spam/ü.bin": bytes(range(256)) * 4},
    data={"scripts/run": "#!python\n", "data/lib/libx.so": "\x7fELF", "data/lib/libx.so.1": "\x7fELF"},
    entry_points={"spam": "spam:main"},
    licenses={"LICENSE": "text"},
)
WHEEL = locked_wheel(RAW, "spam")


MINOR = PythonMinor(3, 11)
REFUSED: dict[str, bytes] = {}


def _streamed(raw: bytes) -> dict[str, bytes]:
    """Read the files that a wheel becomes as it comes, where the ranges have the same bytes."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            opened = open_streamed(
                io.BytesIO(raw), Body(pieces(raw), lambda _: None), WHEEL, size=len(raw), python=MINOR, fold_case=True
            )
            written = unpack(opened, Path(folder))
        except ArtifactError:
            return REFUSED
        return {f.path: Path(folder, f.path).read_bytes() for f in written}


def _files(raw: bytes) -> dict[str, bytes]:
    """Read the files that a wheel becomes; nothing where it is refused. Modes are under no digest in a zip."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as archive:
        archive.write(raw)
        archive.flush()
        try:
            written = unpack(open_wheel(archive, WHEEL, python=MINOR), Path(folder))
        except ArtifactError:
            return REFUSED
        return {f.path: Path(folder, f.path).read_bytes() for f in written}


GOOD = _files(RAW)
CHANGES = st.lists(st.tuples(st.integers(0, len(RAW) - 1), st.integers(0, 255)), min_size=1, max_size=4)


@given(changes=CHANGES, keep=st.one_of(st.just(len(RAW)), st.integers(0, len(RAW))))
@settings(max_examples=300)
def test_a_damaged_wheel_is_refused_or_harmless(changes: list[tuple[int, int]], keep: int) -> None:
    raw = bytearray(RAW)
    for position, value in changes:
        raw[position] = value
    found = _files(bytes(raw[:keep]))
    assert found in (GOOD, REFUSED)
    assert _streamed(bytes(raw[:keep])) in (found, REFUSED)


def test_the_whole_wheel_is_good() -> None:
    assert GOOD != REFUSED
    assert _streamed(RAW) == GOOD
