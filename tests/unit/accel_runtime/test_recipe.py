"""The package that the recipe makes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("rattler_build")

import accel_runtime
from accel_runtime import tuning
from envgen.convert.conda_archive import content_digest
from envgen.convert.package import read_index
from envgen.convert.recipe_build import build_recipe
from envgen.platforms import Platform

RECIPE = Path(__file__).parents[3] / "recipes/accel-runtime"
SOURCE = RECIPE / "src/accel_runtime"


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("built"), Platform.LINUX_64)


def build(folder: Path, platform: Platform) -> Path:
    for name in ("work", "packages"):
        (folder / name).mkdir(parents=True)
    work = folder / "work"
    (package,) = build_recipe(RECIPE, platform=platform, dest=folder / "packages", work=work, log=folder / "log")
    return package


def test_it_is_for_every_platform(package: Path) -> None:
    index = read_index(package)
    assert (index["name"], index["version"], index["noarch"]) == ("accel-runtime", accel_runtime.__version__, "python")
    assert index["depends"] == ["python >=3.11"]
    assert json.loads((package / "info/link.json").read_text())["noarch"]["entry_points"] == [
        "accel = accel_runtime.cli:main"
    ]


def test_it_holds_the_modules_and_nothing_else(package: Path) -> None:
    site = package / "site-packages"
    expected = {file.name for file in SOURCE.glob("*.py")}
    assert {file.name for file in (site / "accel_runtime").iterdir()} == expected
    assert sorted(path.name for path in site.iterdir()) == ["accel_runtime", "accel_runtime-0.1.0.dist-info"]


def test_torch_finds_the_entry_point(package: Path) -> None:
    (meta,) = (package / "site-packages").glob("*.dist-info")
    expected = "[torch.backends]\naccel_runtime = accel_runtime.autoload:autoload\n"
    assert (meta / "entry_points.txt").read_text() == expected
    assert f"Version: {accel_runtime.__version__}\n" in (meta / "METADATA").read_text()


def test_activation_sets_what_was_measured(package: Path) -> None:
    (file,) = (package / "etc/conda/env_vars.d").iterdir()
    assert json.loads(file.read_text()) == tuning.ACTIVATED


def test_two_builds_have_the_same_bytes(package: Path, tmp_path: Path) -> None:
    assert content_digest(package) == content_digest(build(tmp_path / "elsewhere", Platform.LINUX_64))
