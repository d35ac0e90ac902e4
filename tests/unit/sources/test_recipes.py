from __future__ import annotations

from pathlib import Path

import pytest

from envgen.errors import SpecError
from envgen.sources.recipes import find_recipes, folder_digest, read_debian_recipe

DEBIAN = "name: tool\nversion-from: tool\nsuites: [bookworm]\npackages: [tool]\nfiles: {etc/tool.conf: tool.conf}\n"
SHIPPED = Path(__file__).parents[3] / "recipes"


def write(folder: Path, files: dict[str, str]) -> Path:
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    return folder


def test_recipes_are_found_and_the_first_folder_wins(tmp_path: Path) -> None:
    own = write(tmp_path / "own", {"tool/debian.yaml": DEBIAN, "notes/README": "no recipe", "file": ""})
    shipped = write(tmp_path / "shipped", {"tool/debian.yaml": "name: other", "runtime/recipe.yaml": "package: {}"})
    found = find_recipes([own, shipped])
    assert sorted(found) == ["runtime", "tool"]
    assert found["tool"].folder == own / "tool"
    assert found["tool"].is_debian
    assert not found["runtime"].is_debian


def test_recipe_of_two_kinds_is_refused(tmp_path: Path) -> None:
    write(tmp_path, {"tool/debian.yaml": DEBIAN, "tool/recipe.yaml": ""})
    with pytest.raises(SpecError, match=r"recipes/tool: expected one file, got debian\.yaml and recipe\.yaml"):
        find_recipes([tmp_path])


def test_digest_counts_paths_and_bytes_alone(tmp_path: Path) -> None:
    files = {"debian.yaml": DEBIAN, "sub/tool.conf": "x"}
    first = folder_digest(write(tmp_path / "a", files))
    (tmp_path / "a" / "debian.yaml").chmod(0o600)
    left_out = {".debian.yaml.swp": "editor", "__pycache__/x.pyc": "", "README.md": "text", "sub/README": "text"}
    assert folder_digest(write(tmp_path / "a", left_out)) == first
    assert folder_digest(write(tmp_path / "b", dict(reversed(files.items())))) == first
    assert folder_digest(write(tmp_path / "c", {**files, "sub/tool.conf": "y"})) != first
    assert folder_digest(write(tmp_path / "d", {"debian.yaml": DEBIAN, "tool.conf": "x"})) != first


def test_debian_recipe_contains_its_templates(tmp_path: Path) -> None:
    write(tmp_path, {"tool/debian.yaml": DEBIAN, "tool/tool.conf": "at = ${{ prefix }}\n"})
    recipe = find_recipes([tmp_path])["tool"]
    parsed = read_debian_recipe(recipe)
    assert parsed.files == {"etc/tool.conf": "at = ${{ prefix }}\n"}
    assert parsed.digest == recipe.digest


def test_faults_name_the_file_and_the_line(tmp_path: Path) -> None:
    write(tmp_path, {"tool/debian.yaml": DEBIAN + "pakages: []\n"})
    with pytest.raises(SpecError) as caught:
        read_debian_recipe(find_recipes([tmp_path])["tool"])
    assert "recipes/tool/debian.yaml:5: `files.etc/tool.conf`: the recipe does not contain the file 'tool.conf'" in str(
        caught.value
    )
    assert "recipes/tool/debian.yaml:6: unknown key `pakages` (did you mean `packages`?)" in str(caught.value)


def test_binary_file_beside_a_recipe_is_refused(tmp_path: Path) -> None:
    write(tmp_path, {"tool/debian.yaml": DEBIAN})
    (tmp_path / "tool" / "tool.conf").write_bytes(b"\xff\xfe")
    with pytest.raises(SpecError, match="not UTF-8"):
        read_debian_recipe(find_recipes([tmp_path])["tool"])


@pytest.mark.parametrize("target", ["../../secret", "/etc/passwd", "../other/debian.yaml", "..", "gone/../../../x"])
def test_link_out_of_a_recipe_is_refused(tmp_path: Path, target: str) -> None:
    write(tmp_path, {"secret": "x", "recipes/tool/debian.yaml": DEBIAN, "recipes/other/debian.yaml": DEBIAN})
    (tmp_path / "recipes/tool/sub").mkdir()
    (tmp_path / "recipes/tool/tool.conf").symlink_to(target)
    with pytest.raises(SpecError, match=r"recipes/tool/tool\.conf: symbolic link to"):
        find_recipes([tmp_path / "recipes"])


def test_link_out_of_the_recipes_is_refused(tmp_path: Path) -> None:
    write(tmp_path, {"private/debian.yaml": DEBIAN})
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes/tool").symlink_to("../private")
    with pytest.raises(SpecError, match=r"recipes/tool: symbolic link to"):
        find_recipes([tmp_path / "recipes"])


def test_link_inside_a_recipe_is_taken(tmp_path: Path) -> None:
    write(tmp_path, {"tool/debian.yaml": DEBIAN, "tool/sub/x": "text"})
    (tmp_path / "tool/tool.conf").symlink_to("sub/x")
    assert read_debian_recipe(find_recipes([tmp_path])["tool"]).files == {"etc/tool.conf": "text"}


def test_shipped_recipe_of_python_is_sound() -> None:
    parsed = read_debian_recipe(find_recipes([SHIPPED])["python"])
    assert parsed.name == "python"
    assert "libc6" in parsed.exclude
    assert [output.name for output in parsed.outputs] == ["python_abi"]
