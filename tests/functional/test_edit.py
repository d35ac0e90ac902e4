"""`envgen add`, `envgen remove` and `envgen lock --dry-run`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.builders.registries import Registries
    from tests.command import Command, Project

SPEC = """\
name: demo
python: "3.11"   # of Debian
platforms: {linux-64: {glibc: "2.36"}}

dependencies: [python]

# what we serve
pypi:
- spam ==1.0   # 1.1 is slow
# - plated

default: true
"""

TOOL = """\
package: {name: tool, version: "1"}
build: {noarch: generic, script: [mkdir -p $PREFIX/share, echo tool > $PREFIX/share/tool.txt]}
about: {license: MIT}
"""


@pytest.fixture
def spec(project: Project, cli: Command, registries: Registries) -> Path:
    """Lock a spec with comments."""
    file = project.write("environments/demo.yaml", SPEC)
    cli("lock").succeeded()
    return file


def test_add_and_remove(spec: Path, cli: Command, project: Project) -> None:
    before = project.locks()
    outcome = cli("add", "ham[bacon]", "plated ; sys_platform == 'linux'").succeeded()
    new = "- ham[bacon]\n- plated ; sys_platform == 'linux'\n"
    assert spec.read_text() == SPEC.replace("# - plated\n", f"{new}# - plated\n")
    assert "environments/demo.yaml: + ham[bacon] (pypi)" in outcome.err
    assert "3 added" in outcome.err
    assert cli("lock", "--check").succeeded()
    cli("remove", "HAM", "plated").succeeded()
    assert spec.read_text() == SPEC
    assert project.locks() == before


def test_a_recipe_goes_where_conda_packages_are(spec: Path, cli: Command, project: Project) -> None:
    project.write("recipes/tool/recipe.yaml", TOOL)
    assert "+ tool (dependencies)" in cli("add", "tool", "--dry-run").succeeded().err
    assert "+ tool >=1 (dependencies)" in cli("add", "--conda", "tool >=1", "--dry-run").succeeded().err
    assert spec.read_text() == SPEC


def test_dry_run_writes_nothing(spec: Path, cli: Command, project: Project) -> None:
    before = project.locks()
    answer = cli("add", "ham", "--dry-run", "--json").succeeded().json()
    assert (answer["spec"], answer["added"]) == ("environments/demo.yaml", {"pypi": ["ham"]})
    assert [one["name"] for one in answer["locks"][0]["changes"]["added"]] == ["ham"]
    assert (spec.read_text(), project.locks()) == (SPEC, before)
    spec.write_text(SPEC.replace("spam ==1.0", "spam"))
    outcome = cli("lock", "--upgrade", "--dry-run").succeeded()
    assert "would have" in outcome.err
    assert "1.0 -> 1.1" in outcome.err
    assert project.locks() == before
    spec.write_text(SPEC.replace("linux-64", "linux-aarch64"))
    assert "would be removed" in cli("lock", "--dry-run").succeeded().err
    assert project.locks() == before
    assert cli("lock", "--check", "--dry-run").code == 2


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["add", "Spam"], "`spam` is already required in `environments/demo.yaml`, line 9: `spam ==1.0`"),
        (["add", "ham", "ham >=1"], "`ham` is already required"),
        (["add", "spam = 2"], "write `spam ==2`"),
        (["add", "nowhere-to-be-found"], "nowhere-to-be-found"),
        (["add", "ham >=99"], "ham"),
        (["add", "python"], "`python` is already required"),
        (["add", "python >=3"], "set the minor version with `python:` in the spec"),
        (["add", "--conda", "python"], "`python` is already required"),
        (["add", "--conda", "__cuda"], "`__cuda` is a virtual package"),
        (["add", "-e", "dmo", "ham"], "did you mean `demo`?"),
        (["remove", "spm"], "did you mean `spam`?"),
        (["remove", "eggs"], "`environments/demo.yaml` does not require `eggs`"),
    ],
)
def test_what_fails_changes_no_byte(
    spec: Path, cli: Command, project: Project, arguments: list[str], says: str
) -> None:
    before = project.locks()
    outcome = cli(*arguments)
    assert says in outcome.err
    assert outcome.code in {1, 3}
    assert (spec.read_text(), project.locks()) == (SPEC, before)


def test_a_lock_that_cannot_be_written_brings_the_spec_back(
    spec: Path, cli: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("envgen.ops._edit.write_solved", full)
    assert cli("add", "ham").code
    assert spec.read_text() == SPEC
