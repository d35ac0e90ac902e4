from __future__ import annotations

import pytest

from envgen.errors import UserError
from envgen.names import CondaName, NameTable, project_name
from envgen.solve.spec_requirements import Request
from tests.unit.solve.fakes import FakeIndex, target, task

NAMES = NameTable(renamed={project_name("torch"): CondaName("pytorch")})


def lines(*pypi: str, dependencies: tuple[str, ...] = (), python: str | None = "3.11.2") -> dict[str, tuple[str, ...]]:
    request = Request.of(task(FakeIndex(), *pypi, dependencies=dependencies, names=NAMES), python)
    return {line.text: line.specs for line in request.lines}


def test_python_first_then_the_lines_in_order() -> None:
    assert lines("torch ==2.8.0", "ham[b,a]", dependencies=("accel-runtime >=1",)) == {
        'python: "3.11"': ("python 3.11.*",),
        "accel-runtime >=1": ("accel-runtime >=1",),
        "torch==2.8.0": ("pytorch ==2.8.0",),
        "ham[a,b]": ("ham", "ham.extra.a", "ham.extra.b"),
    }


def test_lines_for_other_machines_are_left_out() -> None:
    found = lines("ham ; platform_machine == 'aarch64'", "eggs ; python_full_version < '3.11.3'")
    assert [text.partition(" ")[0].rstrip(";") for text in found][1:] == ["eggs"]


def test_what_no_matchspec_says_is_left_to_the_choice_of_wheels() -> None:
    request = Request.of(task(FakeIndex(), "ham ===weird", "ham <2"), None)
    assert request.lines[1].specs == ("ham",)
    assert [str(s) for s in request.required[project_name("ham")]] == ["===weird", "<2"]


@pytest.mark.parametrize(
    ("pypi", "dependencies", "message"),
    [
        (("ham @ https://example.test/ham.whl",), (), "`pypi` in the spec"),
        ((), ("spam >>1",), "`spam >>1` is not a MatchSpec"),
    ],
)
def test_lines_that_cannot_be_understood(pypi: tuple[str, ...], dependencies: tuple[str, ...], message: str) -> None:
    with pytest.raises(UserError, match=message):
        Request.of(task(FakeIndex(), *pypi, dependencies=dependencies, on=target()), None)
