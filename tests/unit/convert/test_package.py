from __future__ import annotations

import hashlib
import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from envgen.convert.package import PLACEHOLDER, read_index, record_of, seal
from envgen.digest import Sha256
from envgen.errors import ArtifactError
from envgen.names import ProjectName
from envgen.packages import Wheel

if TYPE_CHECKING:
    from pathlib import Path

INDEX = {"name": "spam", "version": "1.0", "build": "h1_0", "build_number": 0, "subdir": "linux-64", "depends": ["b"]}
ORIGIN = Wheel(
    project=ProjectName("spam"), version="1.0", filename="x", sha256=Sha256("0" * 64), size=None, requires={}
)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Make files with odd modes, and links."""
    root = tmp_path / "spam-1.0-h1_0"
    (root / "lib" / "deep").mkdir(parents=True)
    (root / "bin").mkdir()
    (root / "bin" / "spam").write_text(f"#!{PLACEHOLDER}/bin/python\n")
    (root / "bin" / "spam").chmod(0o4711)
    (root / "lib" / "libspam.so.1").write_bytes(b"\x7fELF")
    (root / "lib" / "libspam.so.1").chmod(0o666)
    (root / "lib" / "libspam.so").symlink_to("libspam.so.1")
    (root / "lib" / "deep" / "up").symlink_to("../libspam.so")
    (root / "lib64").symlink_to("lib")
    (root / "lib" / "elsewhere").symlink_to("libother.so")
    return root


def _paths(package: Path) -> dict[str, dict[str, Any]]:
    document = json.loads((package / "info" / "paths.json").read_text())
    assert document["paths_version"] == 1
    listed = [entry["_path"] for entry in document["paths"]]
    assert listed == sorted(listed)
    return {entry["_path"]: entry for entry in document["paths"]}


def test_placeholder_has_the_length_that_conda_build_settled_on() -> None:
    assert len(PLACEHOLDER) == 255


def test_lists_every_path(tree: Path) -> None:
    seal(tree, index=INDEX, placeholders={"bin/spam": "text"})
    paths = _paths(tree)
    assert {path: entry["path_type"] for path, entry in paths.items()} == {
        "bin/spam": "hardlink",
        "lib/deep/up": "softlink",
        "lib/elsewhere": "softlink",
        "lib/libspam.so": "softlink",
        "lib/libspam.so.1": "hardlink",
        "lib64": "softlink",
    }
    assert paths["bin/spam"]["prefix_placeholder"] == PLACEHOLDER
    assert paths["bin/spam"]["file_mode"] == "text"
    assert "file_mode" not in paths["lib/libspam.so.1"]


def test_a_link_has_the_digest_of_what_it_leads_to(tree: Path) -> None:
    seal(tree, index=INDEX, placeholders={})
    paths = _paths(tree)
    elf = {"sha256": hashlib.sha256(b"\x7fELF").hexdigest(), "size_in_bytes": 4}
    nothing = {"sha256": hashlib.sha256(b"").hexdigest(), "size_in_bytes": 0}
    assert {key: paths["lib/deep/up"][key] for key in elf} == elf
    assert {key: paths["lib64"][key] for key in nothing} == nothing
    assert {key: paths["lib/elsewhere"][key] for key in nothing} == nothing


def test_takes_the_digests_that_are_known(tree: Path) -> None:
    known = (Sha256("1" * 64), 77)
    seal(tree, index=INDEX, placeholders={}, digests={"lib/libspam.so.1": known})
    assert _paths(tree)["lib/libspam.so"]["sha256"] == known[0]
    assert _paths(tree)["lib/libspam.so.1"]["size_in_bytes"] == 77


def test_settles_modes_whatever_the_umask(tree: Path) -> None:
    (tree / "lib").chmod(0o700)
    old = os.umask(0o077)
    try:
        seal(tree, index=INDEX, placeholders={}, licenses={"sub/LICENSE": tree / "bin" / "spam"})
    finally:
        os.umask(old)
    modes = {
        path.relative_to(tree).as_posix(): oct(path.lstat().st_mode & 0o7777)
        for path in tree.rglob("*")
        if not path.is_symlink()
    }
    assert modes["bin/spam"] == "0o755"
    assert {mode for path, mode in modes.items() if (tree / path).is_dir()} == {"0o755"}
    assert {mode for path, mode in modes.items() if (tree / path).is_file() and path != "bin/spam"} == {"0o644"}


def test_the_same_tree_gives_the_same_bytes(tree: Path) -> None:
    seal(tree, index=INDEX, placeholders={"bin/spam": "text"}, about={"b": 1, "a": "ü"})
    first = {path.name: path.read_bytes() for path in (tree / "info").iterdir()}
    seal(tree, index=dict(reversed(INDEX.items())), placeholders={"bin/spam": "text"}, about={"a": "ü", "b": 1})
    assert {path.name: path.read_bytes() for path in (tree / "info").iterdir()} == first


@pytest.mark.parametrize("target", ["/etc/passwd", "../../outside", "../../spam-1.0-h1_1/x", "deep/../../../x"])
def test_refuses_a_link_that_leaves_the_package(tree: Path, target: str) -> None:
    (tree / "lib" / "evil").symlink_to(target)
    with pytest.raises(ArtifactError, match="`lib/evil` is a link to outside the package"):
        seal(tree, index=INDEX, placeholders={})


def test_refuses_a_link_that_leaves_through_another_one(tree: Path) -> None:
    (tree / "lib" / "deep" / "far").symlink_to("../../bin")
    (tree / "evil").symlink_to("lib/deep/far/../../x")
    with pytest.raises(ArtifactError, match="`evil` is a link to outside the package"):
        seal(tree, index=INDEX, placeholders={})


def test_refuses_what_is_neither_file_nor_link(tree: Path) -> None:
    os.mkfifo(tree / "lib" / "pipe")
    with pytest.raises(ArtifactError, match="`lib/pipe` is neither a file nor a link"):
        seal(tree, index=INDEX, placeholders={})


def test_reads_the_record_back(tree: Path) -> None:
    seal(tree, index=INDEX, placeholders={})
    record = record_of(tree, ORIGIN)
    assert record.dist == "spam-1.0-h1_0"
    assert (record.subdir, record.depends, record.noarch) == ("linux-64", ("b",), None)
    assert record.origin is ORIGIN


@pytest.mark.parametrize("content", [None, b"{", b"[]", b'{"name": "spam"}', b"\xff"])
def test_refuses_what_is_no_package(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "info").mkdir()
        (tmp_path / "info" / "index.json").write_bytes(content)
    with pytest.raises(ArtifactError, match=r"index\.json"):
        read_index(tmp_path)
