"""On a real shared library, the one of the `zstandard` wheel: it is loaded after it was changed."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from envgen.convert import elf
from envgen.convert.elf_rebind import _hash_of, rebind
from envgen.errors import ArtifactError
from envgen.platforms import Platform
from envgen.system.host import probe_host

SAMPLE = Path(getattr(importlib.util.find_spec("zstandard.backend_c"), "origin", ""))
FIRST = "GLIBC_2.17" if probe_host().platform is Platform.LINUX_AARCH64 else "GLIBC_2.2.5"

LOADS = """\
import importlib.util, sys
spec = importlib.util.spec_from_file_location("zstandard.backend_c", sys.argv[1])
found = importlib.util.module_from_spec(spec)
spec.loader.exec_module(found)
data = bytes(range(256)) * 4096
assert found.ZstdDecompressor().decompress(found.ZstdCompressor().compress(data)) == data
"""


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    return Path(shutil.copyfile(SAMPLE, tmp_path / SAMPLE.name))


def wanted(file: Path) -> dict[str, str]:
    """Read symbol -> version of what the C library has to define."""
    with file.open("rb") as stream:
        parsed = ELFFile(stream)
        symbols, versions = (parsed.get_section_by_name(name) for name in (".dynsym", ".gnu.version"))
        needs = parsed.get_section_by_name(".gnu.version_r")
        assert symbols
        assert versions
        assert needs
        names = {aux["vna_other"]: aux.name for _library, auxes in needs.iter_versions() for aux in auxes}  # type: ignore[attr-defined]
        pairs = zip(symbols.iter_symbols(), versions.iter_symbols(), strict=True)  # type: ignore[attr-defined]
        return {
            symbol.name: names[version["ndx"]]
            for symbol, version in pairs
            if symbol["st_shndx"] == "SHN_UNDEF" and version["ndx"] in names
        }


def load(file: Path) -> str:
    """Import the module in a process of its own, and return what that says."""
    return subprocess.run(
        [sys.executable, "-c", LOADS, str(file)], capture_output=True, text=True, check=False, timeout=60
    ).stderr


def test_a_symbol_is_bound_under_an_older_version(sample: Path) -> None:
    before, size = wanted(sample), sample.stat().st_size
    newer = {name: version for name, version in before.items() if version not in {FIRST, "GLIBC_2.4"}}
    assert "memcpy" in newer or FIRST == "GLIBC_2.17"
    targets = {"memcpy": f"memmove@{FIRST}"}  # what memcpy does, and more
    assert rebind(sample, targets) == {"memcpy"}
    assert wanted(sample) == {name: version for name, version in before.items() if name != "memcpy"} | {
        "memmove": FIRST
    }
    assert sample.stat().st_size == size
    with sample.open("rb") as stream:
        found = elf.read_elf(stream, "x.so")
    assert found is not None
    assert load(sample) == ""


def test_a_version_that_the_file_does_not_have_takes_the_place_of_the_old_one(sample: Path) -> None:
    alone = next(n for n, v in wanted(sample).items() if list(wanted(sample).values()).count(v) == 1)
    assert rebind(sample, {alone: f"{alone}@GLIBC_2.9"}) == {alone}
    assert wanted(sample)[alone] == "GLIBC_2.9"
    assert "GLIBC_2.9" in load(sample)


def test_other_files_and_symbols_are_left_alone(sample: Path, tmp_path: Path) -> None:
    before = sample.read_bytes()
    assert rebind(sample, {"no_such": "no@GLIBC_2.17", "PyObject_Call": "x@GLIBC_2.17"}) == frozenset()
    assert sample.read_bytes() == before
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\n")
    assert rebind(script, {"memcpy": "x@GLIBC_2.17"}) == frozenset()


def test_a_file_without_room_is_refused(sample: Path) -> None:
    shared = next(n for n, v in wanted(sample).items() if v == FIRST)
    with pytest.raises(ArtifactError, match=r"failed to rebind symbols of `backend_c.*`: GLIBC_2.3.4.5"):
        rebind(sample, {shared: f"{shared}@GLIBC_2.3.4.5"})
    with pytest.raises(ArtifactError, match="failed to rebind"):
        rebind(sample, {shared: f"a_name_that_is_longer_than_any_other@{FIRST}"})


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.so").write_bytes(b"\x7fELF" + bytes(60) + b"\0a\0")
    with pytest.raises(ArtifactError, match=r"`x\.so` is not a valid ELF file"):
        rebind(tmp_path / "x.so", {"a": "a@GLIBC_2.17"})


@pytest.mark.parametrize(("name", "value"), [("GLIBC_2.2.5", 0x09691A75), ("GLIBC_2.36", 0x069691B6)])
def test_hash_of_a_version(name: str, value: int) -> None:
    assert _hash_of(name) == value
