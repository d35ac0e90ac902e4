"""Recipes of a project: a rattler-build recipe becomes a package of the lock and of the environment."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.functional.conftest import SPEC

if TYPE_CHECKING:
    from tests.command import Command, Project

RECIPE = """
package: {name: hello, version: "1.2"}
build:
  noarch: generic
  script:
    - mkdir -p $PREFIX/share
    - echo "greets from $PREFIX" > $PREFIX/share/hello.txt
requirements: {run: [greeting]}
"""
COPYING = """
package: {name: hello, version: "1.2"}
source: {path: src}
build:
  noarch: generic
  script:
    - mkdir -p $PREFIX/share
    - for file in *.txt *.md; do [ ! -e $file ] || cp $file $PREFIX/share/; done
requirements: {run: [greeting]}
"""
NEEDED = """
package: {name: greeting, version: "3"}
build:
  noarch: generic
  script: [mkdir -p $PREFIX/share, echo hi > $PREFIX/share/greeting.txt]
"""


@pytest.fixture
def greeted(project: Project) -> Project:
    """Make a project with two recipes, of which the spec names one."""
    project.write("recipes/hello/recipe.yaml", RECIPE)
    project.write("recipes/greeting/recipe.yaml", NEEDED)
    project.spec("demo", SPEC.replace("[python]", "[hello]"))
    return project


def test_recipe_and_what_it_needs_are_built_locked_and_linked(greeted: Project, cli: Command) -> None:
    cli("lock").succeeded()
    packages = {p["name"]: p for p in cli("list", "--json").succeeded().json()["linux-64"]}
    assert (packages["hello"]["version"], packages["hello"]["from"]) == ("1.2", "recipe")
    assert packages["greeting"]["from"] == "recipe"
    cli("create").succeeded()
    prefix = cli.directory.parent / "home/envs/demo"
    assert (prefix / "share/hello.txt").read_text() == f"greets from {prefix}\n"


def test_recipe_is_built_to_the_same_bytes_from_an_empty_cache(greeted: Project, cli: Command) -> None:
    cli("lock").succeeded()
    first = greeted.locks()
    shutil.rmtree(cli.variables["ENVGEN_CACHE"])
    cli("lock").succeeded()
    assert greeted.locks() == first


def test_documentation_of_a_recipe_neither_stales_the_lock_nor_gets_into_the_package(
    greeted: Project, cli: Command
) -> None:
    greeted.write("recipes/hello/recipe.yaml", COPYING)
    greeted.write("recipes/hello/src/hello.txt", "hello")
    cli("lock").succeeded()
    first = greeted.locks()
    greeted.write("recipes/hello/README.md", "about")
    greeted.write("recipes/hello/src/README.md", "about")
    cli("lock", "--check").succeeded()
    shutil.rmtree(cli.variables["ENVGEN_CACHE"])
    cli("lock").succeeded()
    assert greeted.locks() == first


def test_changed_recipe_makes_the_lock_stale(greeted: Project, cli: Command) -> None:
    cli("lock").succeeded()
    greeted.write("recipes/hello/recipe.yaml", RECIPE.replace("1.2", "1.3"))
    outcome = cli("lock", "--check")
    assert outcome.code == 1
    assert "the recipe `hello` changed" in outcome.err


def test_recipe_whose_script_fails(greeted: Project, cli: Command) -> None:
    greeted.write("recipes/greeting/recipe.yaml", NEEDED.replace("echo hi", "exit 7; echo hi"))
    outcome = cli("lock")
    assert outcome.code == 1
    assert "failed to build recipe `greeting`" in outcome.err


def _refused(cli: Command, package: str) -> None:
    """Create the environment from an empty cache, which builds a locked package again, to other bytes."""
    shutil.rmtree(cli.variables["ENVGEN_CACHE"])
    outcome = cli("create", "--frozen")
    assert outcome.code == 5, outcome.err
    assert f"the content of `{package}`" in outcome.err
    assert re.search(r"has sha256 [0-9a-f]{64}, expected [0-9a-f]{64}", outcome.err), outcome.err
    assert not (cli.directory.parent / "home/envs/demo/share").exists()


def test_recipe_that_never_makes_the_same_bytes_is_refused(greeted: Project, cli: Command) -> None:
    random = RECIPE.replace('echo "greets from $PREFIX"', "od -An -N8 -x /dev/urandom")
    greeted.write("recipes/hello/recipe.yaml", random)
    cli("lock").succeeded()
    _refused(cli, "hello")


def test_recipe_that_makes_other_bytes_than_locked_is_refused(greeted: Project, cli: Command) -> None:
    cli("lock").succeeded()
    greeted.write("recipes/greeting/recipe.yaml", NEEDED.replace("echo hi", "echo ho"))
    _refused(cli, "greeting")


def test_recipe_of_debian_packages_that_makes_other_bytes_than_locked_is_refused(locked: Project, cli: Command) -> None:
    file = locked.root / "recipes/python/pyvenv.cfg"
    file.write_text(file.read_text() + "prompt = other\n")
    _refused(cli, "python")


@pytest.mark.parametrize(
    ("path", "what"),
    [
        ("/etc/hosts", "got the absolute path '/etc/hosts', which other machines do not have"),
        ("../../../other", "'../../../other' is outside of the project"),
        ("../..", "'../..' contains the recipe itself"),
        ("../../libs/none", "'../../libs/none' does not exist"),
    ],
)
def test_a_source_that_cannot_be_taken(path: str, what: str, greeted: Project, cli: Command) -> None:
    greeted.write("recipes/hello/recipe.yaml", COPYING.replace("path: src", f"path: {path}"))
    outcome = cli("lock")
    assert outcome.code == 1
    assert f"recipes/hello/recipe.yaml: `source.path`: {what}" in outcome.err
