"""`envgen create --dry-run`: the plan that is shown is the one that is carried out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.builders.server import Faults
from tests.builders.wheels import make_wheel, wheel_filename
from tests.functional.conftest import SPEC

if TYPE_CHECKING:
    from tests.builders.registries import Registries
    from tests.command import Command, Project

UNKNOWN = "packages to link again are known after download"
RELINKED = "linked again, because the owner or path of their files changes: beta"
BOTH = SPEC.replace("[spam ==1.0, eggs <2]", "[alpha, beta]")
BETA = SPEC.replace("[spam ==1.0, eggs <2]", "[beta]")
SHARED = "shared/__init__.py"
"""A file of two wheels, which belongs to the first of them by name."""


@pytest.fixture
def twins(project: Project, registries: Registries) -> Project:
    """Offer two wheels with a file in common."""
    for name in ("alpha", "beta"):
        registries.index.add(wheel_filename(name), make_wheel(name, files={f"{name}.py": "", SHARED: ""}))
    registries.publish()
    return project


def lock(project: Project, cli: Command, spec: str) -> None:
    project.spec("demo", spec)
    cli("lock").succeeded()


def plan(cli: Command, *more: str) -> dict[str, Any]:
    """Read what `--json` tells of changes, without whether they were done."""
    told: dict[str, Any] = cli("create", "--json", *more).succeeded().json()
    keys = ("link", "unlink", "unchanged", "relink", "relinks_known")
    return {key: told[key] for key in keys}


def beta_files(project: Project) -> set[str]:
    """Name the files that the record of beta lists, by the last two parts of their paths."""
    (record,) = (project.root.parent / "home/envs/demo/conda-meta").glob("beta-*.json")
    return {"/".join(path.split("/")[-2:]) for path in json.loads(record.read_text())["files"]}


@pytest.mark.parametrize(("before", "after"), [(BETA, BOTH), (BOTH, BETA)], ids=["it loses a file", "it gets a file"])
def test_what_is_shown_is_done_where_the_store_has_everything(
    before: str, after: str, twins: Project, cli: Command
) -> None:
    lock(twins, cli, BOTH)
    cli("create", "--name", "other").succeeded()
    lock(twins, cli, before)
    cli("create").succeeded()
    lock(twins, cli, after)
    shown = plan(cli, "--dry-run")
    assert shown["relink"] == ["beta"]
    assert "beta" in shown["link"]
    assert [dist.partition("-")[0] for dist in shown["unlink"]] == (["beta"] if after == BOTH else ["alpha", "beta"])
    assert shown["relinks_known"]
    text = cli("create", "--dry-run").succeeded().err
    assert RELINKED in text
    assert UNKNOWN not in text
    assert plan(cli) == shown
    assert (f"{SHARED}" in beta_files(twins)) == (after == BETA)
    assert "nothing to do" in cli("create").succeeded().err


def test_what_is_done_is_shown_after_download_where_it_is_not_known_before(twins: Project, cli: Command) -> None:
    lock(twins, cli, BETA)
    cli("create").succeeded()
    lock(twins, cli, BOTH)
    shown = plan(cli, "--dry-run")
    assert (shown["link"], shown["relink"], shown["relinks_known"]) == (["alpha"], [], False)
    assert UNKNOWN in cli("create", "--dry-run").succeeded().err
    said = cli("create").succeeded().err
    assert "1 to link, 0 to unlink, 3 unchanged" in said[: said.index(UNKNOWN)]
    assert "2 to link, 1 to unlink, 2 unchanged" in said[said.index(UNKNOWN) :]
    assert said.count(" to link, ") == 2
    assert said.count(RELINKED) == 1


def test_json_tells_what_was_done_and_not_what_was_thought_before(twins: Project, cli: Command) -> None:
    lock(twins, cli, BETA)
    cli("create").succeeded()
    lock(twins, cli, BOTH)
    done = plan(cli)
    assert (done["link"], done["relink"], done["unchanged"]) == (["alpha", "beta"], ["beta"], 2)
    assert done["relinks_known"]


def test_nothing_is_said_of_links_where_there_can_be_none(twins: Project, cli: Command) -> None:
    """Everything of a new environment is linked, and nothing linked again, whatever has to be fetched."""
    lock(twins, cli, BOTH)
    assert plan(cli, "--dry-run")["relinks_known"]
    said = cli("create").succeeded().err
    assert UNKNOWN not in said
    assert said.count("to link") == 1


def test_packages_that_do_not_go_together_are_told_in_the_plan(
    twins: Project, registries: Registries, cli: Command
) -> None:
    registries.index.add(wheel_filename("gamma"), make_wheel("gamma", files={SHARED: "other = 1\n"}))
    registries.publish(Faults(ranges=False))  # so that `lock` cannot see the paths
    lock(twins, cli, BOTH.replace("[alpha, beta]", "[alpha, gamma]"))
    assert "different content" in cli("create").err
    outcome = cli("create", "--dry-run")
    assert outcome.code == 5
    assert "packages `alpha` and `gamma` both contain" in outcome.err


@pytest.mark.parametrize("verb", ["create", "image"])
def test_a_plan_has_one_name_and_the_old_one_is_taken(verb: str, cli: Command) -> None:
    shown = cli(verb, "--help").succeeded().out
    assert "--dry-run" in shown
    assert "--plan" not in shown
    assert "no such option" not in cli(verb, "--plan").err.lower()
