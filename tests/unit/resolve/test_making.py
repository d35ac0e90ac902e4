"""A solve goes on with what recipes will make; what they made takes its place."""

from __future__ import annotations

import asyncio
import gc
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from envgen.digest import Sha256
from envgen.errors import UserError
from envgen.prepare.recipe_packages import RecipeOutput
from envgen.resolve.making import Making, make_all
from envgen.sources.recipes import Recipe
from envgen.structs import replace
from tests.unit.lock.samples import built, solution, wheel

if TYPE_CHECKING:
    from collections.abc import Callable

    from envgen.records import Record, Solution

FORESEEN = built("python", "3.11.2")
MADE = built("python", "3.11.2", build="h2_0")
OTHER = wheel("torch", "2.8.0")


def output(record: Record) -> RecipeOutput:
    recipe = Recipe(name="python", folder=Path("recipes/python"), digest=Sha256.of(b""))
    return RecipeOutput(recipe=recipe, records=(record,))


def test_what_was_made_takes_the_place_of_what_was_foreseen() -> None:
    solved = threading.Event()

    def make(*, foreseen: Callable[[RecipeOutput], None]) -> RecipeOutput:
        foreseen(output(FORESEEN))
        assert solved.wait(10)
        return output(MADE)

    async def work() -> Solution:
        making = Making()
        found = await making.start(make)
        assert found.records == (FORESEEN,)
        assert making.goes_on
        solved.set()
        return await making.finish(solution(FORESEEN, OTHER))

    assert asyncio.run(work()).records == solution(MADE, OTHER).records


def test_what_is_there_already_is_returned_at_once() -> None:
    async def work() -> None:
        making = Making()
        found = await making.start(lambda *, foreseen: output(MADE))
        assert found.records == (MADE,)
        assert not making.goes_on
        assert await making.finish(solution(MADE)) == solution(MADE)

    asyncio.run(work())


@pytest.mark.parametrize("tells", [True, False])
def test_an_error_is_raised_by_whoever_waits(*, tells: bool) -> None:
    def make(*, foreseen: Callable[[RecipeOutput], None]) -> RecipeOutput:
        if tells:
            foreseen(output(FORESEEN))
        raise UserError("the recipe does not fit")

    async def work() -> None:
        making = Making()
        await making.start(make)
        await making.finish(solution(FORESEEN))

    with pytest.raises(UserError, match="does not fit"):
        asyncio.run(work())


def test_recipes_are_made_side_by_side_and_then_what_they_require() -> None:
    known = {name: Recipe(name=name, folder=Path(name), digest=Sha256.of(b"")) for name in ("one", "two", "three")}
    known["also-two"] = known["two"]
    requires = {"one": ("three >=1", "two"), "two": ("nobody",), "three": ("one",)}
    begun: list[str] = []
    both = asyncio.Event()

    async def recipe_of(name: str) -> Recipe | None:
        return known.get(name)

    async def start(recipe: Recipe) -> RecipeOutput:
        begun.append(recipe.name)
        if len(begun) == 2:
            both.set()
        await asyncio.wait_for(both.wait(), 10)
        made = replace(built(recipe.name, "1"), depends=requires[recipe.name])
        return RecipeOutput(recipe=recipe, records=(made,))

    found = asyncio.run(make_all({"one", "two", "also-two", "none"}, recipe_of, start))
    assert {name: one.recipe.name for name, one in found.items()} == {name: name for name in ("one", "two", "three")}
    assert (sorted(begun[:2]), begun[2:]) == (["one", "two"], ["three"])


def test_a_recipe_that_fails_ends_the_others_without_a_word(caplog: pytest.LogCaptureFixture) -> None:
    """Also where the thread of another one fails later: nobody waits for it any more."""
    failed = threading.Event()

    def fail(*, foreseen: object) -> RecipeOutput:
        del foreseen
        failed.set()
        raise UserError("first")

    def fail_later(*, foreseen: object) -> RecipeOutput:
        del foreseen
        failed.wait(10)
        raise UserError("second")

    async def work() -> None:
        making = Making()
        makers = {"a": fail, "b": fail_later}

        async def recipe_of(name: str) -> Recipe | None:
            return Recipe(name=name, folder=Path(name), digest=Sha256.of(b""))

        await make_all(makers, recipe_of, lambda recipe: making.start(makers[recipe.name]))

    with pytest.raises(UserError, match=r"first|second"):
        asyncio.run(work())
    gc.collect()
    assert not caplog.records
