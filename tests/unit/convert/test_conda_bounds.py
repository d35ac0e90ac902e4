from __future__ import annotations

import bz2
import io
import tarfile
import zipfile
from typing import TYPE_CHECKING

import pytest
import zstandard

from envgen import limits
from envgen.convert.conda_archive import extract_conda
from envgen.convert.conda_bounds import check_bounds
from envgen.errors import ArtifactError

if TYPE_CHECKING:
    from pathlib import Path

MB = 1 << 20


def tar(*sizes: int) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as made:
        for number, size in enumerate(sizes):
            member = tarfile.TarInfo(f"share/{number}")
            member.size = size
            made.addfile(member, io.BytesIO(bytes(size)))
    return file.getvalue()


def sparse(size: int) -> bytes:
    """Make a tar with a file of `size` bytes, all of them a hole (GNU's sparse format 1.0)."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as made:
        content = b"1\n%d\n0\n" % size
        member = tarfile.TarInfo("share/hole")
        member.size = 512
        member.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": str(size)}
        made.addfile(member, io.BytesIO(content.ljust(512, b"\0")))
    return file.getvalue()


def conda(folder: Path, package: bytes) -> Path:
    path = folder / "bomb-1-0.conda"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", '{"conda_pkg_format_version": 2}')
        archive.writestr("pkg-bomb-1-0.tar.zst", zstandard.compress(package))
        archive.writestr("info-bomb-1-0.tar.zst", zstandard.compress(tar()))
    return path


def bz2_archive(folder: Path, package: bytes) -> Path:
    path = folder / "bomb-1-0.tar.bz2"
    path.write_bytes(bz2.compress(package))
    return path


@pytest.mark.parametrize("make", [conda, bz2_archive])
@pytest.mark.parametrize("package", [tar(40 * MB), tar(*[MB] * 40), sparse(1 << 40)], ids=["one", "many", "sparse"])
def test_a_bomb_is_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: type, package: bytes
) -> None:
    monkeypatch.setattr(limits, "PACKAGE", 32 * MB)
    archive = make(tmp_path, package)
    with pytest.raises(
        ArtifactError, match=r"failed to extract `bomb-1-0\..*`: it unpacks to more than 33554432 bytes"
    ):
        extract_conda(archive, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("make", [conda, bz2_archive])
def test_too_many_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: type) -> None:
    monkeypatch.setattr(limits, "PACKAGE_FILES", 10)
    check_bounds(make(tmp_path, tar(*[1] * 10)))
    with pytest.raises(ValueError, match="more than 10 files"):
        check_bounds(make(tmp_path, tar(*[1] * 11)))
