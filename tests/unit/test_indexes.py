"""Which project comes from which index."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envgen.errors import UserError
from envgen.indexes import DEFAULT, NamedIndex, index_in, index_of, matches, name_of, unused_patterns, variable_of
from envgen.names import project_name


def index(name: str, *projects: str) -> NamedIndex:
    return NamedIndex(name=name, url="./x", projects=projects)


def test_routes() -> None:
    indexes = {"team": index("team", "acme-*", "torch"), "other": index("other", "x")}
    routed = {
        name: index_of(project_name(name), indexes) for name in ("acme-core", "torch", "torchvision", "x", "acme")
    }
    assert routed == {
        "acme-core": "team",
        "torch": "team",
        "torchvision": DEFAULT,
        "x": "other",
        "acme": DEFAULT,
    }


def test_a_project_of_two_indexes_is_refused() -> None:
    indexes = {"one": index("one", "acme-*"), "two": index("two", "*-core")}
    assert index_of(project_name("acme-x"), indexes) == "one"
    with pytest.raises(UserError, match=r"`acme-core` is named by `indexes\.one` and `indexes\.two`"):
        index_of(project_name("acme-core"), indexes)


@given(st.from_regex(r"[a-z0-9]{1,4}(-[a-z0-9]{1,4}){0,3}", fullmatch=True))
def test_names_and_variables_stand_for_each_other(name: str) -> None:
    assert name_of(variable_of(name)) == name
    assert index_in(f"${{{variable_of(name)}}}/x/x-1-py3-none-any.whl") == name


@pytest.mark.parametrize("variable", ["ENVGEN_INDEX_", "ENVGEN_INDEX_a", "ENVGEN_INDEX_A__B", "ENVGEN_PYPI", "X"])
def test_other_variables_are_of_no_index(variable: str) -> None:
    assert name_of(variable) is None


def test_patterns_are_no_regular_expressions() -> None:
    assert not matches("a.c", "abc")
    assert matches("a*c", "abbc")
    assert matches("a-*", "a-b-*")
    assert not matches("a-b-*", "a-*")


def test_unused_patterns() -> None:
    assert unused_patterns([index("team", "acme-*", "torch")], ["acme-x"]) == [
        "`indexes.team.projects`: `torch` matches no locked package"
    ]
