"""Files are hashed once by each process."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from envgen.digest import Sha256
from envgen.system.proven import ProvenFiles

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_is_read_once(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"data")
    proven = ProvenFiles()
    assert proven.has(file, Sha256.of(b"data"))
    os.utime(file, (1, 1))  # as finding it in the store does
    with file.open("r+b") as out:
        out.write(b"DATA")
    assert proven.has(file, Sha256.of(b"data"))
    assert not ProvenFiles().has(file, Sha256.of(b"data"))


def test_a_file_that_was_replaced_or_cut_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"data")
    proven = ProvenFiles()
    proven.add(file)
    assert proven.has(file, Sha256.of(b"data"))
    (tmp_path / "other").write_bytes(b"DATA")
    (tmp_path / "other").replace(file)
    assert not proven.has(file, Sha256.of(b"data"))
    proven.add(file)
    file.write_bytes(b"")
    assert not proven.has(file, Sha256.of(b"data"))
