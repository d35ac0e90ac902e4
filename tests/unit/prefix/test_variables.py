"""Variables of an environment beside those that a person sets."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from envgen.errors import IntegrityError
from envgen.prefix.variables import changed_variables, write_variables

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    (tmp_path / "conda-meta").mkdir()
    return tmp_path


def state(prefix: Path) -> Any:
    return json.loads((prefix / "conda-meta/state").read_text())


def test_variables_come_change_and_go(prefix: Path) -> None:
    assert changed_variables(prefix, {"A": "1", "B": "2"}) == {"A": "1", "B": "2"}
    write_variables(prefix, {"A": "1", "B": "2"})
    assert state(prefix)["env_vars"] == {"A": "1", "B": "2"}
    assert changed_variables(prefix, {"A": "1", "C": "3"}) == {"B": None, "C": "3"}
    write_variables(prefix, {"A": "1", "C": "3"})
    assert state(prefix)["env_vars"] == {"A": "1", "C": "3"}
    write_variables(prefix, {})
    assert state(prefix) == {"version": 1, "env_vars": {}}


def test_what_a_person_set_stays(prefix: Path) -> None:
    (prefix / "conda-meta/state").write_text('{"version": 2, "env_vars": {"MINE": "x", "A": "0"}, "more": [1]}')
    assert changed_variables(prefix, {"A": "1"}) == {"A": "1"}
    write_variables(prefix, {"A": "1"})
    write_variables(prefix, {})
    assert state(prefix) == {"version": 2, "more": [1], "env_vars": {"MINE": "x"}}


def test_nothing_is_written_where_nothing_changes(prefix: Path) -> None:
    write_variables(prefix, {})
    assert not (prefix / "conda-meta/state").exists()
    write_variables(prefix, {"A": "1"})
    before = (prefix / "conda-meta/state").stat().st_ino
    write_variables(prefix, {"A": "1"})
    assert (prefix / "conda-meta/state").stat().st_ino == before


def test_a_variable_that_a_person_took_over_is_not_new(prefix: Path) -> None:
    (prefix / "conda-meta/state").write_text('{"env_vars": {"A": "1"}}')
    assert changed_variables(prefix, {"A": "1"}) == {}
    write_variables(prefix, {"A": "1"})
    assert state(prefix)["envgen"] == {"env_vars": ["A"]}


@pytest.mark.parametrize("text", ["", "[]", "{", '{"env_vars": []}', '{"env_vars": 1}'])
def test_a_file_that_is_something_else(prefix: Path, text: str) -> None:
    (prefix / "conda-meta/state").write_text(text)
    with pytest.raises(IntegrityError, match="state"):
        changed_variables(prefix, {"A": "1"})


@pytest.mark.parametrize("ours", ["1", "[]", '{"env_vars": 1}', '{"env_vars": [1, []]}'])
def test_notes_of_another_kind_count_as_none(prefix: Path, ours: str) -> None:
    (prefix / "conda-meta/state").write_text(f'{{"env_vars": {{"A": "1"}}, "envgen": {ours}}}')
    assert changed_variables(prefix, {}) == {}
