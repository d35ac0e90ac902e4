"""Specs that extend others, from the file to the lock."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.functional.conftest import SPEC

if TYPE_CHECKING:
    from tests.builders.registries import Registries
    from tests.command import Command, Project

BASE = SPEC.replace(", eggs <2", "")


@pytest.fixture
def train(project: Project, registries: Registries) -> Project:
    """Write `train`, which extends a base that is no environment."""
    project.write("environments/base.yaml", BASE)
    project.spec("train", "extends: base   # shared\npypi:\n  - ham   # only here\n")
    return project


def test_the_lock_is_that_of_the_merged_spec(train: Project, cli: Command) -> None:
    cli("lock", "--all").succeeded()
    merged = train.locks()
    assert list(merged) == ["train.linux-64.conda-lock.yml", "train.linux-64.debian-lock.yml"]
    train.spec("train", f"{BASE}".replace("[spam ==1.0]", "[spam ==1.0, ham]"))
    (train.root / "environments/base.yaml").unlink()
    cli("lock").succeeded()
    assert train.locks() == merged


def test_a_change_of_the_base_makes_the_lock_out_of_date(train: Project, cli: Command) -> None:
    cli("lock").succeeded()
    cli("lock", "--check").succeeded()
    train.write("environments/base.yaml", BASE.replace("spam ==1.0", "spam ==1.1"))
    outcome = cli("lock", "--check")
    assert outcome.code == 1
    assert "`spam==1.1` under `pypi`: locked at 1.0" in outcome.out + outcome.err
    assert cli("create").code != 0


def test_a_base_with_a_name_is_an_environment_too(train: Project, cli: Command) -> None:
    train.spec("base", BASE)
    cli("lock", "--all").succeeded()
    assert {name.split(".")[0] for name in train.locks()} == {"base", "train"}


def test_a_spec_without_a_name_that_nobody_extends_is_a_mistake(train: Project, cli: Command) -> None:
    train.write("environments/alone.yaml", BASE)
    outcome = cli("lock", "--all")
    assert outcome.code == 1
    assert "environments/alone.yaml:1: `name:` is missing" in outcome.err


def test_two_specs_that_extend_each_other_write_nothing(train: Project, cli: Command) -> None:
    train.spec("serve", "extends: train\n")
    train.spec("train", "extends: serve\n")
    outcome = cli("lock", "--all")
    assert outcome.code == 1
    assert "`extends` leads back to the spec: `serve` -> `train` -> `serve`" in outcome.err
    assert "`extends` leads back to the spec: `train` -> `serve` -> `train`" in outcome.err
    assert not train.locks()


def test_add_and_remove_edit_the_spec_and_name_the_base(train: Project, cli: Command) -> None:
    spec, base = (train.root / f"environments/{name}.yaml" for name in ("train", "base"))
    cli("add", "eggs <2").succeeded()
    text = "name: train\nextends: base   # shared\npypi:\n  - ham   # only here\n  - eggs <2\n"
    assert spec.read_text() == text
    outcome = cli("add", "spam")
    assert outcome.code == 1
    assert "`spam` is already required in `environments/base.yaml`, line 4: `spam ==1.0`" in outcome.err
    assert "write a line into `environments/train.yaml` by hand: both hold" in outcome.err
    outcome = cli("remove", "spam")
    assert outcome.code == 1
    assert "`spam` comes from `environments/base.yaml`, line 4, which `environments/train.yaml` extends" in outcome.err
    assert (spec.read_text(), base.read_text()) == (text, BASE)
    cli("remove", "ham").succeeded()
    assert spec.read_text() == text.replace("  - ham   # only here\n", "")


def test_a_requirement_of_each_holds(train: Project, cli: Command) -> None:
    train.write("environments/base.yaml", BASE.replace("spam ==1.0", "spam, eggs >=1.1"))
    train.spec("train", "extends: base\npypi: [eggs <2]\n")
    cli("lock").succeeded()
    locked = {package["name"]: package["version"] for package in cli("list", "--json").json()["linux-64"]}
    assert locked["eggs"] == "1.1"


def test_a_fault_that_shows_with_the_sources_names_the_base(train: Project, cli: Command) -> None:
    train.write("environments/base.yaml", BASE + "image: {base: {suites: [bookworm], packages: [no-such-package]}}\n")
    outcome = cli("lock")
    assert outcome.code == 1
    assert "environments/base.yaml:5: " in outcome.err
    assert "no-such-package" in outcome.err


def test_a_bundle_has_the_bases(train: Project, cli: Command) -> None:
    cli("lock").succeeded()
    cli("bundle", "--output", "train.tar", "--no-tools").succeeded()
    cli("verify", "train.tar").succeeded()
    assert b"environments/base.yaml" in (train.root / "train.tar").read_bytes()
