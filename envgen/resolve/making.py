"""Recipes at work for one platform: the solve goes on with what they will make, while they make it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Protocol

from msgspec import Struct, field

from envgen.manifest.values import match_name
from envgen.structs import replace
from envgen.together import together

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Coroutine

    from envgen.prepare.recipe_packages import RecipeOutput
    from envgen.records import Solution
    from envgen.sources.recipes import Recipe


class Maker(Protocol):
    """Makes a recipe; tells what will come out once that is known, if it takes longer to make it."""

    def __call__(self, *, foreseen: Callable[[RecipeOutput], None]) -> RecipeOutput:
        """Return what was made."""


class Making(Struct, frozen=True, kw_only=True):
    """The recipes that are being made."""

    _tasks: list[asyncio.Task[RecipeOutput]] = field(default_factory=list)

    @property
    def goes_on(self) -> bool:
        """Return whether something is not made yet."""
        return any(not task.done() for task in self._tasks)

    async def start(self, make: Maker) -> RecipeOutput:
        """Make a recipe in a thread, and return what comes out, or as soon as it is known what will come out.

        Raises:
            EnvgenError: as `make` says, as long as it has not told what will come out; `finish` raises the rest.
        """
        loop = asyncio.get_running_loop()
        known: asyncio.Future[RecipeOutput] = loop.create_future()

        def foreseen(output: RecipeOutput) -> None:
            loop.call_soon_threadsafe(known.set_result, output)

        task = asyncio.create_task(asyncio.to_thread(make, foreseen=foreseen))
        task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())  # else it is told to be unheard
        await asyncio.wait({task, known}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        self._tasks.append(task)
        return known.result()

    async def finish(self, solution: Solution) -> Solution:
        """Wait until all is made, and return the solution with what was made in place of what was foreseen.

        Raises:
            EnvgenError: as the makers say.
        """
        made = {record.name: record for output in await asyncio.gather(*self._tasks) for record in output.records}
        return replace(solution, records=tuple(made.get(record.name, record) for record in solution.records))


async def make_all(
    names: Collection[str],
    recipe_of: Callable[[str], Awaitable[Recipe | None]],
    start: Callable[[Recipe], Coroutine[Any, Any, RecipeOutput]],
) -> dict[str, RecipeOutput]:
    """Make the recipes for some names and for all that what comes out requires, those known at once side by side.

    Args:
        names: conda names.
        recipe_of: returns the recipe that makes a name, where one does.
        start: makes a recipe; returns what comes out.

    Returns:
        Name of a recipe -> what comes out of it.
    """
    found: dict[str, RecipeOutput] = {}
    waiting = set(names)
    while waiting:
        recipes = [await recipe_of(name) for name in sorted(waiting)]
        fresh = {recipe.name: recipe for recipe in recipes if recipe and recipe.name not in found}
        outputs = await together(start(recipe) for recipe in fresh.values())
        found |= dict(zip(fresh, outputs, strict=True))
        waiting = {match_name(need) for one in outputs for record in one.records for need in record.depends}
    return found
