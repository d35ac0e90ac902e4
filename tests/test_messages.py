"""Errors as the command line prints them: each case of `cases/errors.yaml`, at 60 columns, with its hint.

After a message was changed on purpose, rewrite the file and read the difference (without `-n`):

    UPDATE_MESSAGES=1 python -m pytest tests/test_messages.py && git diff tests/cases/errors.yaml
"""

from __future__ import annotations

import importlib
import io
import os
import re
import shlex
from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import rich.console
import yaml

from envgen.cli.group import _failed
from envgen.errors import EnvgenError
from tests.builders.stubs import RECIPE
from tests.functional import world
from tests.functional.conftest import SPEC

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.builders.registries import Registries
    from tests.command import Command, Project

FILE = Path(__file__).parent / "cases" / "errors.yaml"
IS_UPDATE = "UPDATE_MESSAGES" in os.environ
WIDTH = 60
LEAST = 40
"""Messages that must be covered."""

VERBS = {
    *("init", "lock", "merge-lock", "create", "run", "shell-hook", "list", "tree", "why", "diff"),
    *("export", "licenses", "doctor", "image", "build", "completion", "clean", "env"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One case of the file; see its head."""

    case: str
    says: str = ""
    run: str | None = None
    code: int = 1
    spec: str = SPEC
    before: tuple[str, ...] = ()
    then: str | None = None
    files: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    call: str | None = None
    arguments: list[Any] | dict[str, Any] = field(default_factory=list)


CASES = [Case(**entry) for entry in yaml.safe_load(FILE.read_text(encoding="utf-8"))]
COMMANDS = [case for case in CASES if case.run is not None]
CALLS = [case for case in CASES if case.call is not None]


def name(case: Case) -> str:
    return case.case


@pytest.fixture
def registries(registries: Registries) -> Registries:
    """Fill the registries with the world of the functional tests."""
    world.fill(registries)
    return registries


@pytest.mark.parametrize("case", COMMANDS, ids=name)
def test_command(case: Case, project: Project, cli: Command, tmp_path: Path) -> None:
    for path, text in RECIPE.items():
        project.write(path, text)
    project.spec("demo", case.spec)
    cli.variables["NO_COLOR"] = "1"
    for command in case.before:
        cli(*shlex.split(command)).succeeded()
    if case.then is not None:
        project.spec("demo", case.then)
    for path, text in case.files.items():
        project.write(path, text)
    cli.variables.update(case.variables)
    outcome = cli(*shlex.split(case.run or ""))
    assert (outcome.code, "Traceback" in outcome.err) == (case.code, False), outcome.err
    places = {project.root: "/project", tmp_path / "home": "/home/me", tmp_path: "/work"}
    said = reduce(lambda text, place: text.replace(str(place), places[place]), places, outcome.err)
    compare(case, re.sub(r"this machine has [\d.]+", "this machine has 2.36", said))


@pytest.mark.parametrize("case", CALLS, ids=name)
def test_call(case: Case, capfd: pytest.CaptureFixture[str]) -> None:
    error = raised(case)
    capfd.readouterr()
    code = _failed(error)
    assert code == case.code
    compare(case, capfd.readouterr().err)


def raised(case: Case) -> EnvgenError:
    """Return the error that a function raises, or that a class constructs."""
    module, _, attribute = (case.call or "").partition(":")
    function: Any = importlib.import_module(module)
    for part in attribute.split("."):
        function = getattr(function, part)
    try:
        made = function(**case.arguments) if isinstance(case.arguments, dict) else function(*case.arguments)
    except EnvgenError as error:
        return error
    assert isinstance(made, EnvgenError), f"{case.call} neither raised nor made an error"
    return made


def test_the_cases_cover_every_verb() -> None:
    run = {word for case in COMMANDS for word in shlex.split(case.run or "") if word in VERBS}
    assert VERBS - run == set()
    assert len({case.says for case in CASES}) >= LEAST
    assert len({case.case for case in CASES}) == len(CASES)


def compare(case: Case, said: str) -> None:
    """Compare with the file, or write it there."""
    text = printed(re.sub(r"https?://127\.0\.0\.1:\d+", "https://mirror.example", said))
    if IS_UPDATE:
        update(case, text)
    else:
        assert text == case.says


def printed(text: str) -> str:
    """Break lines as a terminal of 60 columns is read: at words."""
    paper = io.StringIO()
    rich.console.Console(file=paper, width=WIDTH, no_color=True, highlight=False).print(text.rstrip("\n"), markup=False)
    return "".join(f"{line.rstrip()}\n" for line in paper.getvalue().splitlines())


class _Writer(yaml.SafeDumper):
    """Writes texts of several lines as they are."""


def _text(writer: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return writer.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Writer.add_representer(str, _text)


def update(case: Case, text: str) -> None:
    """Write what a case says into the file; its head and its other cases stay."""
    old = FILE.read_text(encoding="utf-8")
    head = old[: old.index("- case:")]
    entries = [{**e, "says": text} if e["case"] == case.case else e for e in yaml.safe_load(old)]
    dumped = (yaml.dump([entry], Dumper=_Writer, sort_keys=False, allow_unicode=True, width=10**6) for entry in entries)
    FILE.write_text(head + "\n".join(dumped), encoding="utf-8")
