"""Recipes that build from code of the project: its edits leave the lock as it is, and are built."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.builders.system import base_debs
from tests.functional.conftest import SPEC

if TYPE_CHECKING:
    from tests.builders.registries import Registries
    from tests.command import Command, Outcome, Project

RECIPE = """
package: {name: hello, version: "1.2"}
source: {path: ../../libs/hello}
build:
  noarch: generic
  script:
    - mkdir -p $PREFIX/share
    - cp hello.txt $PREFIX/share/
"""


@pytest.fixture
def greeted(project: Project) -> Project:
    """Make a project whose recipe builds from a folder beside it."""
    project.write("recipes/hello/recipe.yaml", RECIPE)
    project.write("libs/hello/hello.txt", "hello")
    project.spec("demo", SPEC.replace("[python]", "[python, hello]"))
    return project


def greeting(cli: Command) -> str:
    return Path(cli.variables["CONDA_ENVS_PATH"], "demo/share/hello.txt").read_text()


def said(outcome: Outcome) -> str:
    return " ".join((outcome.out + outcome.err).split())


def test_an_edit_leaves_the_lock_and_is_built(greeted: Project, cli: Command) -> None:
    cli("lock").succeeded()
    before = greeted.locks()
    cli("create").succeeded()
    assert greeting(cli) == "hello"
    assert "up to date, nothing to do" in cli("create").succeeded().err
    greeted.write("libs/hello/hello.txt", "hello again")
    greeted.write("libs/hello/build/made.txt", "made by a build, which does not count")
    cli("lock", "--check").succeeded()
    assert "running the script of recipe `hello`" in cli("create").succeeded().err
    assert greeting(cli) == "hello again"
    cli("lock", "--refresh").succeeded()
    assert greeted.locks() == before
    greeted.write("libs/hello/hello.txt", "hello")
    assert "running the script" not in cli("create").succeeded().err, "it was built before"
    assert greeting(cli) == "hello"


def commit(project: Project, *paths: str) -> None:
    """Add files of a project to git and commit them."""
    who = ["-c", "user.name=x", "-c", "user.email=x@y"]
    for words in (["init", "--quiet"], ["add", *paths], [*who, "commit", "--quiet", "--message=x"]):
        subprocess.run(["git", *words], cwd=project.root, check=True)


def test_what_git_does_not_track_is_left_out_and_told(greeted: Project, cli: Command) -> None:
    cli("lock").succeeded()
    outside_git = greeted.locks()
    commit(greeted, "libs")
    greeted.write("recipes/hello/recipe.yaml", RECIPE.replace("hello.txt", "*.txt"))
    greeted.write("libs/hello/scratch.txt", "not for others")
    cli("lock").succeeded()
    said_by_create = said(cli("create").succeeded())
    assert "`./libs/hello`: left out `scratch.txt`: git does not track it" in said_by_create
    share = Path(cli.variables["CONDA_ENVS_PATH"], "demo/share")
    assert {path.name for path in share.glob("*.txt")} == {"hello.txt"}
    commit(greeted, "libs")
    cli("create").succeeded()
    assert {path.name for path in share.glob("*.txt")} == {"hello.txt", "scratch.txt"}
    greeted.write("recipes/hello/recipe.yaml", RECIPE)
    cli("lock").succeeded()
    assert greeted.locks() == outside_git


def test_a_folder_that_git_does_not_track_is_refused(greeted: Project, cli: Command) -> None:
    commit(greeted, "environments")
    outcome = cli("lock")
    assert outcome.code == 1
    assert "git tracks no file in `hello`" in said(outcome)


def test_a_lock_does_not_depend_on_the_code(greeted: Project, cli: Command) -> None:
    cli("lock").succeeded()
    before = greeted.locks()
    greeted.write("libs/hello/hello.txt", "hello again")
    for path in (greeted.root / "locks").iterdir():
        path.unlink()
    cli("lock").succeeded()
    assert greeted.locks() == before


def test_its_requirements_make_the_lock_stale(greeted: Project, cli: Command) -> None:
    cli("lock").succeeded()
    greeted.write("recipes/hello/recipe.yaml", RECIPE + "requirements: {run: [zlib]}\n")
    outcome = cli("lock", "--check")
    assert outcome.code == 1
    assert "the recipe `hello` changed" in said(outcome)


def test_no_build_refuses_what_was_edited(greeted: Project, cli: Command) -> None:
    cli("lock").succeeded()
    cli("create", "--no-build").succeeded()
    greeted.write("libs/hello/hello.txt", "hello again")
    outcome = cli("create", "--no-build")
    assert outcome.code == 1
    assert "`hello`" in outcome.err
    assert greeting(cli) == "hello"


def test_pinned_files_make_the_lock_stale(greeted: Project, cli: Command) -> None:
    cli("lock").succeeded()
    usual = greeted.locks()
    cli("lock", "--pin-local").succeeded()
    assert greeted.locks() != usual
    greeted.write("libs/hello/hello.txt", "hello again")
    what = "`./libs/hello` has other files than were locked with `--pin-local`"
    assert what in said(cli("lock", "--check"))
    frozen = cli("create", "--frozen")
    assert frozen.code == 5
    assert what in frozen.err
    cli("lock").succeeded()
    cli("create").succeeded()
    assert greeting(cli) == "hello again"
    cli("lock", "--no-pin-local").succeeded()
    assert greeted.locks() == usual


def test_a_record_names_what_was_built(greeted: Project, cli: Command) -> None:
    cli("lock").succeeded()
    found = set()
    for text in ("hello", "hello again"):
        greeted.write("libs/hello/hello.txt", text)
        cli("create").succeeded()
        (record,) = Path(cli.variables["CONDA_ENVS_PATH"], "demo/conda-meta").glob("hello-*.json")
        found.add(json.loads(record.read_text())["sha256"])
    assert len(found) == 2


def test_an_image_refuses_uncommitted_code(greeted: Project, registries: Registries, cli: Command) -> None:
    registries.debian.add(*base_debs("amd64"))
    registries.publish()
    image = "image: {base: {suites: [bookworm, bookworm-security]}}\n"
    greeted.spec("demo", SPEC.replace("[python]", "[python, hello]") + image)
    commit(greeted, "libs")
    cli("lock").succeeded()
    greeted.write("libs/hello/hello.txt", "hello again")
    outcome = cli("image", "--no-check")
    assert outcome.code == 1
    assert "`./libs/hello` has uncommitted changes: `libs/hello/hello.txt`" in said(outcome)
    cli("image", "--no-check", "--dirty").succeeded()
    blobs = (greeted.root / "dist/demo.oci/blobs/sha256").iterdir()
    texts = [path.read_bytes() for path in blobs if path.stat().st_size < 20_000]
    assert any(b'"envgen.project.hello":"sha256:' in text.replace(b'": "', b'":"') for text in texts)


def test_another_lock_without_its_recipe(greeted: Project, cli: Command) -> None:
    cli("lock").succeeded()
    (greeted.root / "recipes/hello/recipe.yaml").unlink()
    outcome = cli("create", "--frozen")
    assert outcome.code == 1
    assert "the recipe `hello` does not exist" in said(outcome) or "`hello` cannot be built" in said(outcome)
