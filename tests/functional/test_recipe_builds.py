"""Recipes with requirements, sources to fetch, tests and several outputs, built from packages of the spec's sources."""

from __future__ import annotations

import hashlib
import io
import json
import re
import shutil
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.functional.conftest import SPEC
from tests.functional.further_indexes import lock_text, said, wheel

if TYPE_CHECKING:
    from tests.builders.registries import Registries
    from tests.command import Command, Project

RECIPE = """
package: {name: hello, version: "1.2"}
build:
  noarch: generic
  script:
    - mkdir -p $PREFIX/share
    - $PYTHON -c 'import toolbox; print(toolbox.word)' > $PREFIX/share/word.txt
requirements: {host: [python, "toolbox >=1"]}
"""
OUTPUTS = """
context: {version: "3"}
recipe: {name: pair, version: "${{ version }}"}
build: {number: 1}
outputs:
  - package: {name: libpair}
    build: {noarch: generic, script: [mkdir -p $PREFIX/share, echo lib > $PREFIX/share/lib.txt]}
  - package: {name: pair-tools}
    build: {noarch: generic, script: [mkdir -p $PREFIX/share, echo tools > $PREFIX/share/tools.txt]}
    requirements: {run: ["${{ pin_subpackage('libpair', exact=True) }}"]}
"""


def toolbox(registries: Registries, version: str, word: str) -> None:
    """Add a wheel whose module has a word."""
    registries.index.add(*wheel("toolbox", version, code=f"word = '{word}'\n"))
    registries.publish()


@pytest.fixture
def built(project: Project, registries: Registries) -> Project:
    """Make a project whose recipe is built with a wheel."""
    toolbox(registries, "1.0", "first")
    project.write("recipes/hello/recipe.yaml", RECIPE)
    project.spec("demo", SPEC.replace("[python]", "[hello]"))
    return project


def with_recipe(project: Project, text: str, name: str = "hello") -> None:
    project.write(f"recipes/{name}/recipe.yaml", text)


def build_of(project: Project, recipe: str) -> dict[str, Any]:
    """Read what a recipe was built with: name of each package -> its entry."""
    found = re.search(rf"envgen.recipe-build.{recipe}: '(.*)'\n", lock_text(project))
    assert found
    return {entry["name"]: entry for entry in json.loads(found[1])["package"]}


def test_requirements_are_locked_apart_from_the_environment(built: Project, cli: Command) -> None:
    cli("lock").succeeded()
    assert build_of(built, "hello").keys() >= {"python", "toolbox"}
    assert "toolbox" not in {p["name"] for p in cli("list", "--json").succeeded().json()["linux-64"]}
    cli("lock", "--check").succeeded()
    cli("create").succeeded()
    prefix = Path(cli.variables["CONDA_ENVS_PATH"], "demo")
    assert (prefix / "share/word.txt").read_text() == "first\n"
    assert not list(prefix.rglob("toolbox*"))


def test_a_build_elsewhere_takes_what_is_locked(built: Project, registries: Registries, cli: Command) -> None:
    cli("lock").succeeded()
    toolbox(registries, "2.0", "second")
    first = built.locks()
    shutil.rmtree(cli.variables["ENVGEN_CACHE"])
    cli("create").succeeded()
    assert Path(cli.variables["CONDA_ENVS_PATH"], "demo/share/word.txt").read_text() == "first\n"
    cli("lock").succeeded()
    assert built.locks() == first
    cli("lock", "--upgrade").succeeded()
    assert build_of(built, "hello")["toolbox"]["version"] == "2.0"
    cli("create").succeeded()
    assert Path(cli.variables["CONDA_ENVS_PATH"], "demo/share/word.txt").read_text() == "second\n"


def test_a_requirement_that_nobody_offers(built: Project, cli: Command) -> None:
    with_recipe(built, RECIPE.replace('"toolbox >=1"', "unheard-of"))
    outcome = cli("lock")
    assert outcome.code == 3
    assert "requirements of recipe `hello` cannot be met" in said(outcome)
    assert "has no project `unheard-of`" in said(outcome)
    assert not built.locks()


def test_a_requirement_that_no_wheel_can_meet(built: Project, cli: Command) -> None:
    with_recipe(built, RECIPE.replace('"toolbox >=1"', '"toolbox 1.* py*"'))
    outcome = cli("lock")
    assert outcome.code == 1
    assert "no channel or recipe offers `toolbox 1.* py*`" in said(outcome)


def test_no_build_refuses_it(built: Project, cli: Command) -> None:
    del built
    outcome = cli("lock", "--no-build")
    assert outcome.code == 1
    assert "`hello` is not in the store yet" in said(outcome)


