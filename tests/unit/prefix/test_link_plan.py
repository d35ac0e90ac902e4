"""Plans of links: made over the store, and carried out as they are or made again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from envgen.errors import ArtifactError
from envgen.platforms import Platform
from envgen.prefix import inventory
from envgen.prefix.link import link
from envgen.prefix.link_plan import LinkPlan, plan_links
from envgen.prefix.verify import verify_prefix
from tests.builders.extracted import Draft, make
from tests.unit.prefix.samples import ALPHA, BETA, PYTHON, run, tree

if TYPE_CHECKING:
    from pathlib import Path

    from envgen.prefix.changes import PrefixChanges
    from envgen.system.store import Store


def planned(store: Store, prefix: Path, *drafts: Draft) -> LinkPlan:
    packages = [make(store, draft) for draft in drafts]
    return plan_links(packages, inventory.read(prefix), platform=Platform.LINUX_64)


def test_a_plan_moves_nothing_and_is_what_is_done(store: Store, prefix: Path) -> None:
    run(store, prefix, PYTHON, BETA)
    before = tree(prefix)
    plan = planned(store, prefix, PYTHON, ALPHA, BETA)
    assert tree(prefix) == before
    assert (plan.changes.link, plan.changes.relink) == (("alpha", "beta"), ("beta",))
    told: list[PrefixChanges] = []
    result = run(store, prefix, PYTHON, ALPHA, BETA, plan=plan, tell=told.append)
    assert told == [plan.changes] == [result.changes]
    assert verify_prefix(prefix) == ()


def test_a_plan_says_who_owns_what(store: Store, prefix: Path) -> None:
    plan = planned(store, prefix, ALPHA, BETA)
    assert plan.ownership.clobbered == {"beta": frozenset({"lib/python3.11/site-packages/shared/__init__.py"})}
    assert plan.paths["beta"] == {"lib/python3.11/site-packages/beta/__init__.py"}


def test_no_package_is_read_where_nothing_changes(store: Store, prefix: Path) -> None:
    run(store, prefix, PYTHON, ALPHA)
    plan = planned(store, prefix, PYTHON, ALPHA)
    assert (bool(plan.changes), plan.contents) == (False, ())


def test_a_plan_for_what_is_no_longer_there_is_made_again(store: Store, prefix: Path) -> None:
    run(store, prefix, BETA)
    old = planned(store, prefix, ALPHA, BETA)
    run(store, prefix, ALPHA)  # another process
    told: list[PrefixChanges] = []
    packages = [make(store, draft) for draft in (ALPHA, BETA)]
    link(packages, prefix, store=store, platform=Platform.LINUX_64, plan=old, tell=told.append)
    assert [changes.link for changes in told] == [("beta",)]
    assert verify_prefix(prefix) == ()


def test_a_plan_knows_what_it_was_made_for(store: Store, prefix: Path) -> None:
    run(store, prefix, PYTHON, ALPHA)
    packages, installed = [make(store, draft) for draft in (PYTHON, ALPHA)], inventory.read(prefix)
    plan = plan_links(packages, installed, platform=Platform.LINUX_64, reinstall={"alpha"})
    assert plan.installed == installed
    assert (plan.changes.link, plan.changes.relink) == (("alpha",), ())


def test_two_spellings_of_a_path_are_one_where_case_does_not_count(store: Store) -> None:
    packages = [make(store, Draft(name=name, files={f"share/{name}": ""})) for name in ("readme", "README")]
    assert plan_links(packages, (), platform=Platform.LINUX_64).changes.link
    with pytest.raises(ArtifactError, match="which are one file on a case-insensitive file system"):
        plan_links(packages, (), platform=Platform.OSX_ARM64)
    with pytest.raises(ArtifactError, match="which are one file on a case-insensitive file system"):
        plan_links(packages, (), platform=Platform.LINUX_64, fold_case=True)
