from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING

import pytest

from envgen.convert.canonical_wheel import check_built_name, metadata_of, write_canonical
from envgen.digest import Sha256
from envgen.errors import ArtifactError
from envgen.names import project_name

if TYPE_CHECKING:
    from pathlib import Path

FILES = {
    "spam/__init__.py": b"x = 1\n",
    "spam-1.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: spam\nVersion: 1.0\n",
    "spam-1.0.dist-info/WHEEL": b"Wheel-Version: 1.0\n",
    "spam-1.0.data/scripts/run": b"#!python\n",
}


def write(path: Path, *, reverse: bool = False, year: int = 2020, method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as wheel:
        for name, content in sorted(FILES.items(), reverse=reverse):
            info = zipfile.ZipInfo(name, (year, 1, 1, 0, 0, 0))
            info.external_attr = (0o100775 if name.endswith("run") else 0o100664) << 16
            wheel.writestr(info, content, method)
        wheel.writestr("spam-1.0.dist-info/RECORD", "wrong,,\n" if reverse else "")
    return path


def canonical(wheel: Path) -> bytes:
    out = io.BytesIO()
    write_canonical(wheel, out)
    return out.getvalue()


def test_the_bytes_depend_on_the_files_alone(tmp_path: Path) -> None:
    one = canonical(write(tmp_path / "one.whl"))
    other = canonical(write(tmp_path / "other.whl", reverse=True, year=2024, method=zipfile.ZIP_STORED))
    assert one == other
    # locks hold this digest: another one would make every locked build differ
    assert Sha256.of(one) == "0c317effe8b5666ac5fdc6f5ff82654676521d9ada88e41fdd7218cd57b4b10e"


def test_the_record_lists_every_file_with_its_digest(tmp_path: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(canonical(write(tmp_path / "one.whl")))) as wheel:
        record = wheel.read("spam-1.0.dist-info/RECORD").decode()
        modes = {info.filename: info.external_attr >> 16 for info in wheel.infolist()}
    assert [line.partition(",")[0] for line in record.splitlines()] == sorted([*FILES, "spam-1.0.dist-info/RECORD"])
    assert modes["spam-1.0.data/scripts/run"] == 0o100755
    assert modes["spam/__init__.py"] == 0o100644


def test_metadata_is_found(tmp_path: Path) -> None:
    wheel = write(tmp_path / "one.whl")
    assert metadata_of(wheel) == write_canonical(wheel, io.BytesIO()).metadata == FILES["spam-1.0.dist-info/METADATA"]


def test_a_zip_without_metadata_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "one.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("spam.py", "")
    with pytest.raises(ArtifactError, match="has 0 dist-info folders with METADATA, expected one"):
        write_canonical(path, io.BytesIO())


@pytest.mark.parametrize("name", ["spam-2.0-py3-none-any.whl", "ham-1.0-py3-none-any.whl", "spam.whl"])
def test_another_name_is_refused(name: str) -> None:
    check_built_name("Spam-1.0.0-py3-none-any.whl", project=project_name("spam"), version="1.0")
    with pytest.raises(ArtifactError, match=r"expected a wheel of `spam` 1.0, got"):
        check_built_name(name, project=project_name("spam"), version="1.0")
