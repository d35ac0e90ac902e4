from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from envgen.errors import ArtifactError
from envgen.image.ldcache import Library, render, scan
from envgen.platforms import Platform

LDCONFIG = shutil.which("ldconfig", path="/sbin:/usr/sbin")


def library(name: str) -> Library:
    return Library(name=name, path=f"/lib/x86_64-linux-gnu/{name}", flags=0x0303)


def names(cache: bytes) -> list[str]:
    """Read names in the order of a cache, by the offsets that the loader follows."""
    count = struct.unpack_from("<I", cache, 20)[0]
    starts = [struct.unpack_from("<iIIIQ", cache, 48 + 24 * number)[1] for number in range(count)]
    return [cache[start : cache.index(b"\0", start)].decode() for start in starts]


def test_order_is_the_loaders() -> None:
    found = names(
        render(map(library, ["libz.so.1", "libz.so.10", "libz.so.9", "liba.so", "libz.so.1.2", "libzz.so.1"]))
    )
    assert found == ["libzz.so.1", "libz.so.10", "libz.so.9", "libz.so.1.2", "libz.so.1", "liba.so"]


def test_order_of_the_input_does_not_count() -> None:
    libraries = [library(f"lib{letter}.so.{number}") for letter in "abc" for number in (1, 2)]
    assert render(libraries) == render(libraries[::-1])


@pytest.mark.skipif(LDCONFIG is None, reason="no ldconfig here")
def test_ldconfig_reads_it(tmp_path: Path) -> None:
    (tmp_path / "cache").write_bytes(render([library("libcuda.so.1"), library("libz.so.1")]))
    done = subprocess.run([str(LDCONFIG), "-p", "-C", tmp_path / "cache"], capture_output=True, text=True, check=True)
    assert "2 libs found" in done.stdout
    assert "libcuda.so.1 (libc6,x86-64) => /lib/x86_64-linux-gnu/libcuda.so.1" in done.stdout


@pytest.mark.skipif(LDCONFIG is None, reason="no ldconfig here")
def test_an_empty_cache_is_one(tmp_path: Path) -> None:
    (tmp_path / "cache").write_bytes(render([]))
    done = subprocess.run([str(LDCONFIG), "-p", "-C", tmp_path / "cache"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("0 libs found")


def test_libraries_are_found_by_the_name_they_give_themselves(tmp_path: Path) -> None:
    folder = tmp_path / "usr/lib/x86_64-linux-gnu"
    folder.mkdir(parents=True)
    source = next(Path("/").glob("lib/*-linux-gnu/libz.so.1")).resolve()
    shutil.copy(source, folder / "libz.so.1.2.3")
    (folder / "libz.so.1").symlink_to("libz.so.1.2.3")
    (folder / "libz.so").symlink_to("libz.so.1.2.3")
    (folder / "libc.so").write_text("/* GNU ld script */")
    (folder / "libgone.so.1").symlink_to("libgone.so.1.0")
    assert scan(tmp_path, platform=Platform.LINUX_64) == (library("libz.so.1"),)


def test_a_broken_library_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "usr/lib/x86_64-linux-gnu"
    folder.mkdir(parents=True)
    (folder / "libz.so.1").write_bytes(b"\x7fELF and no more")
    with pytest.raises(ArtifactError, match=r"libz\.so\.1"):
        scan(tmp_path, platform=Platform.LINUX_64)
