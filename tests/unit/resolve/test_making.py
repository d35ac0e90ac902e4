"""A solve goes on with what recipes will make; what they made takes its place."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from envgen.digest import Sha256
from envgen.errors import UserError
from envgen.prepare.recipe_packages import RecipeOutput
from envgen.resolve.making import Making
from envgen.sources.recipes import Recipe
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
