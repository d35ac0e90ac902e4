"""`envgen env`: what is on this machine, removed and renamed."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.command import TIMEOUT
from tests.functional.test_create import make, needs_311
from tests.functional.test_lock import LOCK

if TYPE_CHECKING:
    from tests.command import Command, Project


def listed(cli: Command) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = cli("env", "list", "--json").succeeded().json()["environments"]
    return found


def listing(cli: Command) -> Path:
    return Path(cli.variables["HOME"]) / ".conda/environments.txt"


def on_terminal(cli: Command, *arguments: str, answer: str) -> str:
    """Run a command whose standard input is a terminal at which somebody has typed an answer; return what it said."""
    ours, theirs = pty.openpty()
    try:
        os.write(ours, f"{answer}\n".encode())
        done = subprocess.run(
            [sys.executable, "-m", "envgen", *arguments],
            cwd=cli.directory,
            env=cli.variables,
            stdin=theirs,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=True,
        )
    finally:
        os.close(ours)
        os.close(theirs)
    return done.stderr


def foreign(prefix: Path) -> Path:
    (prefix / "conda-meta").mkdir(parents=True)
    (prefix / "conda-meta/history").touch()
    return prefix


def test_list_tells_lock_state_and_size(locked: Project, cli: Command, tmp_path: Path) -> None:
    prefix = make(cli)
    cli("create", "--prefix", str(tmp_path / "elsewhere")).succeeded()
    here, there = listed(cli)
    assert here == {
        "name": "demo",
        "prefix": str(prefix),
        "state": "up to date",
        "project": str(locked.root),
        "environment": "demo",
        "lock": f"locks/{LOCK}",
        "bytes": here["bytes"],
        "freed": here["freed"],
        "active": False,
    }
    assert here["bytes"] > here["freed"] > 0
    assert (there["name"], there["prefix"]) == (None, str(tmp_path / "elsewhere"))
    text = cli("env", "list").succeeded().out
    assert [word in text for word in ("up to date", str(prefix), LOCK)] == [True] * 3


def test_list_says_that_there_is_none(locked: Project, cli: Command) -> None:
    done = cli("env", "list").succeeded()
    assert (done.out, "envgen has made no environment" in done.err) == ("", True)
    assert cli("env", "list", "--json").succeeded().json()["environments"] == []


def test_list_notices_a_lock_that_changed_or_is_gone(locked: Project, cli: Command) -> None:
    prefix = make(cli)
    lock = locked.root / "locks" / LOCK
    lock.write_text(lock.read_text() + "\n# another commit\n")
    assert listed(cli)[0]["state"] == "out of date"
    cli("create").succeeded()  # no package changed
    assert listed(cli)[0]["state"] == "up to date"
    lock.unlink()
    assert listed(cli)[0]["state"] == "lock is gone"
    (prefix / "conda-meta/.envgen-origin").unlink()
    assert listed(cli)[0]["state"] == "lock not recorded"


def test_list_drops_dead_entries_and_leaves_those_of_others(locked: Project, cli: Command, tmp_path: Path) -> None:
    prefix, other, dead = make(cli), foreign(tmp_path / "other"), tmp_path / "dead"
    listing(cli).write_text(f"{dead}\n{prefix}\n{other}\n")
    outcome = cli("env", "list").succeeded()
    assert f"removed from `environments.txt`, since these environments do not exist: `{dead}`" in outcome.err
    assert "1 environment of other tools" in outcome.err
    assert listing(cli).read_text() == f"{prefix}\n{other}\n"


def test_remove_takes_the_folder_and_its_entry(locked: Project, cli: Command) -> None:
    prefix = make(cli)
    outcome = cli("env", "remove", "--yes", "--json").succeeded()
    assert outcome.json()["removed"] == str(prefix)
    assert not prefix.exists()
    assert list(prefix.parent.iterdir()) == []
    assert listing(cli).read_text() == ""
    assert listed(cli) == []
    assert cli("env", "remove", "--yes").code == 1


def test_remove_asks_and_names_what_no_package_brought(locked: Project, cli: Command) -> None:
    prefix = make(cli)
    (prefix / "notebooks").mkdir()
    (prefix / "notebooks/mine.ipynb").write_text("{}")
    refused = cli("env", "remove")
    assert refused.code == 2
    assert "add `--yes`" in refused.err
    for answer, is_left in (("n", True), ("y", False)):
        said = on_terminal(cli, "env", "remove", "--name", "demo", answer=answer)
        assert "notebooks/mine.ipynb" in said
        assert prefix.exists() is is_left


def test_what_is_not_envgens_is_refused(locked: Project, cli: Command, tmp_path: Path) -> None:
    other, prefix = foreign(tmp_path / "other"), make(cli)
    for arguments in (["remove", "--yes"], ["rename", "new"]):
        outcome = cli("env", *arguments, "--prefix", str(other))
        assert outcome.code == 1
        assert "was created by another tool" in outcome.err
        assert "is active in this shell" in cli("env", *arguments, CONDA_PREFIX=str(prefix)).err
    assert "is not an environment" in cli("env", "remove", "--yes", "--prefix", str(tmp_path)).err
    (tmp_path / "link").symlink_to(prefix)
    assert "is a symbolic link" in cli("env", "remove", "--yes", "--prefix", str(tmp_path / "link")).err
    assert other.exists()
    assert prefix.exists()


@needs_311
def test_rename_rewrites_what_holds_the_path(locked: Project, cli: Command, tmp_path: Path) -> None:
    prefix = make(cli)
    script = prefix / "bin/from-pip"
    script.write_text(f"#!{prefix}/bin/python\nprint('works')\n")
    script.chmod(0o755)
    cli("env", "rename", "other").succeeded()
    new = prefix.parent / "other"
    for program, said in (("spam", "spam with eggs 1.1\n"), ("from-pip", "works\n")):
        assert subprocess.run([new / "bin" / program], capture_output=True, text=True, check=True).stdout == said
    left = [p for p in new.rglob("*") if p.is_file() and not p.is_symlink() and str(prefix).encode() in p.read_bytes()]
    assert left == []
    assert listing(cli).read_text() == f"{new}\n"
    assert [one["name"] for one in listed(cli)] == ["other"]
    # the records are true: nothing is found to be damaged, and nothing to be done
    outcome = cli("create", "--name", "other", "--verify", "--json").succeeded().json()
    assert (outcome["link"], outcome["damaged"]) == ([], {})
    assert json.loads(next(new.glob("conda-meta/spam-*.json")).read_text())["files"]

    cli("env", "rename", "--name", "other", str(tmp_path / "deep/er")).succeeded()
    assert cli.process("run", "--prefix", str(tmp_path / "deep/er"), "--", "spam").succeeded().out


def test_rename_refuses_names_that_cannot_be(locked: Project, cli: Command, tmp_path: Path) -> None:
    prefix = make(cli)
    foreign(prefix.parent / "taken")
    for new, said in (
        ("taken", "already exists"),
        ("a b", "is not a valid environment name"),
        (str(tmp_path / ("x" * 120)), "choose a shorter path"),
        (str(tmp_path / "with space"), "first line of a script"),
    ):
        outcome = cli("env", "rename", new)
        assert outcome.code == 1
        assert said in outcome.err
    assert prefix.exists()
