"""`envgen lock --upgrade NAME==VERSION`, `--all`, and names that are not there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.functional import world
from tests.functional.conftest import SPEC
from tests.functional.test_lock import versions

if TYPE_CHECKING:
    from tests.builders.registries import Registries
    from tests.command import Command, Project


@pytest.fixture
def newer(locked: Project, registries: Registries) -> Project:
    """Publish newer eggs after eggs 1.1 were locked."""
    for version in ("1.5", "1.6"):
        registries.index.add(*world.eggs(version))
    registries.publish()
    return locked


def test_one_version_is_taken_and_kept(newer: Project, cli: Command) -> None:
    cli("lock", "--upgrade", "Eggs==1.5").succeeded()
    assert versions(newer)["eggs"] == "1.5"
    assert versions(newer)["spam"] == "1.0"
    cli("lock", "--check").succeeded()
    cli("lock").succeeded()
    assert versions(newer)["eggs"] == "1.5"


def test_an_older_version_can_be_asked_for(newer: Project, cli: Command) -> None:
    cli("lock", "--upgrade", "eggs==1.0").succeeded()
    assert versions(newer)["eggs"] == "1.0"


def test_a_version_against_the_spec_is_a_conflict(newer: Project, cli: Command) -> None:
    before = newer.locks()
    outcome = cli("lock", "--upgrade", "eggs==2.0")
    assert outcome.code == 3
    assert "eggs==2.0" in outcome.err
    assert newer.locks() == before


@pytest.mark.parametrize("word", ["egs", "egs==1.0"])
def test_a_name_that_is_not_locked(word: str, newer: Project, cli: Command) -> None:
    outcome = cli("lock", "--upgrade", word)
    assert outcome.code == 1
    assert "cannot upgrade `egs`" in outcome.err
    assert "did you mean `eggs`?" in outcome.err


@pytest.mark.parametrize("word", ["eggs>=1", "eggs==", "=="])
def test_only_exact_versions(word: str, newer: Project, cli: Command) -> None:
    assert cli("lock", "--upgrade", word).code == 2


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("eggs==latest", "expected a version such as `2.8.0` (PEP 440), got 'latest'"),
        ("eggs==2.8.x", "got '2.8.x'"),
        ("Eggs==1_x", "got '1_x'"),
        ("python==3..11", "expected a version such as `2.8.0` (conda), got '3..11'"),
    ],
)
def test_only_versions(word: str, says: str, locked: Project, cli: Command) -> None:
    before = locked.locks()
    outcome = cli("lock", "--upgrade", word)
    assert outcome.code == 2, outcome.err
    assert f"`--upgrade {word}`: " in outcome.err
    assert says in outcome.err
    assert f"use `--upgrade {word.partition('==')[0]}` for the newest version" in outcome.err
    assert locked.locks() == before


def test_debian_packages_have_names_too(locked: Project, cli: Command) -> None:
    cli("lock", "--upgrade", "zlib1g").succeeded()


def test_all_environments(locked: Project, cli: Command) -> None:
    locked.spec("other", SPEC)
    outcome = cli("lock", "--check", "--all")
    assert outcome.code == 1
    assert "locks/other.linux-64.conda-lock.yml: missing" in outcome.err
    assert "locks/demo.linux-64.conda-lock.yml: up to date" in outcome.err
    cli("lock", "--all").succeeded()
    cli("lock", "--check", "--all").succeeded()
    assert cli("lock", "demo", "--all").code == 2


def test_a_version_is_asked_for_only_where_the_spec_asks_for_the_project(project: Project, cli: Command) -> None:
    project.spec(
        "demo",
        'python: "3.11"\nplatforms: {linux-64: {glibc: "2.36"}, linux-aarch64: {glibc: "2.36"}}\n'
        "dependencies: [python]\npypi: ['plated ; platform_machine == \"x86_64\"', eggs <2]\n",
    )
    cli("lock").succeeded()
    cli("lock", "--upgrade", "plated==1.0").succeeded()
    cli("lock", "--check").succeeded()


def test_a_conda_package_can_be_asked_for_before_it_is_locked(demo: Project, cli: Command) -> None:
    outcome = cli("lock", "--upgrade", "python==3.11.1")
    assert outcome.code == 3, outcome.err
    assert "python ==3.11.1" in outcome.err
