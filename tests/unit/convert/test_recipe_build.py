from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from envgen.convert.conda_archive import content_digest
from envgen.convert.package import PLACEHOLDER, read_index
from envgen.convert.recipe_build import build_recipe
from envgen.errors import ArtifactError, UserError
from envgen.platforms import Platform

if TYPE_CHECKING:
    from pathlib import Path

GOOD = [
    "mkdir -p $PREFIX/bin $PREFIX/share",
    'echo "#!/bin/sh" > $PREFIX/bin/demo',
    'echo "ls $PREFIX/share" >> $PREFIX/bin/demo',
    "chmod 700 $PREFIX/bin/demo",
    "printf 'a\\0%s/lib\\0b' $PREFIX > $PREFIX/share/demo.bin",
    "cp text $PREFIX/share/text",
]


def _recipe(folder: Path, script: list[str], **fields: object) -> Path:
    (folder / "demo" / "src").mkdir(parents=True)
    (folder / "demo" / "src" / "text").write_text("text")
    (folder / "demo" / "LICENSE").write_text("do what you like")
    recipe = {
        "package": {"name": "demo", "version": "1.2"},
        "source": {"path": "src"},
        "build": {"number": 3, "noarch": "generic", "script": script},
        "requirements": {"run": ["python >=3.9"]},
        "about": {"license": "MIT", "license_file": "LICENSE", "summary": "A demo"},
    }
    (folder / "demo" / "recipe.yaml").write_text(yaml.safe_dump({**recipe, **fields}))
    return folder / "demo"


def _build(recipe: Path, folder: Path) -> Path:
    dest, work = folder / "packages", folder / "work"
    work.mkdir(parents=True)
    dest.mkdir()
    (package,) = build_recipe(recipe, platform=Platform.LINUX_64, dest=dest, work=work, log=folder / "log")
    return package


def test_builds_the_same_bytes_elsewhere_and_later(tmp_path: Path) -> None:
    first = _build(_recipe(tmp_path / "a", GOOD), tmp_path / "here")
    second = _build(_recipe(tmp_path / "b", GOOD), tmp_path / "some" / "where" / "else")
    assert content_digest(first) == content_digest(second)
    for file in first.rglob("*"):
        assert not file.is_file() or str(tmp_path).encode() not in file.read_bytes(), file


def test_is_a_package_with_our_placeholder(tmp_path: Path) -> None:
    package = _build(_recipe(tmp_path, GOOD), tmp_path / "out")
    index = read_index(package)
    assert (index["name"], index["version"], index["build_number"], index["subdir"]) == ("demo", "1.2", 3, "noarch")
    assert index["depends"] == ["python >=3.9"]
    assert "timestamp" not in index
    entries = {e["_path"]: e for e in json.loads((package / "info" / "paths.json").read_text())["paths"]}
    assert {p: e.get("file_mode") for p, e in entries.items()} == {
        "bin/demo": "text",
        "share/demo.bin": "binary",
        "share/text": None,
    }
    assert entries["bin/demo"]["prefix_placeholder"] == PLACEHOLDER
    assert (package / "share" / "demo.bin").read_bytes() == b"a\0" + PLACEHOLDER.encode() + b"/lib\0b"
    assert (package / "bin" / "demo").stat().st_mode & 0o777 == 0o755
    assert (package / "info" / "licenses" / "LICENSE").read_text() == "do what you like"


def test_a_failing_script_is_shown(tmp_path: Path) -> None:
    recipe = _recipe(tmp_path, ["echo about to fail", "exit 3"])
    with pytest.raises(UserError, match="failed to build recipe `demo`") as caught:
        _build(recipe, tmp_path / "out")
    assert "about to fail" in str(caught.value)


def test_a_malformed_recipe_is_the_users_fault(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="unknown field 'nam'"):
        _build(_recipe(tmp_path, GOOD, package={"nam": "demo"}), tmp_path / "out")


def test_nothing_can_be_installed_for_the_build(tmp_path: Path) -> None:
    recipe = _recipe(tmp_path, GOOD, requirements={"host": ["python"]})
    with pytest.raises(UserError, match="Failed to resolve dependencies") as caught:
        _build(recipe, tmp_path / "out")
    assert caught.value.hint is not None


def test_refuses_a_file_that_holds_the_build_folder(tmp_path: Path) -> None:
    recipe = _recipe(tmp_path, ["mkdir -p $PREFIX/share", "pwd > $PREFIX/share/where"])
    with pytest.raises(ArtifactError, match="`share/where` contains the path of its build folder"):
        _build(recipe, tmp_path / "out")


@pytest.mark.parametrize(
    ("script", "limit", "what", "hint"),
    [
        ("sleep 100", {"timeout": 2.0}, "did not finish within 2.0 s", "set ENVGEN_BUILD_TIMEOUT to more seconds"),
        (
            "yes $(printf %04000d)",
            {"most": 2 << 20},
            "wrote more than 2 MB of output, and was ended",
            "the whole log is in",
        ),
        ("sh -c 'kill -9 $$'", {}, "Script failed with status 137", "memory may have run out"),
        ("kill -9 0", {}, "was terminated by SIGKILL", "memory may have run out"),
    ],
    ids=["time", "log", "memory of the script", "memory of all"],
)
def test_is_ended(script: str, limit: dict[str, Any], what: str, hint: str, tmp_path: Path) -> None:
    recipe, work, dest = _recipe(tmp_path, [script]), tmp_path / "work", tmp_path / "packages"
    work.mkdir()
    dest.mkdir()
    log = tmp_path / "log"
    with pytest.raises(UserError) as failed:
        build_recipe(recipe, platform=Platform.LINUX_64, dest=dest, work=work, log=log, **limit)
    assert what in str(failed.value)
    assert hint in (failed.value.hint or "")
    assert log.is_file()
    assert not list(dest.iterdir())
