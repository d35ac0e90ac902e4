"""A wheel with some bytes changed becomes the same files, or is refused: no third way, and never another error."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from envgen.convert.wheel_unpack import open_wheel, unpack
from envgen.errors import ArtifactError
from envgen.platforms import PythonMinor
from tests.builders.wheels import locked_wheel, make_wheel

RAW = make_wheel(
    "spam",
    files={"spam/__init__.py": "x = 1\n" * 50, "spam/ü.bin": bytes(range(256)) * 4},
    data={"scripts/run": "#!python\n", "data/lib/libx.so": "\x7fELF", "data/lib/libx.so.1": "\x7fELF"},
    entry_points={"spam": "spam:main"},
    licenses={"LICENSE": "text"},
)
WHEEL = locked_wheel(RAW, "spam")


REFUSED: dict[str, bytes] = {}


def _files(raw: bytes) -> dict[str, bytes]:
    """Read the files that a wheel becomes; nothing where it is refused. Modes are under no digest in a zip."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as archive:
        archive.write(raw)
        archive.flush()
        try:
            written = unpack(open_wheel(archive, WHEEL, python=PythonMinor(3, 11)), Path(folder))
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
    assert _files(bytes(raw[:keep])) in (GOOD, REFUSED)


def test_the_whole_wheel_is_good() -> None:
    assert GOOD != REFUSED
