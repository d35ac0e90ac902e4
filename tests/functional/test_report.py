"""`envgen report`: the page, its JSON and the budget."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.builders.osv import advisory, write_database
from tests.builders.system import base_debs

if TYPE_CHECKING:
    from pathlib import Path

    from tests.builders.registries import Registries
    from tests.command import Command, Project


def git(project: Project, *arguments: str) -> None:
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    subprocess.run(["git", *identity, *arguments], cwd=project.root, check=True, capture_output=True)


def test_a_page_before_anything_is_there(locked: Project, cli: Command) -> None:
    done = cli("report", "--output", "report.html", "--json").succeeded()
    found = done.json()
    packages = {package["name"]: package for package in found["packages"]}
    assert {name for name, package in packages.items() if package["installed"] is None} == {"eggs", "spam"}
    assert packages["eggs"]["download"] > 0
    assert sorted(found["unread"]) == ["eggs", "spam"]
    assert "2 packages not in the cache: their downloads are counted; `envgen create demo`" in done.err
    assert "2 of 4 packages are not in the cache: " in (locked.root / "report.html").read_text()


def test_installed_sizes_and_folders(locked: Project, cli: Command) -> None:
    cli("create", "--prefix", "env").succeeded()
    done = cli("report", "--json").succeeded()
    packages = {package["name"]: package for package in done.json()["packages"]}
    (module,) = (locked.root / "env").rglob("eggs.py")
    info = sum(file.stat().st_size for file in module.parent.glob("eggs-1.1.dist-info/**/*") if file.is_file())
    assert packages["eggs"]["installed"] == module.stat().st_size + info
    assert packages["eggs"]["folders"]
    assert done.json()["unread"] == []
    assert "not in the cache" not in done.err


def test_nothing_is_fetched(locked: Project, cli: Command, registries: Registries) -> None:
    registries.server.requests.clear()
    cli("report", "--output", "report.html").succeeded()
    assert registries.server.requests == []


def test_a_budget_that_is_exceeded(locked: Project, cli: Command) -> None:
    done = cli("report", "--budget", "100B", "--output", "report.html")
    assert done.code == 1
    assert "is more than the budget of 100 B; these are largest: spam (" in done.err
    assert "Over budget" in (locked.root / "report.html").read_text()
    assert cli("report", "--budget", "1 GB").succeeded().out == ""


def test_the_budget_names_what_grew(locked: Project, cli: Command) -> None:
    git(locked, "init", "--initial-branch", "main")
    git(locked, "add", "--all")
    git(locked, "commit", "--message", "one")
    spec = locked.root / "environments/demo.yaml"
    spec.write_text(spec.read_text().replace("eggs <2]", "eggs <2, plated]"))
    cli("lock").succeeded()
    done = cli("report", "--budget", "100B", "--against", "main", "--json")
    assert done.code == 1
    assert "these grew most: plated (+" in done.err
    (change,) = done.json()["difference"]["changes"]
    assert (change["name"], change["before"], change["after"]) == ("plated", None, "1.0")
    reasons = {package["name"]: package["reason"] for package in done.json()["packages"]}
    assert reasons["plated"] == ["pypi: plated"]
    assert reasons["spam"] == ["pypi: spam==1.0"]
    assert "has no lock" not in done.err
    git(locked, "rm", "--quiet", "-r", "--cached", "locks")
    git(locked, "commit", "--message", "two")
    done = cli("report", "--against", "main", "--output", "page.html").succeeded()
    assert "warning: `main` has no lock of demo for linux-64: all packages are shown as new" in done.err
    assert "has no lock of this environment for linux-64" in (locked.root / "page.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ((), 2, "no output for the report"),
        (("--budget", "much"), 2, "not a size: 'much'"),
        (("--json", "--against", "nothing"), 1, "is not in a git repository"),
        (("--json", "--platform", "win-64"), 1, "does not support win-64"),
        (("--output", "environments/demo.yaml/page.html"), 1, "failed to write"),
    ],
)
def test_what_cannot_be(locked: Project, cli: Command, arguments: tuple[str, ...], code: int, words: str) -> None:
    done = cli("report", *arguments)
    assert (done.code, words in done.err) == (code, True), done.err


def test_layers_of_an_image(project: Project, registries: Registries, cli: Command) -> None:
    for architecture in ("amd64", "arm64"):
        registries.debian.add(*base_debs(architecture))
    registries.publish()
    project.spec(
        "demo",
        """\
python: "3.11"
platforms: {linux-64: {glibc: "2.36"}}
pypi: [spam ==1.0, eggs <2]
image: {base: {suites: [bookworm, bookworm-security]}}
""",
    )
    cli("lock").succeeded()
    before = cli("report", "--json").succeeded()
    assert before.json()["image"]["planned"] is False
    assert "image layers are shown as groups: not every package is in the cache" in before.err
    cli("image").succeeded()
    image = cli("report", "--json").succeeded().json()["image"]
    assert image["planned"]
    assert [layer["group"] for layer in image["layers"]] == ["base", "python", "rest", "runtime"]
    assert {"eggs", "spam"} <= set(image["layers"][2]["packages"])


def test_findings_of_audit_have_the_date_of_the_database(locked: Project, cli: Command, tmp_path: Path) -> None:
    eggs = advisory("PYSEC-1", "eggs", events=(("introduced", "0"), ("fixed", "2.0")))
    write_database(tmp_path / "osv", [eggs])
    unrelated = advisory("DSA-1", "unrelated", ecosystem="Debian", events=(("introduced", "0"),))
    write_database(tmp_path / "osv", [unrelated], ecosystem="Debian")
    done = cli("report", "--output", "page.html", "--json", "--database", str(tmp_path / "osv")).succeeded()
    found = done.json()["audit"]
    assert [(a["package"], a["id"], a["fixed"], a["ignored"]) for a in found["advisories"]] == [
        ("eggs", "PYSEC-1", "2.0", None)
    ]
    (wheels,) = (source for source in found["sources"] if source["name"] == "advisories of PyPI")
    page = (locked.root / "page.html").read_text()
    assert f"advisories of PyPI {wheels['date']}" in page
    assert wheels["date"].count("-") == 2
    assert '<span class="badge bad">PYSEC-1</span>' in page
    assert "whether 2 of 2 wheels are yanked is not known: run <code>envgen audit</code> with a network once" in page


def test_a_page_without_a_database_says_so(locked: Project, cli: Command) -> None:
    cli("report", "--output", "page.html").succeeded()
    page = (locked.root / "page.html").read_text()
    assert "<dd>no database read</dd>" in page
    assert "None, but no database was read." in page
    assert cli("report", "--json", "--database", "nowhere").code == 1
