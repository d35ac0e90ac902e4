"""Which programs this machine can start by themselves."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from envgen.image.loader import has_loader
from tests.builders.elf import make_elf

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (make_elf(interpreter="/no/such/folder/ld-linux-x86-64.so.2"), False),
        (make_elf(interpreter=sys.executable), True),
        (make_elf(), True),
        (b"#!/bin/sh\n", True),
        (b"\x7fELF", True),
    ],
)
def test_a_program_starts_by_itself_where_its_loader_is(tmp_path: Path, data: bytes, found: bool) -> None:
    program = tmp_path / "python"
    program.write_bytes(data)
    assert has_loader(program) is found
