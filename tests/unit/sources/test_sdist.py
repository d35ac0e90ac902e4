from __future__ import annotations

import io
import tarfile
import zipfile
from typing import TYPE_CHECKING

import pytest

from envgen import limits
from envgen.errors import ArtifactError
from envgen.metadata import parse_metadata
from envgen.names import project_name
from envgen.sources.sdist import project_table_metadata, static_metadata, unpack_sdist
from tests.builders.sdists import make_tar

if TYPE_CHECKING:
    from pathlib import Path

SPAM = project_name("spam")


def archive(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "artifact"
    path.write_bytes(content)
    (tmp_path / "dest").mkdir()
    return path


def linked(target: str) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        member = tarfile.TarInfo("spam-1.0/link")
        member.type, member.linkname = tarfile.SYMTYPE, target
        tar.addfile(member)
    return out.getvalue()


def zipped(name: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr(name, "text")
    return out.getvalue()


def test_the_folder_of_an_archive(tmp_path: Path) -> None:
    path = archive(tmp_path, make_tar({"spam-1.0/setup.py": "code"}))
    assert (unpack_sdist(path, filename="spam-1.0.tar.gz", dest=tmp_path / "dest") / "setup.py").read_text() == "code"


def test_the_folder_of_a_zip(tmp_path: Path) -> None:
    path = archive(tmp_path, zipped("spam-1.0/setup.py"))
    assert unpack_sdist(path, filename="spam-1.0.zip", dest=tmp_path / "dest").name == "spam-1.0"


@pytest.mark.parametrize(
    ("filename", "content"),
    [
        ("spam-1.0.tar.gz", make_tar({"spam-1.0/../../x": ""})),
        ("spam-1.0.tar.gz", make_tar({"/x": ""})),
        ("spam-1.0.tar.gz", linked("/etc/passwd")),
        ("spam-1.0.tar.gz", linked("../../x")),
        ("spam-1.0.tar.gz", b"not an archive"),
        ("spam-1.0.tar.gz", make_tar({"spam-1.0/a": "text"})[:40]),
        ("spam-1.0.zip", b"not an archive"),
        ("spam-1.0.zip", zipped("../x")),
        ("spam-1.0.zip", zipped("spam-1.0/a")[:-30]),
    ],
    ids=["up", "absolute", "link", "link-up", "text", "cut", "text-zip", "up-zip", "cut-zip"],
)
def test_bad_archives_are_refused(filename: str, content: bytes, tmp_path: Path) -> None:
    path = archive(tmp_path, content)
    with pytest.raises(ArtifactError, match=f"`{filename}`"):
        unpack_sdist(path, filename=filename, dest=tmp_path / "dest")
    assert {one.name for one in tmp_path.iterdir()} == {"artifact", "dest"}


def test_what_unpacks_to_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SOURCE", 10)
    path = archive(tmp_path, make_tar({"spam-1.0/a": "x" * 11}))
    with pytest.raises(ArtifactError, match="10 bytes, which is the limit"):
        unpack_sdist(path, filename="spam-1.0.tar.gz", dest=tmp_path / "dest")


@pytest.mark.parametrize(
    ("head", "is_stated"),
    [
        ("Metadata-Version: 2.2", True),
        ("Metadata-Version: 2.4\nDynamic: License-File", True),
        ("Metadata-Version: 2.2\nDynamic: requires-dist", False),
        ("Metadata-Version: 2.2\nDynamic: Requires-Python", False),
        ("Metadata-Version: 2.1", False),
        ("Metadata-Version: new", False),
    ],
)
def test_which_pkg_info_is_believed(head: str, is_stated: bool, tmp_path: Path) -> None:
    raw = f"{head}\nName: spam\nVersion: 1.0\nRequires-Dist: eggs\n".encode()
    (tmp_path / "PKG-INFO").write_bytes(raw)
    assert static_metadata(tmp_path, project=SPAM, version="1.0") == (raw if is_stated else None)


def test_the_project_table_says_the_same_as_metadata() -> None:
    table = {
        "name": "Spam",
        "version": "1.0",
        "requires-python": ">=3.9",
        "dependencies": ["eggs <2", 'ham ; python_version < "4"'],
        "optional-dependencies": {"all": ["bacon", 'beans ; sys_platform == "linux" or sys_platform == "darwin"']},
    }
    raw = project_table_metadata({"project": table}, project=SPAM, version="1.0")
    assert raw is not None
    found = parse_metadata(raw)
    assert [str(one) for one in found.requires] == [
        "eggs<2",
        'ham; python_version < "4"',
        'bacon; extra == "all"',
        'beans; (sys_platform == "linux" or sys_platform == "darwin") and extra == "all"',
    ]
    assert found.provides_extra == {"all"}
    assert str(found.requires_python) == ">=3.9"


@pytest.mark.parametrize("key", ["version", "dependencies", "optional-dependencies", "requires-python"])
def test_a_dynamic_table_is_not_believed(key: str) -> None:
    table = {"name": "spam", "version": "1.0", "dynamic": [key]}
    assert project_table_metadata({"project": table}, project=SPAM, version="1.0") is None


def test_an_archive_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: ham\nVersion: 1.0\n")
    with pytest.raises(ArtifactError, match=r"of `spam` 1.0 has the metadata of `ham` 1.0"):
        static_metadata(tmp_path, project=SPAM, version="1.0")
