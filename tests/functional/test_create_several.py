"""`envgen create` of several environments."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from envgen.system.host import probe_host
from tests.functional.conftest import SPEC

if TYPE_CHECKING:
    from tests.builders.registries import Registries
    from tests.command import Command, Project


@pytest.fixture
def several(project: Project, cli: Command, registries: Registries) -> Path:
    """Lock two environments for Linux and one for another system; return where environments go."""
    here = probe_host().platform
    spec = SPEC.replace("linux-64", here)
    project.spec("train", spec)
    project.spec("serve", spec.replace("spam ==1.0, ", ""))
    cli("lock", "--all").succeeded()
    project.spec("desk", spec.replace(f'{here}: {{glibc: "2.36"}}', "win-64: {}") + "channels: [mine]\n")
    return Path(cli.variables["CONDA_ENVS_PATH"])


def test_named_ones(several: Path, cli: Command) -> None:
    answer = cli("create", "train", "serve", "train", "--json").succeeded().json()
    assert [one["environment"] for one in answer] == ["train", "serve"]
    assert {path.name for path in several.iterdir() if path.is_dir()} >= {"train", "serve"}
    assert cli("create", "serve", "--json").succeeded().json()["environment"] == "serve"


def test_all_for_this_machine(several: Path, cli: Command) -> None:
    outcome = cli("create", "--all", "--dry-run").succeeded()
    assert "`desk` is left out: it is not for" in outcome.err
    assert "serve for" in outcome.err
    assert "train for" in outcome.err


@pytest.mark.parametrize(
    ("arguments", "says", "code"),
    [
        (["train", "serv"], "did you mean `serve`?", 1),
        (["train", "--all"], "`ENV` and `--all` cannot be combined", 2),
        (["train", "serve", "--name", "x"], "`--name` and `--prefix` are for one environment", 2),
        (["--all", "--prefix", "x"], "`--name` and `--prefix` are for one environment", 2),
    ],
)
def test_what_cannot_be_creates_nothing(
    several: Path, cli: Command, arguments: list[str], says: str, code: int
) -> None:
    outcome = cli("create", *arguments)
    assert (outcome.code, says in outcome.err) == (code, True), outcome.err
    assert not (several / "train").exists()
