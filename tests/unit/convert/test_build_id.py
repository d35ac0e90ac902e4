"""Build IDs follow from the bytes that a file has in the end."""

from __future__ import annotations

from shutil import which
from typing import TYPE_CHECKING

import pytest

from envgen.convert.build_id import settle_build_ids, with_derived_id
from envgen.system.process import run

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(params=[1, 2])
def library(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """Link a library whose build ID is given, and different in each round."""
    compiler = which("gcc")
    if compiler is None:
        pytest.skip("no gcc")
    (tmp_path / "x.c").write_text("int x(void) { return 1; }\n")
    file = tmp_path / "package/lib/libx.so"
    file.parent.mkdir(parents=True)
    run([compiler, "-shared", "-o", file, tmp_path / "x.c", f"-Wl,--build-id=0x{request.param:040x}"])
    return file


_FOUND: set[bytes] = set()


def test_files_that_differ_in_their_id_become_one(library: Path) -> None:
    settle_build_ids(library.parent.parent)
    _FOUND.add(library.read_bytes())
    assert len(_FOUND) == 1
    assert with_derived_id(library.read_bytes()) == library.read_bytes()


@pytest.mark.parametrize("data", [b"\x7fELF", b"\x7fELF\x02\x01\x01" + bytes(200), b"\x7fELF" + bytes(range(200))])
def test_what_is_damaged_stays_as_it_is(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.so").write_bytes(data)
    settle_build_ids(tmp_path)
    assert (tmp_path / "x.so").read_bytes() == data
