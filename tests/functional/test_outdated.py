"""`envgen outdated`, and the age in `exclude-newer` that an update bot works with."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.command import REPOSITORY
from tests.functional import world
from tests.functional.conftest import SPEC
from tests.test_pages import WORKFLOWS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.builders.registries import Registries
    from tests.command import Command, Outcome, Project

LOCK = "locks/demo.linux-64.conda-lock.yml"


def packages(done: Outcome) -> dict[str, dict[str, Any]]:
    (lock,) = done.succeeded().json()
    return {package["name"]: package for package in lock["packages"]}


def test_what_could_be_newer_and_what_holds_it(locked: Project, cli: Command, registries: Registries) -> None:
    before = locked.locks()
    registries.index.add(*world.eggs("1.2"))
    registries.index.add(*world.eggs("3.0rc1"))
    registries.publish()
    found = packages(cli("outdated", "--json"))
    eggs = found["eggs"]
    assert (eggs["locked"], eggs["update"], eggs["newest"]) == ("1.1", "1.2", "2.0")
    assert "eggs<2" in eggs["why"].replace(" ", "")
    assert eggs["released"] == "2026-01-02T03:04:05+00:00"
    assert (found["spam"]["update"], found["spam"]["newest"]) == (None, "1.1")
    assert "spam==1.0" in found["spam"]["why"].replace(" ", "")
    assert locked.locks() == before


def test_a_page_is_asked_for_once(locked: Project, cli: Command, registries: Registries) -> None:
    cli("outdated").succeeded()
    registries.server.requests.clear()
    cli("outdated").succeeded()
    pages = [path for path in registries.server.paths() if "/simple/" in path and path.endswith("/")]
    assert sorted(pages) == sorted(set(pages))
    assert {path.split("/")[-2] for path in pages} >= {"eggs", "spam"}


def test_nothing_newer(project: Project, cli: Command) -> None:
    project.spec("demo", SPEC.replace("spam ==1.0, eggs <2", "eggs"))
    cli("lock").succeeded()
    done = cli("outdated").succeeded()
    assert done.out == ""
    assert "demo for linux-64: no update" in done.err


def test_a_newer_debian_package_and_the_size(locked: Project, cli: Command, registries: Registries) -> None:
    world.supersede(registries)
    (lock,) = cli("outdated", "--json").succeeded().json()
    found = {package["name"]: package for package in lock["packages"]}
    assert (found["zlib1g"]["locked"], found["zlib1g"]["update"]) == ("1:1.2.13.dfsg-1", "1:1.2.13.dfsg-2")
    assert lock["download"] > 0


def test_markdown_is_a_table(locked: Project, cli: Command) -> None:
    lines = cli("outdated", "--markdown").succeeded().out.splitlines()
    assert lines[0] == "### demo for linux-64"
    assert "| package | locked | age | update | newest | held back by |" in lines
    assert any(line.startswith("| eggs | 1.1 | ") for line in lines)
    assert cli("outdated", "--markdown", "--json").code == 2


def test_without_a_lock_it_says_what_to_do(demo: Project, cli: Command) -> None:
    done = cli("outdated")
    assert (done.code, "envgen lock" in done.err) == (1, True)


def test_a_bot_that_upgrades_says_what_moved_and_what_did_not(
    locked: Project, cli: Command, registries: Registries, tmp_path: Path
) -> None:
    def git(*arguments: str) -> str:
        command = ["git", "-c", "user.name=bot", "-c", "user.email=bot@example.org", *arguments]
        return subprocess.run(command, cwd=locked.root, check=True, capture_output=True, text=True).stdout

    git("init", "--quiet")
    git("add", "--all")
    git("commit", "--quiet", "-m", "locks")
    cli("lock", "--upgrade").succeeded()
    assert git("status", "--porcelain", "locks") == ""  # nothing is newer: no pull request
    registries.index.add(*world.eggs("1.2"))
    registries.publish()
    cli("lock", "--upgrade").succeeded()
    assert git("status", "--porcelain", "locks")
    assert "| **eggs** | wheel | `1.1` | `1.2` |" in cli("diff", "--markdown").succeeded().out
    rest = cli("outdated", "--markdown").succeeded().out
    assert "| eggs | 1.2 | " in rest
    assert "`eggs<2` in the spec" in rest


_GH = """#!/bin/sh
echo "$@" >> "$GH_LOG"
[ "$2" = create ] && cp body.md "$GH_LOG.body"
[ "$2" = view ] && grep -q ^pr.create "$GH_LOG" && echo OPEN
exit 0
"""


def upgrade_script() -> str:
    """Read the commands of the workflow on the page, as its runner would run them."""
    (text,) = (text for name, text in WORKFLOWS.items() if "upgrade.yml" in name)
    steps = [step["run"] for step in yaml.safe_load(text)["jobs"]["upgrade"]["steps"] if "run" in step]
    return "set -e\n" + "\n".join(step for step in steps if not step.startswith("pip install"))


def test_the_workflow_of_the_page_opens_one_pull_request(
    locked: Project, cli: Command, registries: Registries, tmp_path: Path
) -> None:
    log, programs, remote = tmp_path / "gh.log", tmp_path / "programs", tmp_path / "remote"
    programs.mkdir()
    (programs / "gh").write_text(_GH)
    (programs / "envgen").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m envgen "$@"\n')
    for program in programs.iterdir():
        program.chmod(0o755)
    path = f"{programs}:{cli.variables['PATH']}"
    variables = {**cli.variables, "PATH": path, "GH_LOG": str(log), "PYTHONPATH": str(REPOSITORY)}

    def shell(script: str) -> str:
        command = ["bash", "-c", script]
        done = subprocess.run(command, cwd=locked.root, env=variables, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    locked.spec("other", SPEC.replace("spam ==1.0, eggs <2", "eggs"))
    cli("lock", "other").succeeded()
    identity = "-c user.name=a -c user.email=a@example.org"
    shell(f"git init -qb main && git add -A && git {identity} commit -qm locks && git init -q --bare '{remote}'")
    shell(f"git remote add origin '{remote}' && git push -q origin main")
    shell(upgrade_script())
    assert not log.exists()  # nothing is newer
    registries.index.add(*world.eggs("1.2"))
    registries.publish()
    shell(upgrade_script())
    shell("git switch -q main && " + upgrade_script())  # the next Monday
    assert [line.split()[1] for line in log.read_text().splitlines()] == ["view", "create", "view", "edit"]
    body = log.with_name("gh.log.body").read_text()
    assert "| **eggs** | wheel | `1.1` | `1.2` |" in body
    assert "### demo for linux-64" in body
    assert "### other for linux-64" in body
    pushed = shell("git diff --stat origin/main origin/envgen-upgrade")
    assert "locks/demo.linux-64.conda-lock.yml" in pushed


def cooled(project: Project, cli: Command, age: str) -> Outcome:
    project.spec("demo", SPEC.replace("spam ==1.0, ", "") + f"exclude-newer: {age}\n")
    return cli("lock")


def moment(project: Project) -> str:
    metadata = yaml.safe_load((project.root / LOCK).read_text())["metadata"]["custom_metadata"]
    return str(metadata["envgen.exclude-newer"])


def test_an_age_becomes_a_date_in_the_lock(project: Project, cli: Command, registries: Registries) -> None:
    now = dt.datetime.now(dt.UTC)
    registries.index.add(*world.eggs("1.2"), uploaded=now - dt.timedelta(days=2))
    registries.publish()
    cooled(project, cli, "7 days").succeeded()
    assert moment(project).startswith(f"{now - dt.timedelta(days=7):%Y-%m-%d}")
    eggs = packages(cli("outdated", "--json")).get("eggs", {})
    assert eggs["newest"] == "2.0"
    cli("lock", "--check").succeeded()


def test_what_is_too_young_is_held_by_the_age(project: Project, cli: Command, registries: Registries) -> None:
    uploaded = dt.datetime.now(dt.UTC) - dt.timedelta(days=2)
    registries.index.add(*world.eggs("9.0"), uploaded=uploaded)
    registries.publish()
    project.spec("demo", SPEC.replace("spam ==1.0, eggs <2", "eggs") + "exclude-newer: 1 week\n")
    cli("lock").succeeded()
    eggs = packages(cli("outdated", "--json"))["eggs"]
    assert (eggs["locked"], eggs["update"], eggs["newest"]) == ("2.0", None, "9.0")
    assert eggs["why"] == f"`exclude-newer`: 9.0 is of {uploaded:%Y-%m-%d}"
    project.spec("demo", SPEC.replace("spam ==1.0, eggs <2", "eggs <3") + "exclude-newer: 1 week\n")
    why = packages(cli("outdated", "--json"))["eggs"]["why"]
    assert why == f"`exclude-newer`: 9.0 is of {uploaded:%Y-%m-%d}; `eggs<3` in the spec"


def test_the_date_of_a_lock_stays_until_it_is_solved_again(project: Project, cli: Command) -> None:
    cooled(project, cli, "7 days").succeeded()
    path = project.root / LOCK
    today, then = moment(project), "2026-02-03T00:00:00+00:00"
    assert today != then
    path.write_text(path.read_text().replace(today, then))
    project.spec("demo", SPEC.replace("spam ==1.0, ", "") + "exclude-newer: 7 days\n")
    cli("lock", "--check").succeeded()
    cli("lock", "--upgrade").succeeded()
    assert moment(project) == today


@pytest.mark.parametrize("age", ["0 days", "7", "7 fortnights", "-7 days", "99999 days", "soon"])
def test_what_is_no_age_is_refused(project: Project, cli: Command, age: str) -> None:
    done = cooled(project, cli, f'"{age}"')
    assert (done.code, "environments/demo.yaml:" in done.err) == (1, True)
