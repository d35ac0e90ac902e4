"""Which commands can run code of others: those that build a recipe or a source that is new, and no other."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from envgen.cli.group import _VERBS
from envgen.export.formats import FORMATS
from tests.builders.sdists import make_sdist
from tests.builders.system import base_debs
from tests.functional.conftest import SPEC

if TYPE_CHECKING:
    from pathlib import Path

    from tests.builders.registries import Registries
    from tests.command import Command, Outcome, Project

RECIPE = """
package: {{name: tool, version: "1"}}
build:
  noarch: generic
  script: [mkdir -p $PREFIX/share, echo tool > $PREFIX/share/tool.txt, touch {marker}]
about: {{license: MIT}}
"""
BUILDS: dict[str, list[tuple[str, ...]]] = {
    "add": [("add", "ham")],
    "remove": [("remove", "eggs")],
    "lock": [("lock", "--refresh"), ("lock", "--upgrade")],
    "create": [("create",)],
    "image": [("image",)],
    "build": [("build",)],
    "outdated": [("outdated",)],
    "bundle": [("bundle", "--no-tools")],
    "publish": [("publish", "--to", "channel")],
}
"""Verbs that build a recipe that is not in the store."""

NEVER: dict[str, list[tuple[str, ...]]] = {
    "init": [("init", "other")],
    "lock": [("lock",), ("lock", "--check"), ("lock", "--check", "--all")],
    "merge-lock": [("merge-lock",), ("merge-lock", "--install")],
    "create": [("create", "--dry-run")],
    "run": [("run", "--", "true")],
    "shell-hook": [("shell-hook",)],
    "env": [("env", "list"), ("env", "rename", "other"), ("env", "remove", "--yes")],
    "list": [("list",), ("list", "--json")],
    "tree": [("tree",), ("tree", "--json")],
    "why": [("why", "tool")],
    "diff": [("diff",), ("diff", "environments/demo.yaml", "environments/demo.yaml")],
    "report": [("report", "--json"), ("report", "--output", "report.html", "--budget", "1GB")],
    "export": [("export", form) for form in FORMATS],
    "licenses": [("licenses",), ("licenses", "--json")],
    "doctor": [("doctor",)],
    "check": [("check",), ("check", "--json")],
    "audit": [("audit",), ("audit", "--offline")],
    "sign": [("sign", "127.0.0.1:9/team/demo:1", "nowhere.pem")],
    "verify": [("verify", "127.0.0.1:9/team/demo:1", "--key", "nowhere.pub")],
    "image": [("image", "--dry-run")],
    "completion": [("completion", "bash")],
    "schema": [("schema",)],
    "clean": [("clean",), ("clean", "--all")],
}
"""Commands that run no script of a recipe, also where it is not in the store."""


@pytest.fixture
def marker(project: Project, cli: Command, registries: Registries, tmp_path: Path) -> Path:
    """Make an environment with a recipe, and forget what was built; return the file that its script writes."""
    registries.debian.add(*base_debs("amd64"))
    registries.publish()
    file = tmp_path / "marker"
    project.write("recipes/tool/recipe.yaml", RECIPE.format(marker=file))
    project.spec(
        "demo", SPEC.replace("[python]", "[python, tool]") + "image: {base: {suites: [bookworm, bookworm-security]}}\n"
    )
    cli("lock").succeeded()
    cli("create").succeeded()
    forget(cli, file)
    return file


@pytest.fixture
def source_marker(project: Project, cli: Command, registries: Registries, tmp_path: Path) -> Path:
    """Make an environment with a source, and forget what was built; return the file that its backend writes."""
    registries.debian.add(*base_debs("amd64"))
    file = tmp_path / "marker"
    registries.index.add("made-1.0.tar.gz", make_sdist("made", before=f"pathlib.Path({str(file)!r}).touch()"))
    registries.publish()
    image = "image: {base: {suites: [bookworm, bookworm-security]}}\n"
    project.spec("demo", SPEC.replace("pypi: [", "pypi: [made, ") + image)
    cli("lock").succeeded()
    cli("create").succeeded()
    forget(cli, file)
    return file


def forget(cli: Command, marker: Path) -> None:
    shutil.rmtree(cli.variables["ENVGEN_CACHE"])
    marker.unlink()


def remove_environment(cli: Command) -> None:
    shutil.rmtree(cli.variables["CONDA_ENVS_PATH"])


def test_every_verb_is_in_the_table() -> None:
    assert {*BUILDS, *NEVER} == set(_VERBS)


@pytest.mark.parametrize("command", [one for commands in NEVER.values() for one in commands], ids=" ".join)
def test_command_runs_no_script(marker: Path, cli: Command, command: tuple[str, ...]) -> None:
    # a process of its own: `run` replaces the one that it is in
    outcome = cli.process(*command)
    assert outcome.code in {0, 1, 2}, outcome.err
    assert not marker.exists()


@pytest.mark.parametrize("command", [one for commands in BUILDS.values() for one in commands], ids=" ".join)
def test_command_builds_a_new_recipe_and_says_so(marker: Path, cli: Command, command: tuple[str, ...]) -> None:
    remove_environment(cli)
    refused = cli(*command, "--no-build")
    assert refused.code == 1
    assert "recipe `tool` is not in the store yet, and its script must not run" in refused.err
    assert not marker.exists()
    said = cli(*command)
    assert marker.exists(), said.err
    assert "running the script of recipe `tool` for linux-64" in said.err


@pytest.mark.parametrize("command", [one for commands in NEVER.values() for one in commands], ids=" ".join)
def test_command_builds_no_source(source_marker: Path, cli: Command, command: tuple[str, ...]) -> None:
    outcome = cli.process(*command)
    assert outcome.code in {0, 1, 2}, outcome.err
    assert not source_marker.exists()


@pytest.mark.parametrize("command", [("lock", "--upgrade"), ("create",), ("image",), ("build",)], ids=" ".join)
def test_command_builds_a_new_source_and_says_so(source_marker: Path, cli: Command, command: tuple[str, ...]) -> None:
    remove_environment(cli)
    refused = cli(*command, "--no-build")
    assert refused.code == 1
    assert "`made` 1.0 must be built from `made-1.0.tar.gz`, whose code must not run" in refused.err
    assert not source_marker.exists()
    said = cli(*command)
    assert source_marker.exists(), said.err
    assert "running the build of `made` 1.0 from `made-1.0.tar.gz` for linux-64" in said.err


@pytest.mark.parametrize("command", [("lock", "--refresh"), ("create",), ("build",)], ids=" ".join)
def test_recipe_that_was_built_is_taken(marker: Path, cli: Command, command: tuple[str, ...]) -> None:
    cli("lock", "--refresh").succeeded()
    marker.unlink()
    remove_environment(cli)
    outcome: Outcome = cli(*command, "--no-build").succeeded()
    assert "running the script" not in outcome.err
    assert not marker.exists()
