"""Hints that help: each is a change of the request, and is given only after the changed request was solved."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import TYPE_CHECKING

from msgspec import Struct
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from envgen.digest import Sha256
from envgen.errors import EnvgenError
from envgen.names import project_name
from envgen.packages import BuiltArchive
from envgen.records import Record
from envgen.structs import replace

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from packaging.version import Version

    from envgen.names import CondaName, ProjectName
    from envgen.platforms import Platform
    from envgen.records import Solution
    from envgen.solve.spec_requirements import Line
    from envgen.solve.task import SolveTask

    Solve = Callable[[SolveTask], Awaitable[Solution]]

SECONDS = 20.0
"""For all trials of one error together."""


class Hint(Struct, frozen=True, kw_only=True):
    """What to do, in words and as a request.

    Attributes:
        text: for the person.
        task: the request that results; None for advice that needs no trial, as it promises nothing.
    """

    text: str
    task: SolveTask | None = None


async def first_that_helps(hints: Sequence[Hint], solve: Solve, *, seconds: float = SECONDS) -> str | None:
    """Return the text of the first hint with a solution, found within some seconds; None if there is none."""
    found = await those_that_help(hints, solve, enough=1, seconds=seconds)
    return found[0].text if found else None


async def those_that_help(hints: Sequence[Hint], solve: Solve, *, enough: int, seconds: float = SECONDS) -> list[Hint]:
    """Return hints that have a solution, in their order and not more than `enough`."""
    found: list[Hint] = []
    try:
        async with asyncio.timeout(seconds):
            for hint in hints:
                if len(found) < enough and (hint.task is None or await _helps(hint.task, solve)):
                    found.append(hint)
    except TimeoutError:
        pass  # what was not tried is not offered
    return found


async def way_to_accept(
    task: SolveTask, named: Iterable[ProjectName], solve: Solve, *, seconds: float = SECONDS
) -> str | None:
    """Return the line that accepts older releases of what the spec names, if there is a solution with it."""
    try:
        async with asyncio.timeout(seconds):
            found = await _tried(accepting(task, named), solve)
    except TimeoutError:
        return None
    # what is not refused there is as new as without limits: it is the same solution if only the others are accepted
    older = [(older.project, older.chosen) for older in found.older if older.is_refused] if found else []
    return accept_line(older) if older else None


def accept_line(older: Iterable[tuple[ProjectName, str]]) -> str:
    """Return the line of the spec that accepts projects at older versions."""
    found = list(older)
    names = ", ".join(f'{project}: "reason"' for project, _ in found)
    return f"`allow-older: {{{names}}}` in the spec accepts " + ", ".join(f"`{p}` {version}" for p, version in found)


async def _helps(task: SolveTask, solve: Solve) -> bool:
    """Return whether `lock` would accept what a request leads to."""
    solution = await _tried(task, solve)
    accepted = task.adjustments.allow_older
    return solution is not None and not any(
        older.is_refused and older.project not in accepted for older in solution.older
    )


async def _tried(task: SolveTask, solve: Solve) -> Solution | None:
    try:
        return await solve(replace(task, trial=True))
    except EnvgenError:
        return None


def without(task: SolveTask, line: Line) -> SolveTask | None:
    """Return the spec without a line; None for the line of Python."""
    if line.requirement is None:
        kept = tuple(text for text in task.dependencies if text != line.text)
        return replace(task, dependencies=kept) if len(kept) < len(task.dependencies) else None
    left = tuple(requirement for requirement in task.pypi if str(requirement) != line.text)
    return replace(task, pypi=left) if len(left) < len(task.pypi) else None


def asking(task: SolveTask, line: Line | None, requirement: str) -> SolveTask | None:
    """Return the spec with an entry under `pypi:`, instead of a line if one is given."""
    if line is None:
        return replace(task, pypi=(*task.pypi, Requirement(requirement)))
    left = without(task, line)
    return replace(left, pypi=(*left.pypi, Requirement(requirement))) if left else None


def depending(task: SolveTask, line: Line | None, spec: str) -> SolveTask | None:
    """Return the spec with an entry under `dependencies:`, instead of a line if one is given."""
    left = without(task, line) if line else task
    return replace(left, dependencies=(*left.dependencies, spec)) if left else None


def loosened(task: SolveTask, line: Line) -> SolveTask | None:
    """Remove the versions of a line; None if it has none."""
    if line.requirement is None or not line.requirement.specifier:
        return None
    bare = Requirement(str(line.requirement))
    bare.specifier = SpecifierSet()
    return asking(task, line, str(bare))


def write_recipes(
    task: SolveTask, lines: Iterable[Line], projects: Sequence[tuple[ProjectName, Version]]
) -> Hint | None:
    """Suggest a recipe for each of some projects, at a version; None where a line cannot be left out for it.

    Args:
        task: what could not be solved.
        lines: of the spec.
        projects: at least one.
    """
    asked = {project_name(line.requirement.name): line for line in lines if line.requirement}
    changed = task
    for project, version in projects:
        found = _with_recipe(changed, asked.get(project), task.names.conda_name(project), version)
        if found is None:
            return None
        changed = found
    *others, last = [f"`recipes/{project}/recipe.yaml`" for project, _ in projects]
    files = f"{', '.join(others)} and {last}" if others else last
    them = "them" if others else "it"
    instead = " instead of `pypi`" if any(project in asked for project, _ in projects) else ""
    return Hint(text=f"write {files} to build {them}, and require {them} under `dependencies`{instead}", task=changed)


def _with_recipe(task: SolveTask, line: Line | None, name: CondaName, version: Version) -> SolveTask | None:
    """Add a recipe that makes a version of a project, named under `dependencies:` if the spec asked for it."""
    nothing = Sha256("0" * 64)
    origin = BuiltArchive(recipe=name, filename="", md5="", sha256=nothing, content=nothing, size=0)
    made = Record(
        name=name,
        version=version.public,
        build="0",
        build_number=0,
        subdir=task.target.platform,
        depends=(),
        origin=origin,
    )
    left = depending(task, line, name) if line else task
    return replace(left, recipes=[*left.recipes, made]) if left else None


def later(task: SolveTask, day: str) -> SolveTask:
    """Include what was uploaded on a day or before it."""
    until = dt.datetime.fromisoformat(day).replace(tzinfo=dt.UTC) + dt.timedelta(days=1)
    return replace(task, exclude_newer=until)


def accepting(task: SolveTask, projects: Iterable[ProjectName]) -> SolveTask:
    """Accept older releases of some projects."""
    accepted = {**task.adjustments.allow_older, **dict.fromkeys(projects, "")}
    return replace(task, adjustments=replace(task.adjustments, allow_older=accepted))


def elsewhere(task: SolveTask, line: Line, machine: str, platform: Platform) -> SolveTask | None:
    """Restrict a line to other machines."""
    return None if machine == platform.machine else without(task, line)


def renamed(task: SolveTask, line: Line | None, name: str) -> SolveTask | None:
    """Replace the name in a line."""
    if line is None:
        return None
    if line.requirement is None:
        return depending(task, line, " ".join([name, *line.text.split()[1:]]))
    found = Requirement(str(line.requirement))
    found.name = name
    return asking(task, line, str(found)) if project_name(name) != project_name(line.requirement.name) else None
