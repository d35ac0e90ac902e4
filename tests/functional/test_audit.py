"""`envgen audit`: what is known about the locked packages, with and without a network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.builders.osv import MODIFIED, advisory, write_database
from tests.functional import world
from tests.functional.conftest import SPEC

if TYPE_CHECKING:
    from pathlib import Path

    from tests.builders.registries import Registries
    from tests.command import Command, Project

EGGS = advisory(
    "GHSA-eggs",
    "Eggs",
    events=(("introduced", "0"), ("fixed", "2.0")),
    aliases=["CVE-2026-1"],
    database_specific={"severity": "HIGH"},
)
ZLIB = advisory(
    "DEBIAN-CVE-2026-2",
    "zlib",
    ecosystem="Debian:12",
    events=(("introduced", "0"), ("fixed", "1:1.2.13.dfsg-2")),
    upstream=["CVE-2026-2"],
)
NOWHERE = "http://127.0.0.1:9/simple"


@pytest.fixture
def database(tmp_path: Path) -> Path:
    folder = tmp_path / "osv"
    write_database(folder, [EGGS, advisory("PYSEC-9", "unrelated", events=(("introduced", "0"),))])
    write_database(folder, [ZLIB], ecosystem="Debian")
    return folder


def test_vulnerable_wheels_and_debian_packages_are_found(locked: Project, cli: Command, database: Path) -> None:
    done = cli("audit", "--database", str(database), "--json")
    assert done.code == 1
    found = {one["id"]: one for one in done.json()["vulnerabilities"]}
    assert set(found) == {"CVE-2026-1", "CVE-2026-2"}
    assert (found["CVE-2026-1"]["name"], found["CVE-2026-1"]["fixed"]) == ("eggs", "2.0")
    assert found["CVE-2026-1"]["aliases"] == ["GHSA-eggs"]
    assert (found["CVE-2026-2"]["name"], found["CVE-2026-2"]["project"]) == ("zlib1g", "zlib")
    assert found["CVE-2026-2"]["ecosystem"] == "Debian:12"
    assert {d["ecosystem"] for d in done.json()["databases"]} == {"PyPI", "Debian"}
    assert "2 known vulnerabilities" in done.err
    assert "--upgrade eggs" in done.err


def test_the_answer_is_the_same_without_a_network(locked: Project, cli: Command, database: Path) -> None:
    before = cli("audit", "--database", str(database), "--json").json()
    after = cli("audit", "--database", str(database), "--json", ENVGEN_PYPI=NOWHERE, ENVGEN_DEBIAN_SECURITY=NOWHERE)
    assert {**after.json(), "remarks": []} == {**before, "remarks": []}
    assert "was not asked" in after.err
    assert before["indexes"]
    assert all(index["date"] for index in before["indexes"])


def test_what_was_never_asked_is_told(locked: Project, cli: Command) -> None:
    done = cli("audit", "--offline").succeeded()
    assert "no database of advisories was read" in done.err
    assert "2 of 2 wheels are yanked is not known" in done.err
    assert "security updates is not known" in done.err


def test_ignores_have_a_reason_and_an_end(demo: Project, cli: Command, database: Path) -> None:
    cli("lock").succeeded()
    demo.spec(
        "demo",
        SPEC
        + """audit:
  ignore:
    GHSA-eggs: {reason: "we never boil them", until: 2099-01-01}
    CVE-2026-2: {reason: "nothing is inflated", until: 2020-01-01}
    CVE-2000-1: {reason: "old", until: 2099-01-01}
""",
    )
    done = cli("audit", "--database", str(database))
    assert done.code == 1
    assert "ignored: we never boil them" in done.out
    assert "1 known vulnerability" in done.err
    assert "`audit.ignore.CVE-2026-2` ended on 2020-01-01" in done.err
    assert "`audit.ignore.CVE-2000-1` applies to no locked package" in done.err
    cli("lock", "--check").succeeded()  # what is ignored does not make a lock stale


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("CVE-1-2: because", "expected a mapping"),
        ("CVE-1-2: {reason: no end}", "`until` missing"),
        ("CVE-1-2: {until: 2099-01-01}", "`reason` missing"),
        ("CVE-1-2: {reason: x, until: tomorrow}", "not a date: 'tomorrow'"),
        ("spam: {reason: x, until: 2099-01-01}", "not the identifier of an advisory"),
    ],
)
def test_bad_ignores_are_refused_with_their_line(demo: Project, cli: Command, entry: str, words: str) -> None:
    demo.spec("demo", f"{SPEC}audit:\n  ignore:\n    {entry}\n")
    done = cli("audit")
    assert done.code == 1
    assert words in done.err
    assert "environments/demo.yaml:" in done.err


def test_yanked_wheels_are_named_without_a_database(locked: Project, cli: Command, registries: Registries) -> None:
    registries.index.add(*world.eggs("1.1"), yanked="they were rotten")
    registries.publish()
    done = cli("audit", "--json")
    assert done.code == 1
    (one,) = done.json()["withdrawn"]
    assert (one["name"], one["reason"]) == ("eggs", "yanked: they were rotten")


def test_removed_wheels_are_named(locked: Project, cli: Command, registries: Registries) -> None:
    registries.index.remove(world.eggs("1.1")[0])
    registries.publish()
    assert [w["reason"] for w in cli("audit", "--json").json()["withdrawn"]] == ["the index no longer lists it"]


def test_security_updates_are_named_without_a_database(locked: Project, cli: Command, registries: Registries) -> None:
    from tests.builders.stubs import debian_python

    assert cli("audit").succeeded().out == ""
    registries.security.add(*debian_python("amd64", version="3.11.2-6+deb12u99"))
    registries.publish()
    done = cli("audit", "--json")
    assert done.code == 1
    updates = {u["name"]: u["newer"] for u in done.json()["security_updates"]}
    assert updates["python3.11"] == "3.11.2-6+deb12u99"
    assert "--upgrade python3.11" in done.err
    cli("lock", "--upgrade", "python3.11").succeeded()
    assert "python3.11" not in {u["name"] for u in cli("audit", "--json").json()["security_updates"]}
    assert "zlib1g" not in updates


def test_sarif_has_rules_results_and_suppressions(locked: Project, cli: Command, database: Path) -> None:
    run = cli("audit", "--database", str(database), "--sarif").json()["runs"][0]
    assert {rule["id"] for rule in run["tool"]["driver"]["rules"]} == {"CVE-2026-1", "CVE-2026-2"}
    levels = {result["ruleId"]: result["level"] for result in run["results"]}
    assert levels == {"CVE-2026-1": "error", "CVE-2026-2": "warning"}
    assert run["properties"]["dates"]["advisories of PyPI"] == MODIFIED


def test_bad_databases_are_refused(locked: Project, cli: Command, tmp_path: Path, database: Path) -> None:
    missing = cli("audit", "--database", "nowhere")
    assert (missing.code, "there is no folder" in missing.err) == (1, True)
    empty = cli("audit", "--database", str(tmp_path))
    assert (empty.code, "has no advisories of" in empty.err) == (1, True)
    (database / "osv-scanner/PyPI/all.zip").write_bytes(b"<html>")
    damaged = cli("audit", "--database", str(database))
    assert (damaged.code, "is damaged" in damaged.err) == (5, True)
    both = cli("audit", "--json", "--sarif")
    assert both.code == 2
