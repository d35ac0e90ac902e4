from __future__ import annotations

import pytest

from envgen.errors import SpecError
from envgen.meant import MeantTable
from envgen.project.shipped import meant_table


def test_the_shipped_table() -> None:
    table = meant_table()
    assert table.project("PIL", exists=False) == "pillow"
    assert table.project("sklearn", exists=True) == "scikit-learn"
    assert table.project("jwt", exists=True) is None
    assert table.project("numpy", exists=False) is None
    assert not table.projects.keys() & table.projects.values(), "what is meant is not itself meant otherwise"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "projects"),
        ("placeholders = []\n[projects]\nPIL = 'pillow'", "not valid: PIL"),
        ("placeholders = ['a']\n[projects]", "not valid: a"),
        ("placeholders = []\nprograms = ['g++']\n[projects]", "not valid: g"),
        ("placeholders = [[]]\n[projects]", "unhashable"),
        ("[", "Invalid"),
    ],
)
def test_a_table_with_a_fault(text: str, said: str) -> None:
    with pytest.raises(SpecError, match=said):
        MeantTable.from_toml(text)
