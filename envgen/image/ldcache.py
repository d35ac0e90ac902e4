"""`/etc/ld.so.cache`: which shared libraries there are, as `ldconfig` would write it.

The loader finds the base's libraries without; but `ldconfig -p` fails without a cache, and Triton asks it for
libcuda.so.1 (as `ctypes.util.find_library` does for others). Where a GPU is given to a container, NVIDIA's toolkit
writes a new cache in it.

Format: glibc 2.36, `sysdeps/generic/dl-cache.h` (`struct cache_file_new`), without its optional extensions.
"""

from __future__ import annotations

import posixpath
import re
import struct
from typing import TYPE_CHECKING, Any

from elftools.common.exceptions import ELFError
from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile
from msgspec import Struct

from envgen.errors import ArtifactError
from envgen.platforms import Platform

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

PATH = "etc/ld.so.cache"

_MAGIC = b"glibc-ld.so.cache1.1"
_LITTLE_ENDIAN = 2  # cache_file_new_flags_endian_little
_HEADER = struct.Struct("<20sIIB3xI12x")
_ENTRY = struct.Struct("<iIIIQ")
_ELF_LIBC6 = 0x0003
_FLAGS = {Platform.LINUX_64: _ELF_LIBC6 | 0x0300, Platform.LINUX_AARCH64: _ELF_LIBC6 | 0x0A00}
"""FLAG_X8664_LIB64 and FLAG_AARCH64_LIB64 of `sysdeps/generic/ldconfig.h`."""

_LIBRARY = re.compile(r"(?:lib|ld-).*\.so.*")
_TOKEN = re.compile(r"\d+|\D")


class Library(Struct, frozen=True, kw_only=True):
    """One line of the cache: the name that programs ask for, the absolute path, and the kind of library."""

    name: str
    path: str
    flags: int


def scan(root: Path, *, platform: Platform) -> tuple[Library, ...]:
    """Find the shared libraries below `root`, in the folders that Debian's loader searches.

    Raises:
        ArtifactError: a broken ELF file.
    """
    found: dict[str, Library] = {}
    for folder in (f"lib/{platform.multiarch}", "lib"):  # `/lib` is a link into `/usr`, and named first
        for file in sorted((root / "usr" / folder).glob("*.so*")):
            if _LIBRARY.fullmatch(file.name) and file.is_file() and (name := _soname(file)):
                found.setdefault(name, Library(name=name, path=f"/{folder}/{name}", flags=_FLAGS[platform]))
    there = {name for name in found if (root / "usr" / found[name].path[1:]).exists()}
    return tuple(found[name] for name in sorted(there))


def render(libraries: Iterable[Library]) -> bytes:
    """Write the cache: names in descending order, for the loader halves its way through."""
    ordered = sorted(libraries, key=lambda library: _order(library.name), reverse=True)
    at = _HEADER.size + _ENTRY.size * len(ordered)
    entries: list[bytes] = []
    strings: list[bytes] = []
    for library in ordered:
        # A path ends in its name, so one string serves both.
        name_at = at + len(posixpath.dirname(library.path)) + 1
        entries.append(_ENTRY.pack(library.flags, name_at, at, 0, 0))
        strings.append(library.path.encode() + b"\0")
        at += len(strings[-1])
    text = b"".join(strings)
    header = _HEADER.pack(_MAGIC, len(ordered), len(text), _LITTLE_ENDIAN, 0)
    return header + b"".join(entries) + text


def _order(name: str) -> list[tuple[int, int]]:
    """Order as `_dl_cache_libcmp` does: numbers by value and after everything else."""
    return [(1, int(token)) if token.isdigit() else (0, ord(token)) for token in _tokens(name)]


def _tokens(name: str) -> Iterator[str]:
    return (match[0] for match in _TOKEN.finditer(name))


def _soname(file: Path) -> str | None:
    """Return the SONAME of a library, else its file name; None for a file that is not a library."""
    with file.open("rb") as stream:
        if stream.read(4) != b"\x7fELF":
            return None  # a linker script, such as libc.so
        try:
            sections = [s for s in ELFFile(stream).iter_sections() if isinstance(s, DynamicSection)]
            tags: list[Any] = [tag for section in sections for tag in section.iter_tags("DT_SONAME")]
        except (ELFError, ValueError, KeyError) as error:
            raise ArtifactError(f"failed to read the ELF file `{file.name}`: {error}") from error
    return str(tags[0].soname) if tags else file.name
