from __future__ import annotations

import re
from pathlib import Path

from envgen.manifest.debian_recipe import for_python
from envgen.pythons import DEFAULT, SERVED, served_for
from envgen.sources.recipes import find_recipes, read_debian_recipe

RECIPES = find_recipes([Path(__file__).parents[2] / "recipes"])


def test_the_table_is_that_of_the_shipped_recipe() -> None:
    recipe = read_debian_recipe(RECIPES["python"])
    needs = {}
    for python in recipe.pythons:
        found = for_python(recipe, python)
        assert found is not None
        (match,) = filter(None, (re.fullmatch(r"__glibc >=(\d+)\.(\d+)", text) for text in found.depends))
        needs[python] = (int(match[1]), int(match[2]))
    assert needs == SERVED
    assert DEFAULT in needs


def test_tkinter_is_there_for_each() -> None:
    assert set(read_debian_recipe(RECIPES["tkinter"]).pythons) == set(SERVED)


def test_which_run_on_a_machine() -> None:
    assert served_for((2, 31)) == ()
    assert served_for((2, 36)) == ("3.11",)
    assert served_for((2, 41)) == tuple(SERVED)
