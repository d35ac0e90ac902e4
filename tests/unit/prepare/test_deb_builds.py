"""A Debian recipe is built in a child as it is built here, and what fails there fails here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from envgen.errors import ArtifactError
from envgen.platforms import Platform
from envgen.prepare import deb_builds
from envgen.prepare.built import described
from envgen.prepare.deb_builds import build
from envgen.system import child
from tests.unit.convert.test_deb import LIBRARY, RECIPE, TOOL, put, recipe

if TYPE_CHECKING:
    from pathlib import Path

    from envgen.prepare.built import Built


@pytest.fixture(autouse=True)
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deb_builds, "_WORTH_A_CHILD", 0)
    monkeypatch.setattr(child, "has_room", lambda: True)


def build_in(folder: Path, text: str = RECIPE) -> tuple[Built | None, list[str]]:
    (folder / "package").mkdir(parents=True)
    debs, told = put(folder, {"tool": TOOL, "libtool": LIBRARY}), list[str]()
    dest = folder / "package"
    return build(recipe(text), debs, platform=Platform.LINUX_64, dest=dest, warn=told.append), told


def test_a_child_builds_the_same_and_digests_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built, told = build_in(tmp_path / "child", RECIPE.replace("drop: [", "drop: [nothing/**, "))
    assert built == described(tmp_path / "child/package", tmp_path)
    assert "nothing/**" in " ".join(told)
    monkeypatch.setattr(child, "has_room", lambda: False)
    here, also_told = build_in(tmp_path / "here", RECIPE.replace("drop: [", "drop: [nothing/**, "))
    assert here is None
    assert described(tmp_path / "here/package", tmp_path) == built
    assert told == also_told


def test_the_exception_of_a_failed_build_is_the_one_of_this_process(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"tool\.conf"):
        build_in(tmp_path, RECIPE.replace('old: "${{ multiarch }}-gcc"', "old: absent"))
