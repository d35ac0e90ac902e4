from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from envgen.convert.deb_text import apply_edits, join, point_inside
from envgen.errors import ArtifactError
from envgen.manifest.debian_recipe import Edit

if TYPE_CHECKING:
    from pathlib import Path


def write(root: Path, files: dict[str, str]) -> tuple[str, ...]:
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(text.encode())
    return tuple(files)


@pytest.mark.parametrize(
    ("text", "becomes"),
    [
        ("'LIBDIR': '/usr/lib/arch'", "'LIBDIR': '/P/usr/lib/arch'"),
        ("prefix=/usr\n", "prefix=/P/usr\n"),
        ("'/usr/lib/arch/'", "'/P/usr/lib/arch/'"),
        ("/lib/arch/libz.so", "/P/usr/lib/arch/libz.so"),
        ("/usr/share/zoneinfo:/usr/lib", "/usr/share/zoneinfo:/P/usr/lib"),
        ("-I/usr/lib", "-I/usr/lib"),
        ("./usr/lib", "./usr/lib"),
        ("/opt/debian/usr/lib", "/opt/debian/usr/lib"),
        ("${root}/usr/lib", "${root}/usr/lib"),
        ("/usr/libexec", "/usr/libexec"),
        ("line\r\n", "line\r\n"),
    ],
)
def test_paths_that_the_tree_has_are_pointed_inside(tmp_path: Path, text: str, becomes: str) -> None:
    paths = write(tmp_path, {"usr/lib/arch/libz.so": "", "usr/lib/config.py": text})
    point_inside(tmp_path, ["usr/lib/*.py"], paths=paths, home="/P")
    assert (tmp_path / "usr/lib/config.py").read_bytes().decode() == becomes


def test_edit_changes_each_file(tmp_path: Path) -> None:
    paths = write(tmp_path, {"usr/a.py": "x86-gcc x86-gcc", "usr/b.py": "x86-gcc"})
    edit = Edit(files="usr/*.py", old="x86-gcc", new="gcc")
    apply_edits(tmp_path, [edit], paths=paths)
    assert [(tmp_path / path).read_text() for path in paths] == ["gcc gcc", "gcc"]


def test_edit_that_finds_nothing_is_refused(tmp_path: Path) -> None:
    paths = write(tmp_path, {"usr/a.py": "x", "usr/b.py": "y"})
    with pytest.raises(ArtifactError, match=r"`usr/b\.py` does not contain 'x'"):
        apply_edits(tmp_path, [Edit(files="usr/*.py", old="x", new="z")], paths=paths)


def test_pattern_without_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(ArtifactError, match="`relocate`: pattern `li\\*` matches no file"):
        point_inside(tmp_path, ["li*"], paths=["link"], home="/P")


def test_binary_file_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"\xff")
    with pytest.raises(ArtifactError, match="`x` is not UTF-8 text"):
        point_inside(tmp_path, ["x"], paths=["x"], home="/P")


def test_joined_files_go(tmp_path: Path) -> None:
    paths = write(tmp_path, {"usr/c/b.crt": "B\n\n", "usr/c/a.crt": "A", "usr/c/ő.crt": "O\n", "usr/d/kept": ""})
    gone = join(tmp_path, "usr/c/*.crt", tmp_path / "out/all.pem", paths=paths)
    assert (tmp_path / "out/all.pem").read_text() == "A\nB\nO\n"
    assert sorted(gone) == ["usr/c/a.crt", "usr/c/b.crt", "usr/c/ő.crt"]
    assert not (tmp_path / "usr/c").exists()
    assert (tmp_path / "usr/d/kept").exists()
