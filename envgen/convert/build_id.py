"""Build IDs of ELF files: linkers take them of bytes that hold the build folder, which is another one each time."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

from envgen.digest import Sha256

if TYPE_CHECKING:
    from pathlib import Path

_SECTION = ".note.gnu.build-id"
_MAGIC = b"\x7fELF"
_HEADER = 16
"""Bytes of a note before its content: three numbers, and the name `GNU` with its zero."""


def settle_build_ids(package: Path) -> None:
    """Derive the build ID of every ELF file of a package from the rest of the file, as it is now."""
    for path in sorted(path for path in package.rglob("*") if path.is_file() and not path.is_symlink()):
        with path.open("rb") as stream:
            is_elf = stream.read(len(_MAGIC)) == _MAGIC
        if is_elf and (data := with_derived_id(path.read_bytes())):
            path.write_bytes(data)


def with_derived_id(data: bytes) -> bytes | None:
    """Return an ELF file with a build ID that its other bytes determine; None where it has none."""
    try:
        section = ELFFile(io.BytesIO(data)).get_section_by_name(_SECTION)
    except ELFError:  # damaged, or an object that is none: as it is
        return None
    if section is None or section["sh_size"] <= _HEADER:
        return None
    start, end = section["sh_offset"] + _HEADER, section["sh_offset"] + section["sh_size"]
    blank = data[:start] + bytes(end - start) + data[end:]
    derived = bytes.fromhex(Sha256.of(blank))
    return data[:start] + derived[: end - start].ljust(end - start, b"\0") + data[end:]
