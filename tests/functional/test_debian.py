"""Debian archives that lie, expire or lose a package: nothing unsigned is believed."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from tests.builders.debian import Flaws, new_key
from tests.builders.server import Faults
from tests.builders.tree import MOMENT
from tests.functional import world
from tests.functional.test_lock import packages

if TYPE_CHECKING:
    from collections.abc import Mapping

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


def zlib(project: Project) -> str:
    return next(line.split()[1] for line in debian_lock(project).splitlines() if "dfsg" in line and "version" in line)


def debian_lock(project: Project) -> str:
    return (project.root / "locks/demo.linux-64.debian-lock.yml").read_text()


@pytest.fixture
def newest(demo: Project, cli: Command, registries: Registries) -> Mapping[str, bytes]:
    """Lock the newest state of the archive, and return the one before."""
    old = registries.debian.site()
    registries.debian.date = MOMENT + dt.timedelta(days=30)
    world.supersede(registries)
    cli("lock").succeeded()
    assert zlib(demo) == "1:1.2.13.dfsg-2"
    return old


def replay(registries: Registries, old: Mapping[str, bytes]) -> None:
    content = registries.server.content
    assert isinstance(content, dict)
    registries.server.content = {**content, **old}


def test_locks_say_from_which_releases_their_packages_came(
    newest: Mapping[str, bytes], demo: Project, cli: Command, registries: Registries
) -> None:
    expected = f"{registries.debian.date:%Y-%m-%dT%H:%M:%SZ}"
    assert f"  bookworm: '{expected}'\n" in debian_lock(demo)
    before = demo.locks()
    registries.debian.date += dt.timedelta(days=1)
    registries.publish()
    cli("lock", "--upgrade").succeeded()
    assert demo.locks() == before


@pytest.mark.parametrize("arguments", [(), ("--upgrade",), ("--upgrade", "zlib1g")])
def test_an_older_release_cannot_lower_a_package(
    arguments: tuple[str, ...], newest: Mapping[str, bytes], demo: Project, cli: Command, registries: Registries
) -> None:
    before = demo.locks()
    replay(registries, newest)
    outcome = cli("lock", *arguments)
    assert outcome.code == 5, outcome.err
    assert "`zlib1g` from 1:1.2.13.dfsg-2 to 1:1.2.13.dfsg-1" in outcome.err
    assert demo.locks() == before


def test_an_older_release_with_the_same_packages_is_said(
    newest: Mapping[str, bytes], demo: Project, cli: Command, registries: Registries
) -> None:
    before = demo.locks()
    registries.debian.date = MOMENT
    registries.publish()
    outcome = cli("lock", "--upgrade").succeeded()
    assert "the mirror is behind" in outcome.err
    assert demo.locks() == before


def test_a_lock_without_dates_names_what_goes_back(
    newest: Mapping[str, bytes], demo: Project, cli: Command, registries: Registries
) -> None:
    path = demo.root / "locks/demo.linux-64.debian-lock.yml"
    head, _, rest = path.read_text().partition("releases:\n")
    path.write_text(head + rest[rest.index("packages:") :])
    replay(registries, newest)
    outcome = cli("lock", "--upgrade").succeeded()
    assert "`zlib1g` from 1:1.2.13.dfsg-2 to 1:1.2.13.dfsg-1" in outcome.err


def test_listing_reads_the_packages_alone(demo: Project, cli: Command) -> None:
    """The Debian lock beside them takes as long to read, and nothing of it is shown."""
    cli("lock").succeeded()
    before = cli("list").succeeded().out
    (demo.root / "locks/demo.linux-64.debian-lock.yml").write_text("<<<<<<< ours\n")
    assert cli("list").succeeded().out == before
    assert cli("lock", "--check").code == 1


def test_a_release_from_the_future_is_said_and_not_recorded(
    demo: Project, cli: Command, registries: Registries
) -> None:
    registries.debian.date = dt.datetime(2131, 1, 1, tzinfo=dt.UTC)
    registries.publish()
    outcome = cli("lock").succeeded()
    assert "`InRelease` of bookworm is dated 2131-01-01" in outcome.err
    assert "2131" not in debian_lock(demo)
