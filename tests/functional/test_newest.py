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


DAMAGED = "its metadata or its version cannot be used: failed to unpack `wheelless-2.0.tar.gz`: not an archive"


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
        ("wheelless", DAMAGED),
        (
            "broken",
            (
                "its metadata or its version cannot be used: "
                "`base @ https://files.test/base.zip` refers to a URL, not to versions"
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
    assert f"warning: `wheelless` is locked at 1.0, not 2.0: {DAMAGED}" in outcome.err


@pytest.mark.usefixtures("shop")
def test_a_dependency_more_than_two_years_old_is_an_error(project: Project, cli: Command) -> None:
    project.spec("demo", SPEC.format(pypi="old-user"))
    outcome = cli("lock")
    assert outcome.code == 3
    assert "`neglected` would be locked at 1.0, not 2.0: its metadata or its version cannot be used" in outcome.err
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


@pytest.mark.usefixtures("shop")
def test_why_tells_later_what_lock_told(project: Project, cli: Command) -> None:
    project.spec("demo", SPEC.format(pypi="holds, held"))
    (told,) = cli("lock", "--json").succeeded().json()[0]["older"]
    before = project.locks()
    cli("lock").succeeded()
    assert project.locks() == before
    assert f"  when 1.0 was locked, 2.0 was the newest that `held` allows: {told['why']}\n" in cli("why", "held").out
    (found,) = cli("why", "held", "--json").succeeded().json()["linux-64"]
    assert found["older"] == told
    (found,) = cli("why", "base", "--json").succeeded().json()["linux-64"]
    assert found["older"] is None


@pytest.mark.usefixtures("shop")
def test_why_tells_of_limits_and_reasons(project: Project, cli: Command) -> None:
    project.spec("demo", SPEC.format(pypi="broken, user") + 'allow-older: {broken: "good enough"}\n')
    cli("lock").succeeded()
    told = cli("why", "broken").succeeded().out
    assert "when 1.0 was locked, 2.0 was the newest that `broken` allows: its metadata" in told
    assert "`allow-older`: good enough" in told
    assert "files.test" not in "".join(content.decode() for content in project.locks().values())
    assert f"when 1.0 was locked, 2.0 was newer: {DAMAGED}" in cli("why", "wheelless").out


@pytest.mark.usefixtures("shop")
def test_what_the_lock_says_of_a_package_goes_with_the_version_and_the_line(project: Project, cli: Command) -> None:
    project.spec("demo", SPEC.format(pypi="holds, held"))
    cli("lock").succeeded()
    assert any(b"envgen.older" in content for content in project.locks().values())
    project.spec("demo", SPEC.format(pypi="holds, held <2"))
    cli("lock").succeeded()
    assert versions(project)["held"] == "1.0"
    assert not any(b"envgen.older" in content for content in project.locks().values())
    project.spec("demo", SPEC.format(pypi="holds, held"))
    cli("lock", "--upgrade").succeeded()
    assert any(b"envgen.older" in content for content in project.locks().values())
    project.spec("demo", SPEC.format(pypi="held"))
    cli("lock", "--upgrade", "held", "--upgrade", "base").succeeded()
    assert versions(project)["held"] == "2.0"
    assert not any(b"envgen.older" in content for content in project.locks().values())


@pytest.mark.usefixtures("shop")
def test_an_exception_without_effect_is_told(project: Project, cli: Command) -> None:
    spec = SPEC.format(pypi="holds") + 'allow-older: {holds: "no need", nowhere: "not there"}\n'
    project.spec("demo", spec)
    err = cli("lock").succeeded().err
    assert "warning: `allow-older.holds`: `holds` 1.0 is the newest, so that it has no effect" in err
    assert "warning: `allow-older.nowhere`: no wheel of `nowhere` is locked, so that it has no effect" in err
    before = project.locks()
    for words in (("lock",), ("lock", "--refresh")):
        assert cli(*words).succeeded().err.count("so that it has no effect") == 2
    assert project.locks() == before


def test_an_extra_that_newer_releases_have_is_not_lost(project: Project, cli: Command, registries: Registries) -> None:
    add(registries, "held", "1.0")
    wheel = make_wheel("held", "2.0", requires=("base ==2.0; extra == 'hot'",), extras=("hot",))
    registries.index.add(wheel_filename("held", "2.0", "py3-none-any"), wheel, uploaded=UPLOADED)
    for version in ("1.0", "2.0"):
        add(registries, "base", version)
    registries.publish()
    project.spec("demo", SPEC.format(pypi='base ==1.0, "held[hot]"'))
    outcome = cli("lock")
    assert outcome.code == 3
    assert (
        "`held[hot]` in the spec would be locked at 1.0 for linux-64, which has no extra `hot`; 2.0 has it"
        in outcome.err
    )
    assert "hint: ask for `held`, without the extra; or `allow-older: {held:" in outcome.err
    assert project.locks() == {}
    project.spec("demo", ACCEPT.format(pypi='base ==1.0, "held[hot]"', name="held"))
    assert "warning: `held` 1.0 has no extra `hot`; it has none" in cli("lock").succeeded().err
    assert versions(project)["held"] == "1.0"
