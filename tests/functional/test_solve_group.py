"""Environments of a solve group: one version of what they share, nothing of each other's, and one layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.builders.system import base_debs
from tests.functional.conftest import SPEC

if TYPE_CHECKING:
    from tests.builders.registries import Registries
    from tests.command import Command, Project

HEAD = SPEC.replace("pypi: [spam ==1.0, eggs <2]\n", "solve-group: all\n")


def versions(cli: Command, env: str, platform: str = "linux-64") -> dict[str, str]:
    listed = cli("list", env, "--json").succeeded().json()[platform]
    return {package["name"]: package["version"] for package in listed}


@pytest.fixture
def group(project: Project, registries: Registries) -> Project:
    """Write `train`, which takes any eggs, and `serve`, which needs old ones."""
    project.spec("train", HEAD + "pypi: [spam, ham]\n")
    project.spec("serve", HEAD + "pypi: [old-eggs-only]\n")
    return project


def test_what_is_shared_is_one_version_and_the_rest_is_nobody_elses(group: Project, cli: Command) -> None:
    cli("lock", "--all").succeeded()
    train, serve = versions(cli, "train"), versions(cli, "serve")
    assert (train["eggs"], serve["eggs"]) == ("1.1", "1.1")
    assert "ham" not in serve
    assert "spam" not in serve
    assert "old-eggs-only" not in train
    cli("lock", "--check", "--all").succeeded()


def test_one_of_a_group_locks_all_of_it(group: Project, cli: Command) -> None:
    outcome = cli("lock", "train").succeeded()
    assert "`serve` will be locked, too: the solve group `all` has one solve" in outcome.err
    locks = group.locks()
    assert len([name for name in locks if "conda-lock" in name]) == 2
    outcome = cli("lock", "--all").succeeded()
    assert group.locks() == locks
    assert "will be locked, too" not in outcome.err
    cli("lock", "--all", "--refresh").succeeded()
    assert group.locks() == locks


def test_it_stays_one_version_under_upgrade(group: Project, cli: Command) -> None:
    group.spec("train", HEAD + "pypi: [spam, ham, eggs <1.1]\n")
    cli("lock", "--all").succeeded()
    assert versions(cli, "serve")["eggs"] == "1.0"
    group.spec("train", HEAD + "pypi: [spam, ham]\n")
    cli("lock", "--all").succeeded()
    assert (versions(cli, "train")["eggs"], versions(cli, "serve")["eggs"]) == ("1.0", "1.0")
    cli("lock", "train", "--upgrade").succeeded()
    assert (versions(cli, "train")["eggs"], versions(cli, "serve")["eggs"]) == ("1.1", "1.1")
    cli("lock", "serve", "--upgrade", "eggs==1.0").succeeded()
    assert (versions(cli, "train")["eggs"], versions(cli, "serve")["eggs"]) == ("1.0", "1.0")


def test_a_member_that_is_apart_is_out_of_date(group: Project, cli: Command) -> None:
    for name in ("train", "serve"):
        spec = group.root / f"environments/{name}.yaml"
        spec.write_text(spec.read_text().replace("solve-group: all\n", ""))
        cli("lock", name).succeeded()
    assert versions(cli, "train")["eggs"] == "2.0"
    group.spec("train", HEAD + "pypi: [spam, ham]\n")
    group.spec("serve", HEAD + "pypi: [old-eggs-only]\n")
    outcome = cli("lock", "--check", "--all")
    assert outcome.code == 1
    assert outcome.err.count("`eggs` is 1.1 in `serve`, 2.0 in `train`, though both are in the solve group `all`") == 2
    assert cli("create", "train").code != 0
    cli("lock", "serve").succeeded()
    cli("lock", "--check", "--all").succeeded()
    assert versions(cli, "train")["eggs"] == "1.1"


def test_one_that_joins_or_leaves_the_group_is_told_and_locked(group: Project, cli: Command) -> None:
    cli("lock", "--all").succeeded()
    before = group.locks()
    group.spec("evaluate", HEAD + "pypi: [eggs]\n")
    outcome = cli("lock", "--check", "--all")
    assert outcome.err.count("it was not solved together with `evaluate`, which is in the solve group `all`") == 2
    cli("lock", "evaluate").succeeded()
    assert versions(cli, "evaluate")["eggs"] == "1.1"
    cli("lock", "--check", "--all").succeeded()
    (group.root / "environments/evaluate.yaml").unlink()
    cli("lock", "--check", "train").succeeded()
    cli("lock", "--all").succeeded()
    assert group.locks() == before


def test_what_excludes_each_other_is_told_with_both_lines(group: Project, cli: Command) -> None:
    group.spec("train", HEAD + "pypi:\n  - spam\n  - new-eggs-only\n")
    outcome = cli("lock", "--all")
    assert outcome.code == 3
    assert "`serve` and `train` exclude each other:" in outcome.err
    assert "environments/serve.yaml:6: old-eggs-only" in outcome.err
    assert "environments/train.yaml:8: new-eggs-only" in outcome.err
    assert "train.yaml:7" not in outcome.err
    assert "remove one of the specs from the solve group `all`" in outcome.err
    assert not group.locks()


def test_lines_that_exclude_each_other_directly(group: Project, cli: Command) -> None:
    group.write("environments/base.yaml", HEAD + 'pypi:\n  - "eggs >= 1.1"\n')
    group.spec("train", "extends: base\npypi: [spam]\n")
    group.spec("serve", HEAD + "pypi:\n  # pinned\n  - eggs ==1.0\n")
    outcome = cli("lock", "train")
    assert outcome.code == 3
    assert "environments/base.yaml:6: eggs >= 1.1\n" in outcome.err
    assert "environments/serve.yaml:8: eggs ==1.0\n" in outcome.err


def test_one_that_cannot_be_solved_alone_is_not_blamed_on_the_others(group: Project, cli: Command) -> None:
    group.spec("train", HEAD + "pypi: [chain-top]\n")
    outcome = cli("lock", "serve")
    assert outcome.code == 3
    assert "`train` cannot be solved:" in outcome.err
    assert "environments/train.yaml:6: chain-top" in outcome.err
    assert "exclude each other" not in outcome.err


def test_what_has_to_be_equal_is_told_with_both_places(group: Project, cli: Command) -> None:
    group.spec("serve", HEAD.replace("2.36", "2.31") + "pypi: [old-eggs-only]\nchannels: [mine]\n")
    outcome = cli("lock", "--all")
    assert outcome.code == 1
    assert (
        "environments/serve.yaml:7: `channels` differs from environments/train.yaml:1, "
        "and both are in the solve group `all`"
    ) in outcome.err
    assert "environments/serve.yaml:3: `platforms.linux-64` differs from environments/train.yaml:3" in outcome.err
    assert "write it once, in a spec that both extend" in outcome.err


def test_platforms_of_one_alone(group: Project, cli: Command) -> None:
    spec = group.root / "environments/train.yaml"
    spec.write_text(spec.read_text().replace("platforms: {", 'platforms: {linux-aarch64: {glibc: "2.36"}, '))
    cli("lock", "serve").succeeded()
    assert versions(cli, "train", "linux-aarch64")["eggs"] == "2.0"
    assert versions(cli, "train")["eggs"] == "1.1"
    cli("lock", "--check", "--all").succeeded()


def test_add_and_remove_lock_the_group(group: Project, cli: Command) -> None:
    cli("lock", "--all").succeeded()
    cli("add", "eggs <1.1", "--env", "serve").succeeded()
    assert (versions(cli, "train")["eggs"], versions(cli, "serve")["eggs"]) == ("1.0", "1.0")
    before = group.locks()
    spec = (group.root / "environments/serve.yaml").read_text()
    outcome = cli("add", "new-eggs-only", "--env", "train")
    assert outcome.code == 3
    assert group.locks() == before
    assert (group.root / "environments/serve.yaml").read_text() == spec


def test_outdated_counts_the_group(group: Project, cli: Command) -> None:
    cli("lock", "--all").succeeded()
    answer = cli("outdated", "train", "--json").succeeded().json()
    eggs = [package for package in answer[0]["packages"] if package["name"] == "eggs"]
    assert [(one["locked"], one["update"], one["newest"]) for one in eggs] == [("1.1", None, "2.0")]


def test_the_group_may_come_from_a_base(group: Project, cli: Command) -> None:
    group.write("environments/base.yaml", HEAD)
    group.spec("train", "extends: base\npypi: [spam]\n")
    group.spec("serve", "extends: base\npypi: [old-eggs-only]\n")
    cli("lock", "train").succeeded()
    assert (versions(cli, "train")["eggs"], versions(cli, "serve")["eggs"]) == ("1.1", "1.1")


def test_what_is_shared_is_one_layer(group: Project, registries: Registries, cli: Command) -> None:
    """Small packages share layers, so those of one image alone have to be in others than those of both."""
    registries.debian.add(*base_debs("amd64"))
    registries.publish()
    for name in ("train", "serve"):
        spec = group.root / f"environments/{name}.yaml"
        spec.write_text(spec.read_text() + "image: {base: {suites: [bookworm, bookworm-security]}}\n")
    cli("lock", "--all").succeeded()
    for name in ("train", "serve"):
        cli("image", name).succeeded()
    train, serve = layers(cli, "train"), layers(cli, "serve")
    shared = {parts for parts in train if serve.get(parts) == train[parts]}
    assert shared == {("Debian base",), ("python",), ("eggs", "python_abi")}
    assert [parts for parts in train if parts not in serve] == [("ham", "spam")]
    assert [parts for parts in serve if parts not in train] == [("old-eggs-only",)]
    (group.root / "environments/serve.yaml").unlink()  # as in a bundle of `train` alone
    for lock in (group.root / "locks").glob("serve.*"):
        lock.unlink()
    assert layers(cli, "train") == train


def layers(cli: Command, env: str) -> dict[tuple[str, ...], str]:
    """Return what is in each layer, and its digest; without the last one, which has the name of the environment."""
    planned = cli("image", env, "--plan", "--json").succeeded().json()[0]["layers"]
    return {tuple(layer["parts"]): layer["digest"] for layer in planned[:-1]}
