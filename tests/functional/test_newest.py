"""`envgen lock` takes the newest release that the spec allows, or says in one line why not."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from tests.builders.index import UPLOADED
from tests.builders.wheels import make_wheel, wheel_filename
from tests.functional.test_lock import versions

if TYPE_CHECKING:
    from tests.builders.registries import Registries
    from tests.command import Command, Project

SPEC = """\
python: "3.11"
platforms: {{linux-64: {{glibc: "2.36"}}}}
dependencies: [python]
pypi: [{pypi}]
"""
ACCEPT = SPEC + 'allow-older: {{{name}: "good enough"}}\n'
ANCIENT = UPLOADED - dt.timedelta(days=800)


@pytest.fixture
def shop(registries: Registries) -> Registries:
    """Publish releases of which the newest cannot always be used."""
    for version, needs in (("1.0", ()), ("2.0", ("base ==2.0",))):
        add(registries, "held", version, *needs)
    for version in ("1.0", "2.0"):
        add(registries, "base", version)
    add(registries, "holds", "1.0", "base ==1.0")
    add(registries, "wheelless", "1.0")
    archive(registries, "wheelless", "2.0")
    add(registries, "user", "1.0", "wheelless")
    add(registries, "neglected", "1.0", uploaded=ANCIENT)
    archive(registries, "neglected", "2.0")
    add(registries, "old-user", "1.0", "neglected")
    add(registries, "broken", "1.0")
    add(registries, "broken", "2.0", "base @ https://files.test/base.zip")
    registries.publish()
    return registries


def add(registries: Registries, name: str, version: str, *requires: str, uploaded: dt.datetime = UPLOADED) -> None:
    filename = wheel_filename(name, version, "py3-none-any")
    wheel = make_wheel(name, version, files={f"{name.replace('-', '_')}.py": ""}, requires=requires)
    registries.index.add(filename, wheel, uploaded=uploaded)


def archive(registries: Registries, name: str, version: str) -> None:
    registries.index.add(f"{name.replace('-', '_')}-{version}.tar.gz", b"a source archive")


@pytest.mark.usefixtures("shop")
def test_held_back_by_another_line(project: Project, cli: Command) -> None:
    project.spec("demo", SPEC.format(pypi="holds, held"))
    outcome = cli("lock", "--json").succeeded()
    assert versions(project)["held"] == "1.0"
    (older,) = outcome.json()[0]["older"]
    assert older == {
        "name": "held",
        "locked": "1.0",
        "newest": "2.0",
        "line": "held",
        "why": older["why"],
        "limit": False,
        "days": 0,
    }
    assert "holds 1.0 requires `base==1.0`" in older["why"]
    assert "held 2.0 requires `base==2.0`" in older["why"]
    lines = [line for line in outcome.err.splitlines() if "`held`" in line]
    assert lines == [f"`held` is locked at 1.0, 2.0 is the newest that `held` allows: {older['why']}"]


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("wheelless", "it has a source archive only"),
        (
            "broken",
            (
                "its metadata or its version cannot be used: "
                "`base @ https://files.test/base.zip` names a file, not versions"
            ),
        ),
    ],
)
def test_a_limit_is_an_error_with_a_way_out(name: str, why: str, project: Project, cli: Command) -> None:
    project.spec("demo", SPEC.format(pypi=name))
    outcome = cli("lock")
    assert outcome.code == 3
    assert f"`{name}` would be locked at 1.0, 2.0 is the newest that `{name}` allows: {why}" in outcome.err
    assert f'hint: `allow-older: {{{name}: "reason"}}` in the spec accepts `{name}` 1.0' in outcome.err
    assert project.locks() == {}
    project.spec("demo", ACCEPT.format(pypi=name, name=name))
    outcome = cli("lock").succeeded()
    assert versions(project)[name] == "1.0"
    assert f"`{name}` is locked at 1.0" in outcome.err
    assert "(accepted by `allow-older`)" in outcome.err


@pytest.mark.usefixtures("shop")
def test_a_limit_on_a_dependency_is_a_warning(project: Project, cli: Command) -> None:
    project.spec("demo", SPEC.format(pypi="user"))
    outcome = cli("lock").succeeded()
    assert "warning: `wheelless` is locked at 1.0, not 2.0: it has a source archive only" in outcome.err


@pytest.mark.usefixtures("shop")
def test_a_dependency_more_than_two_years_old_is_an_error(project: Project, cli: Command) -> None:
    project.spec("demo", SPEC.format(pypi="old-user"))
    outcome = cli("lock")
    assert outcome.code == 3
    assert "`neglected` would be locked at 1.0, not 2.0: it has a source archive only" in outcome.err
    project.spec("demo", ACCEPT.format(pypi="old-user", name="neglected"))
    cli("lock").succeeded()
    assert versions(project)["neglected"] == "1.0"


def test_what_is_locked_already_is_not_told(project: Project, shop: Registries, cli: Command) -> None:
    project.spec("demo", SPEC.format(pypi="held"))
    cli("lock").succeeded()
    archive(shop, "held", "3.0")
    shop.publish()
    outcome = cli("lock", "--json").succeeded()
    assert outcome.json()[0]["older"] == []
    assert "held" not in outcome.err.replace("held-", "")
    assert cli("lock", "--upgrade").code == 3
