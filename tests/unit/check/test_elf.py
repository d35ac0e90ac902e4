"""The reader of ELF files: against pyelftools on real files, and on files that lie."""

from __future__ import annotations

import importlib.util
import io
import random
import struct
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerNeedSection
from elftools.elf.sections import SymbolTableSection

from envgen.check.elf import ElfFile, read_binary
from envgen.errors import ArtifactError
from tests.builders.elf import make_elf

REAL = [
    Path(getattr(importlib.util.find_spec(name), "origin", ""))
    for name in ("zstandard.backend_c", "rattler.rattler", "yaml._yaml")
    if importlib.util.find_spec(name.partition(".")[0]) and importlib.util.find_spec(name)
]


@pytest.mark.parametrize("path", REAL, ids=lambda p: p.name)
def test_it_reads_what_pyelftools_reads(path: Path) -> None:
    with path.open("rb") as stream:
        ours = read_binary(stream, path.name)
        undefined, defined = ElfFile(stream).split()
        sections = list(ELFFile(stream).iter_sections())
        assert ours is not None
        dynamic: Any = next(s for s in sections if isinstance(s, DynamicSection))
        assert list(ours.needed) == [tag.needed for tag in dynamic.iter_tags("DT_NEEDED")]
        needs = next(s for s in sections if isinstance(s, GNUVerNeedSection))
        assert ours.wants == {n.name: tuple(sorted(a.name for a in aux)) for n, aux in needs.iter_versions()}
        table = next(s for s in sections if isinstance(s, SymbolTableSection) and s.name == ".dynsym")
        named = [s for s in table.iter_symbols() if s.name and s.entry.st_info.bind != "STB_LOCAL"]
        assert {s.name.encode() for s in named if s.entry.st_shndx == "SHN_UNDEF"} == undefined.keys()
        assert {s.name.encode() for s in named if s.entry.st_shndx != "SHN_UNDEF"} == defined


def test_everything_of_a_file() -> None:
    raw = make_elf(
        soname="liba.so.1",
        needed=["libb.so.2", "libc.so.6"],
        runpath="$ORIGIN:$ORIGIN/../x",
        wants={"libc.so.6": ["GLIBC_2.34", "GLIBC_2.2.5"], "libb.so.2": ["B_1"]},
        versions=["A_1", "A_2"],
        defines=["__kmpc_fork_call", "other"],
        undefined=["GOMP_parallel"],
        level=3,
    )
    found = read_binary(io.BytesIO(raw), "lib/liba.so.1.0")
    assert found is not None
    assert (found.soname, found.needed) == ("liba.so.1", ("libb.so.2", "libc.so.6"))
    assert (found.rpath, found.runpath) == ((), ("$ORIGIN", "$ORIGIN/../x"))
    assert found.wants == {"libc.so.6": ("GLIBC_2.2.5", "GLIBC_2.34"), "libb.so.2": ("B_1",)}
    assert (found.defines, found.level, found.exports) == (("A_1", "A_2"), 3, ("__kmpc_fork_call",))
    assert not found.program


def test_runpath_makes_the_loader_forget_rpath() -> None:
    found = read_binary(io.BytesIO(make_elf(rpath="$ORIGIN/a", runpath="$ORIGIN/b")), "x.so")
    assert found is not None
    assert (found.rpath, found.runpath) == ((), ("$ORIGIN/b",))


@pytest.mark.parametrize("raw", [b"", b"\x7fELF", b"\x7fELF\x01\x01" + b"\0" * 60, b"\x7fELF\x02\x02" + b"\0" * 60])
def test_what_the_loader_does_not_load_is_passed_over(raw: bytes) -> None:
    assert read_binary(io.BytesIO(raw), "x") is None


def test_an_object_file_is_passed_over() -> None:
    assert read_binary(io.BytesIO(make_elf(kind=1)), "x.o") is None


def patched(at: int, form: str, value: int) -> bytes:
    raw = bytearray(make_elf(soname="liba.so", needed=["libc.so.6"], wants={"libc.so.6": ["GLIBC_2.34"]}))
    struct.pack_into(form, raw, at, value)
    return bytes(raw)


LIES = {
    "program headers beyond the end": patched(32, "<Q", 1 << 60),
    "65535 program headers": patched(56, "<H", 0xFFFF),
    "program headers of another size": patched(54, "<H", 8),
    "a dynamic table of an exabyte": patched(64 + 56 + 32, "<Q", 1 << 60),
    "a dynamic table elsewhere": patched(64 + 56 + 8, "<Q", 1 << 40),
    "a cut file": make_elf(soname="liba.so", needed=["libc.so.6"])[:0x1010],
}


@pytest.mark.parametrize("raw", LIES.values(), ids=LIES)
def test_a_file_that_lies_is_refused(raw: bytes) -> None:
    with pytest.raises(ArtifactError):
        read_binary(io.BytesIO(raw), "x.so")


def test_a_million_sections_cost_nothing() -> None:
    raw = bytearray(make_elf(soname="liba.so", needed=["libc.so.6"]))
    struct.pack_into("<Q", raw, 40, len(raw))
    raw += b"\0" * 40 + struct.pack("<Q", 1_000_000) + b"\0" * (16 + 64 * 50_000)
    before = time.process_time()
    found = read_binary(io.BytesIO(bytes(raw)), "x.so")
    assert found is not None
    assert found.needed == ("libc.so.6",)
    assert time.process_time() - before < 1


def test_any_bytes_end_in_an_answer_or_an_error() -> None:
    sound = make_elf(soname="a", needed=["b"], wants={"b": ["V"]}, versions=["W"], defines=["GOMP_parallel"], level=2)
    chosen = random.Random(1)  # noqa: S311  the same files each time
    for _attempt in range(500):
        raw = bytearray(sound)
        for _change in range(chosen.randint(1, 6)):
            at = chosen.randrange(0, 400) if chosen.random() < 0.5 else chosen.randrange(0x1000, len(raw))
            raw[at] = chosen.choice([0, 1, 127, 128, 255, chosen.randrange(256)])
        with suppress(ArtifactError):
            read_binary(io.BytesIO(bytes(raw)), "x.so")
