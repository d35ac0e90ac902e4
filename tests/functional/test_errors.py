"""Errors that a newcomer meets: each case of `cases/errors.yaml` ends with its exit code and says what it must."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

if TYPE_CHECKING:
    from tests.command import Command, Project


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One case of the file; see its head."""

    case: str
    spec: str
    run: str
    code: int
    says: tuple[str, ...]
    before: tuple[str, ...] = ()
    then: str | None = None


CASES = [Case(**entry) for entry in yaml.safe_load((Path(__file__).parent / "cases" / "errors.yaml").read_text())]


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.case)
def test_error(case: Case, project: Project, cli: Command) -> None:
    project.spec("demo", case.spec)
    for command in case.before:
        cli(*command.split()).succeeded()
    if case.then is not None:
        project.spec("demo", case.then)
    outcome = cli(*case.run.split())
    said = " ".join(outcome.err.split())
    assert (outcome.code, [text for text in case.says if text not in said]) == (case.code, []), outcome.err
    assert "Traceback" not in outcome.err
    assert outcome.out == ""


def test_no_project_at_all(cli: Command, tmp_path: Path) -> None:
    outcome = cli("lock", cwd=tmp_path / "home")
    assert outcome.code == 1
    assert "environments" in outcome.err
    assert "hint: start a project here with `envgen init`" in outcome.err


def test_unknown_command_has_the_nearest(cli: Command) -> None:
    outcome = cli("lokc")
    assert outcome.code == 2
    assert "unknown command `lokc`\nhint: did you mean `lock`?" in outcome.err


def test_several_environments_and_none_is_the_default(demo: Project, cli: Command) -> None:
    demo.spec("other", 'python: "3.11"\nplatforms: {linux-64: {}}\n')
    outcome = cli("lock")
    assert outcome.code == 1
    assert "`demo`" in outcome.err
    assert "`other`" in outcome.err
    assert "default: true" in outcome.err
