"""On a real shared library: the one of the `zstandard` wheel, which needs the C library alone."""

from __future__ import annotations

import importlib.util
import shutil
import stat
from pathlib import Path

import pytest
from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile

from envgen.convert import elf
from envgen.errors import ArtifactError, MissingLibrariesError
from envgen.glibc import C_LIBRARIES
from envgen.system import process

SAMPLE = Path(getattr(importlib.util.find_spec("zstandard.backend_c"), "origin", ""))


def place(root: Path, path: str, *needed: str) -> Path:
    """Write a copy of the sample, with further needed libraries."""
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(SAMPLE, file)
    for name in needed:
        process.run([elf._patchelf(), "--add-needed", name, file])
    return file


def search_path(file: Path) -> dict[str, str]:
    with file.open("rb") as stream:
        dynamic = ELFFile(stream).get_section_by_name(".dynamic")
        assert isinstance(dynamic, DynamicSection)
        return {
            tag.entry.d_tag: getattr(tag, tag.entry.d_tag.removeprefix("DT_").lower())
            for tag in dynamic.iter_tags()
            if tag.entry.d_tag in {"DT_RPATH", "DT_RUNPATH"}
        }


def test_needs_of_a_library_are_read() -> None:
    with SAMPLE.open("rb") as stream:
        found = elf.read_elf(stream, "x.so")
    assert found is not None
    assert "libc.so.6" in found.needed
    assert found.search == ""
    assert (2, 2) <= found.glibc < (2, 36)


def test_static_program_is_left_alone(tmp_path: Path) -> None:
    shutil.copyfile(elf._patchelf(), tmp_path / "static")
    (tmp_path / "script").write_text("#!/bin/sh\n")
    assert list(elf.find_elves(tmp_path)) == []
    assert elf.relocate(tmp_path, libraries="lib") == (0, 0)


def test_files_find_each_other_by_relative_rpath(tmp_path: Path) -> None:
    program = place(tmp_path, "usr/bin/program", "libone.so.1")
    one = place(tmp_path, "usr/lib/arch/libone.so.1.0", "libtwo.so")
    (tmp_path / "usr/lib/arch/libone.so.1").symlink_to("libone.so.1.0")
    two = place(tmp_path, "usr/lib/arch/private/libtwo.so")
    before = two.read_bytes()
    assert elf.relocate(tmp_path, libraries="usr/lib/arch") >= (2, 2)
    assert search_path(program) == {"DT_RPATH": "$ORIGIN/../lib/arch"}
    assert search_path(one) == {"DT_RPATH": "$ORIGIN:$ORIGIN/private"}
    assert two.read_bytes() == before


def test_a_library_finds_others_from_the_folder_of_a_link_to_it(tmp_path: Path) -> None:
    """The loader takes `$ORIGIN` for the folder of the link that it followed."""
    tree = tmp_path / "opt/debian"
    one = place(tree, "usr/lib/arch/libone.so.1.0", "libtwo.so")
    place(tree, "usr/lib/arch/libtwo.so")
    program = place(tree, "usr/bin/program", "libtwo.so")
    links = [tmp_path / "lib/libone.so.1", tmp_path / "bin/program"]
    for link, target in zip(links, ("usr/lib/arch/libone.so.1.0", "usr/bin/program"), strict=True):
        link.parent.mkdir()
        link.symlink_to(f"../opt/debian/{target}")
    elf.relocate(tree, libraries="usr/lib/arch", links=links)
    assert search_path(one) == {"DT_RPATH": "$ORIGIN:$ORIGIN/../opt/debian/usr/lib/arch"}
    assert search_path(program) == {"DT_RPATH": "$ORIGIN/../lib/arch"}  # the kernel follows the link before


def test_search_path_of_the_host_is_replaced(tmp_path: Path) -> None:
    file = place(tmp_path, "usr/lib/x.so")
    process.run([elf._patchelf(), "--set-rpath", "/usr/lib/host", file])
    assert search_path(file) == {"DT_RUNPATH": "/usr/lib/host"}
    elf.relocate(tmp_path, libraries="usr/lib/arch")
    assert search_path(file) == {"DT_RPATH": "$ORIGIN/arch"}


def test_mode_survives(tmp_path: Path) -> None:
    program = place(tmp_path, "usr/bin/program", "libone.so")
    place(tmp_path, "usr/lib/libone.so")
    program.chmod(0o755)
    elf.relocate(tmp_path, libraries="usr/lib")
    assert stat.S_IMODE(program.stat().st_mode) == 0o755


def test_libraries_that_nobody_brings_are_all_named(tmp_path: Path) -> None:
    place(tmp_path, "usr/bin/program", "libgone.so.7")
    place(tmp_path, "usr/bin/second", "libgone.so.7", "liblost.so.1")
    with pytest.raises(MissingLibrariesError) as caught:
        elf.relocate(tmp_path, libraries="usr/lib")
    assert caught.value.libraries == {
        "libgone.so.7": ("usr/bin/program", "usr/bin/second"),
        "liblost.so.1": ("usr/bin/second",),
    }
    assert "  - `libgone.so.7`, needed by `usr/bin/program`" in str(caught.value)


def test_broken_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.so").write_bytes(b"\x7fELF" + bytes(60))
    with pytest.raises(ArtifactError, match=r"`x\.so` is not a valid ELF file"):
        elf.relocate(tmp_path, libraries="usr/lib")


@pytest.mark.parametrize(
    ("versions", "newest"),
    [
        ([], (0, 0)),
        (["GLIBC_2.9", "GLIBC_2.34", "GLIBC_2.2.5"], (2, 34)),
        (["GLIBC_2.4", "GLIBC_ABI_DT_RELR"], (2, 36)),
        (["GLIBCXX_3.4.30", "OPENSSL_3.0.0"], (0, 0)),
    ],
)
def test_newest_glibc(versions: list[str], newest: tuple[int, int]) -> None:
    assert elf.newest_glibc(versions, "x") == newest


def test_private_symbols_of_glibc_are_refused() -> None:
    with pytest.raises(ArtifactError, match="private symbols of glibc"):
        elf.newest_glibc(["GLIBC_PRIVATE"], "x")


@pytest.mark.parametrize("name", ["libc.so.6", "libm.so.6", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"])
def test_c_library(name: str) -> None:
    assert C_LIBRARIES.fullmatch(name)


@pytest.mark.parametrize("name", ["libcrypt.so.1", "libcom_err.so.2", "libstdc++.so.6", "libnsl.so.2", "libgcc_s.so.1"])
def test_not_the_c_library(name: str) -> None:
    assert not C_LIBRARIES.fullmatch(name)