def test_several_outputs(project: Project, cli: Command) -> None:
    with_recipe(project, OUTPUTS, "pair")
    project.spec("demo", SPEC.replace("[python]", "[python, pair-tools]"))
    cli("lock").succeeded()
    packages = {p["name"]: p["from"] for p in cli("list", "--json").succeeded().json()["linux-64"]}
    assert (packages["libpair"], packages["pair-tools"]) == ("recipe", "recipe")
    shutil.rmtree(cli.variables["ENVGEN_CACHE"])
    cli("create").succeeded()
    prefix = Path(cli.variables["CONDA_ENVS_PATH"], "demo")
    assert [(prefix / f"share/{name}.txt").read_text() for name in ("lib", "tools")] == ["lib\n", "tools\n"]


class TestSources:
    """A prebuilt program from an archive by URL, which rattler-build fetches: it keeps this process from serving it."""

    def recipe(self, project: Project, registries: Registries, pin: str) -> None:
        data = io.BytesIO()
        with tarfile.open(fileobj=data, mode="w:gz") as tar:
            member = tarfile.TarInfo("tool-1/bin/tool")
            member.size, member.mode = 20, 0o755
            tar.addfile(member, io.BytesIO(b"#!/bin/sh\necho tool\n"))
        content = registries.server.content
        assert isinstance(content, dict)
        content["/tool-1.tar.gz"] = data.getvalue()
        pin = pin.replace("RIGHT", hashlib.sha256(data.getvalue()).hexdigest())
        with_recipe(
            project,
            "package: {name: tool, version: '1'}\n"
            f"source: {{url: '{registries.server.url}/tool-1.tar.gz'{pin}}}\n"
            "build: {noarch: generic, script: [mkdir -p $PREFIX/bin, cp bin/tool $PREFIX/bin/]}\n"
            "tests: [{script: [tool]}]\n",
            "tool",
        )
        project.spec("demo", SPEC.replace("[python]", "[python, tool]"))

    def test_by_its_digest(self, project: Project, registries: Registries, cli: Command) -> None:
        self.recipe(project, registries, ", sha256: 'RIGHT'")
        cli.process("lock").succeeded()
        cli.process("create").succeeded()
        assert Path(cli.variables["CONDA_ENVS_PATH"], "demo/bin/tool").stat().st_mode & 0o777 == 0o755

    @pytest.mark.parametrize("pin", ["", ", sha256: "])
    def test_without_a_digest(self, project: Project, registries: Registries, cli: Command, pin: str) -> None:
        self.recipe(project, registries, pin)
        outcome = cli.process("lock")
        assert outcome.code == 1
        assert "recipe `tool`: `source.url` has no `sha256`" in said(outcome)

    def test_with_another_digest(self, project: Project, registries: Registries, cli: Command) -> None:
        self.recipe(project, registries, f", sha256: '{'1' * 64}'")
        outcome = cli.process("lock")
        assert outcome.code == 1
        assert "failed to build recipe `tool`" in said(outcome)
        assert not project.locks()


def test_a_test_that_fails(project: Project, cli: Command) -> None:
    failing = "package: {name: hello, version: '1'}\nbuild: {noarch: generic, script: [mkdir -p $PREFIX/share]}\n"
    with_recipe(project, f"{failing}tests: [{{script: [echo about to fail, exit 3]}}]\n")
    project.spec("demo", SPEC.replace("[python]", "[python, hello]"))
    outcome = cli("lock")
    assert outcome.code == 1
    assert "failed to build recipe `hello`" in said(outcome)
    log = re.search(r"the whole log is in `(\S+)`", said(outcome))
    assert log
    assert "about to fail" in Path(log[1]).read_text()
    Path(log[1]).unlink()


class TestCompilers:
    RECIPE = (
        "package: {name: hello, version: '1'}\n"
        "build: {script: [mkdir -p $PREFIX/share, gcc > $PREFIX/share/made.txt]}\n"
        "requirements: {build: [\"${{ compiler('c') }}\"]}\n"
    )

    @pytest.fixture
    def compiled(self, project: Project) -> Project:
        with_recipe(project, self.RECIPE)
        project.spec("demo", SPEC.replace("[python]", "[python, hello]"))
        return project

    def test_that_of_the_machine_is_used_and_told(self, compiled: Project, cli: Command) -> None:
        del compiled
        folder = Path(cli.variables["HOME"], "bin")
        folder.mkdir()
        (folder / "gcc").write_text("#!/bin/sh\necho 12.3.4\n")
        (folder / "gcc").chmod(0o755)
        outcome = cli("lock", PATH=f"{folder}:/usr/bin:/bin")
        assert f"recipe `hello` is compiled by `{folder}/gcc` 12.3.4 of this machine" in said(outcome.succeeded())

    def test_without_one(self, compiled: Project, cli: Command) -> None:
        del compiled
        outcome = cli("lock", PATH="/nowhere")
        assert outcome.code == 1
        assert "recipe `hello` needs a compiler: `gcc` is not in PATH" in said(outcome)
