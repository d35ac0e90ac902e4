"""Debian archives that lie, expire or lose a package: nothing unsigned is believed."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from tests.builders.debian import Flaws, new_key
from tests.builders.server import Faults
from tests.functional.test_lock import packages

if TYPE_CHECKING:
    from tests.builders.registries import Registries
    from tests.command import Command, Project


@pytest.mark.parametrize(
    ("flaws", "says"),
    [
        pytest.param(Flaws(unsigned=True), "InRelease", id="unsigned"),
        pytest.param(Flaws(edited=True), "InRelease", id="edited after signing"),
        pytest.param(Flaws(signed_by=new_key()), "InRelease", id="signed by a stranger"),
        pytest.param(Flaws(tampered=True), "sha256", id="tampered Packages"),
    ],
)
def test_flawed_archive_is_refused(
    flaws: Flaws, says: str, demo: Project, cli: Command, registries: Registries
) -> None:
    registries.debian.flaws = flaws
    registries.publish()
    outcome = cli("lock")
    assert outcome.code == 5, outcome.err
    assert says in outcome.err
    assert "bookworm" in outcome.err
    assert demo.locks() == {}


def test_expired_release_is_refused(demo: Project, cli: Command, registries: Registries) -> None:
    registries.security.valid_until = dt.datetime(2026, 1, 9, tzinfo=dt.UTC)
    registries.publish()
    outcome = cli("lock")
    assert outcome.code == 5, outcome.err
    assert "2026-01-09" in outcome.err


def test_archive_without_by_hash_folders_works(demo: Project, cli: Command, registries: Registries) -> None:
    registries.debian.by_hash = registries.security.by_hash = False
    registries.publish()
    cli("lock").succeeded()


def test_a_vanished_deb_is_met_with_the_remedy(locked: Project, cli: Command, registries: Registries) -> None:
    content = registries.server.content
    assert isinstance(content, dict)
    registries.publish(Faults(missing=frozenset(path for path in content if "/zlib1g_" in path)))
    outcome = cli("create", ENVGEN_CACHE=str(cli.directory.parent / "fresh"))
    assert outcome.code == 4, outcome.err
    assert "zlib1g" in outcome.err
    assert "envgen lock" in outcome.err


def test_package_that_the_recipe_asks_for_is_not_there(demo: Project, cli: Command, registries: Registries) -> None:
    registries.debian.remove("zlib1g")
    registries.publish()
    outcome = cli("lock")
    assert outcome.code == 3, outcome.err
    assert "zlib1g" in outcome.err
    assert "python3.11-minimal" in outcome.err


def test_python_of_the_lock_is_debians(locked: Project) -> None:
    assert packages(locked)["python"]["version"].startswith("3.11.2")
