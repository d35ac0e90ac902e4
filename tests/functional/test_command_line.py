"""The command line as a whole: groups of verbs, a bare `envgen`, errors as JSON."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from envgen.cli.group import _GROUPS
from tests.command import REPOSITORY, TIMEOUT
from tests.functional.conftest import SPEC

if TYPE_CHECKING:
    from pathlib import Path

    from tests.command import Command, Project


def test_help_shows_the_groups_of_the_front_page(cli: Command) -> None:
    shown = cli("--help").succeeded().out
    rows = re.findall(r"^\| (?:\*\*(?P<title>[a-z ]+)\*\*|(?P<verbs>`envgen .*?)) \|", _commands(), re.MULTILINE)
    groups: dict[str, list[str]] = {}
    for title, verbs in rows:
        if title:
            groups[title.capitalize()] = []
        else:
            groups[next(reversed(groups))] += re.findall(r"`envgen ([a-z-]+)", verbs)
    assert {title: set(verbs) for title, verbs in groups.items()} == {t: set(verbs) for t, verbs in _GROUPS.items()}
    assert re.findall(r"^([A-Z][a-z ]+):$", shown, re.MULTILINE) == ["Options", *_GROUPS]


def _commands() -> str:
    text = (REPOSITORY / "README.md").read_text()
    return text[text.index("## Commands") : text.index("## A spec")]


def test_a_bare_call_shows_the_help(cli: Command) -> None:
    done = cli()
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("Usage: envgen")
    assert "error:" not in done.err


def test_a_bare_call_where_no_project_is_names_the_next_step(demo: Project, cli: Command, tmp_path: Path) -> None:
    assert "hint:" not in cli().err
    (tmp_path / "empty").mkdir()
    assert cli(cwd=tmp_path / "empty").err.endswith(
        "hint: there is no environment here yet: start with `envgen init`\n"
    )


def on_terminal(cli: Command, *arguments: str, **variables: str) -> str:
    """Run a command whose output is a terminal, and return what it wrote there."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "envgen", *arguments]
    variables = {"TERM": "xterm-256color", "COLUMNS": "100"} | variables
    with subprocess.Popen(
        command, cwd=cli.directory, env=cli.variables | variables, stdout=theirs, stderr=theirs, stdin=theirs
    ) as started:
        os.close(theirs)
        said = b""
        with suppress(OSError):  # as Linux tells the end of a terminal
            while part := os.read(ours, 65536):
                said += part
        started.wait(TIMEOUT)
    os.close(ours)
    return said.decode()


@pytest.mark.parametrize("words", [("list", "nothing"), ("list",), ("audit", "--offline")], ids=" ".join)
def test_who_wants_no_colours_gets_none(locked: Project, cli: Command, words: tuple[str, ...]) -> None:
    assert "\x1b[" in on_terminal(cli, *words)
    for variables in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        said = on_terminal(cli, *words, **variables)
        assert said.strip()
        assert "\x1b" not in said


def test_help_of_a_verb_with_verbs_is_whole(cli: Command) -> None:
    shown = cli("env", "--help").succeeded().out
    assert "..." not in shown[shown.index("Commands:") :]


def test_the_next_steps_of_a_second_environment_name_it(demo: Project, cli: Command) -> None:
    done = cli("init", "other").succeeded()
    assert "next: `envgen lock other`, then `envgen create other`" in done.err


def test_the_version_has_a_short_name(cli: Command) -> None:
    assert cli("-V").succeeded().out == cli("--version").succeeded().out


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("list", "--json"), 1, "there is no lock for linux-64"),
        (("why", "nothing", "--json"), 1, ""),
        (("list", "elsewhere", "--json"), 1, "elsewhere"),
        (("list", "--json", "--nonsense"), 2, "no such option `--nonsense`"),
    ],
)
def test_errors_are_json_where_json_is_asked_for(
    demo: Project, cli: Command, arguments: tuple[str, ...], code: int, words: str
) -> None:
    done = cli(*arguments)
    error = done.json()["error"]
    assert (done.code, error["code"]) == (code, code)
    assert words in error["message"]
    assert f"error: {error['message'].splitlines()[0]}" in done.err


def test_data_and_an_error_are_one_document(project: Project, cli: Command) -> None:
    project.spec("demo", SPEC + "licenses: {allow: [MIT]}\n")
    cli("lock").succeeded()
    done = cli("licenses", "--json", "--offline")
    assert done.code == 1
    assert isinstance(done.json(), list)


def test_json_for_another_program_is_not_ours(demo: Project, cli: Command, tmp_path: Path) -> None:
    done = cli("run", "--prefix", str(tmp_path / "nowhere"), "--", "tool", "--json")
    assert (done.code, done.out) == (1, "")


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("list", "other"), "run `envgen lock other`"),
        (("run", "other", "--", "python"), "create it with `envgen create other`"),
        (("run", "--name", "x", "--", "python"), "create it with `envgen create --name x`"),
        (("why", "nothing", "demo"), "run `envgen list demo` to show the locked packages"),
        (("lock", "other", "--check"), "run `envgen lock other`"),
        (("lock", "--all", "--check"), "run `envgen lock --all`"),
    ],
)
def test_a_hint_names_the_environment_where_there_are_several(
    locked: Project, cli: Command, words: tuple[str, ...], hint: str
) -> None:
    locked.spec("other", SPEC)
    done = cli(*words)
    assert done.code == 1
    assert done.err.splitlines()[-1] == f"hint: {hint}"
    if words[0] == "list":
        assert cli(*words, "--json").json()["error"]["hint"] == hint
        (locked.root / "environments/demo.yaml").unlink()
        assert cli(*words).err.splitlines()[-1] == "hint: run `envgen lock`"


def test_an_error_of_one_of_all_environments_names_it(demo: Project, cli: Command) -> None:
    demo.spec("other", SPEC.replace("eggs <2", "eggs <0.1"))
    done = cli("lock", "--all", "--upgrade", "nothing")
    assert done.code == 1
    assert "`envgen list demo`" in done.err
