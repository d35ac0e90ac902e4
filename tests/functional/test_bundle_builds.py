"""Bundles of what is built: wheels of sources, projects of the repository, and recipes with code beside them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tarfile
from typing import TYPE_CHECKING

import pytest

from envgen.project.shipped import bundle_start
from envgen.structs import replace
from tests.builders.sdists import make_sdist, sdist_filename, unpack_sdist
from tests.functional.test_recipe_sources import RECIPE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.builders.registries import Registries
    from tests.command import Command, Outcome, Project

SPEC = """\
python: "3.11"
platforms: {linux-64: {glibc: "2.36"}}
dependencies: [python, hello]
pypi: [./libs/mylib]
"""
TABLE = '[project]\nname = "mylib"\nversion = "1.0"\ndependencies = ["made"]\n'
NEEDS_SPAM = "import spam"


@pytest.fixture
def built(project: Project, registries: Registries, cli: Command) -> Project:
    """Lock a source archive, a project that is built with wheels that the environment lacks, and a recipe."""
    registries.index.add(sdist_filename("made"), make_sdist("made"))
    registries.publish()
    archive = make_sdist(
        "mylib", files={"mylib.py": "x = 1\n"}, requires=["made"], project=TABLE, build_requires=["spam <1.1", "eggs"],
        on_wheel=NEEDS_SPAM,
    )  # fmt: skip
    unpack_sdist(archive, project.root / "libs/mylib")
    project.write("libs/mylib/.hidden", "left out")
    (project.root / "libs/mylib/tool.sh").write_text("exit\n")
    (project.root / "libs/mylib/tool.sh").chmod(0o755)
    project.write("recipes/hello/recipe.yaml", RECIPE)
    project.write("libs/hello/hello.txt", "hello")
    project.spec("demo", SPEC)
    cli("lock").succeeded()
    return project


def unpacked(bundle: Path, folder: Path) -> Path:
    """Write the project of a bundle as its starter does, without installing envgen."""
    folder.mkdir()
    script = folder / "start.py"
    script.write_bytes(bundle_start())
    code = (
        "import json, pathlib, start; bundle = start.Bundle(pathlib.Path(sys.argv[1])); "
        "entries = json.loads(bundle.read('index.json'))['manifests']; "
        "start.unpack_project(bundle, [bundle.document(e) for e in entries], pathlib.Path('project'))"
    )
    subprocess.run([sys.executable, "-c", f"import sys; {code}", str(bundle)], cwd=folder, env={}, check=True)
    return folder / "project"


def away(cli: Command, tmp_path: Path, bundle: Path) -> Command:
    """Run on a machine with an empty cache and no network, in what the bundle has of the project."""
    variables = {
        **cli.variables,
        "ENVGEN_CACHE": str(tmp_path / "other-cache"),
        "ENVGEN_OFFLINE": "1",
        "ENVGEN_BUNDLE": str(bundle),
    }
    return replace(cli, directory=unpacked(bundle, tmp_path / "there"), variables=variables)


def said(outcome: Outcome) -> str:
    return " ".join((outcome.out + outcome.err).split())


def test_all_of_it_is_made_elsewhere_without_a_network(
    built: Project, registries: Registries, cli: Command, tmp_path: Path
) -> None:
    bundle = tmp_path / "demo.tar"
    cli("bundle", "--no-tools", "--output", str(bundle)).succeeded()
    cli("verify", str(bundle)).succeeded()
    registries.server.content = {}
    there = away(cli, tmp_path, bundle)
    code = there.directory / "libs/mylib"
    assert not (code / ".hidden").exists()
    assert (code / "tool.sh").stat().st_mode & 0o100
    created = there("create", "--prefix", str(tmp_path / "env")).succeeded()
    assert "running the build of `mylib`" in created.err
    assert "running the script of recipe `hello`" in created.err
    assert "`made`" not in created.err, "its wheel is in the bundle"
    assert (tmp_path / "env/share/hello.txt").read_text() == "hello"
    site = tmp_path / "env/lib/python3.11/site-packages"
    assert (site / "mylib.py").read_text() == "x = 1\n"
    assert (site / "made.py").exists()
    (code / "mylib.py").write_text("x = 2\n")
    there("create", "--prefix", str(tmp_path / "env")).succeeded()
    assert (site / "mylib.py").read_text() == "x = 2\n"
    assert built.locks() == {path.name: path.read_bytes() for path in (there.directory / "locks").iterdir()}


def test_wheels_are_built_for_a_bundle(built: Project, cli: Command, tmp_path: Path) -> None:
    del built
    shutil.rmtree(cli.variables["ENVGEN_CACHE"])
    bundle = tmp_path / "demo.tar"
    assert "running the build of `made`" in cli("bundle", "--no-tools", "--output", str(bundle)).succeeded().err
    with tarfile.open(bundle) as tar:
        texts = [tar.extractfile(member).read() for member in tar if member.size < 100_000]  # type: ignore[union-attr]
    titles = {
        layer["annotations"]["org.opencontainers.image.title"]
        for text in texts
        if text.startswith(b"{") and b'"layers"' in text
        for layer in json.loads(text)["layers"]
    }
    assert {"wheels/made-1.0-py3-none-any.whl", "wheels/spam-1.0-py3-none-any.whl"} <= titles
    assert {"project/libs/mylib/mylib.py", "project/libs/hello/hello.txt"} <= titles
    assert "wheels/mylib-1.0-py3-none-any.whl" not in titles


def test_no_build_refuses_to_build_for_a_bundle(built: Project, cli: Command) -> None:
    del built
    shutil.rmtree(cli.variables["ENVGEN_CACHE"])
    outcome = cli("bundle", "--no-tools", "--no-build")
    assert outcome.code == 1
    assert "`made` 1.0 must be built" in said(outcome)


def test_pinned_code_that_a_bundle_cannot_hold(built: Project, cli: Command) -> None:
    who = ["-c", "user.name=x", "-c", "user.email=x@y"]
    for words in (["init", "--quiet"], ["add", "--all"], [*who, "commit", "--quiet", "--message=x"]):
        subprocess.run(["git", *words], cwd=built.root, check=True)
    cli("lock", "--pin-local").succeeded()
    outcome = cli("bundle", "--no-tools")
    assert outcome.code == 1
    assert "`libs/mylib/.hidden` is pinned, and a bundle cannot contain hidden files and symbolic links" in said(
        outcome
    )
