"""Projects that hold one module: a solution holds one of them, which stands for the others.

A solver that were told of it would rather take an old release, which requires another member or none. So it is not
told; where a solution holds two of a family, the smallest one that holds all of them stands for the others, and the
solve runs again. Where none does, the spec has to say which one stays.
"""

from __future__ import annotations

import re
from collections import deque
from typing import TYPE_CHECKING

from msgspec import Struct

from envgen.errors import UnsatisfiableError
from envgen.manifest.adjust import adjusted_requirements
from envgen.manifest.values import match_name
from envgen.metadata import holds
from envgen.names import CondaName, project_name
from envgen.packages import Wheel
from envgen.solve.engine import known_python, solve
from envgen.structs import replace

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from packaging.requirements import Requirement

    from envgen.names import Family, NameTable, ProjectName
    from envgen.records import Record, Solution
    from envgen.solve.task import SolveTask


async def solve_families(task: SolveTask) -> Solution:
    """Choose packages for one target, with one member of each family; raises as `engine.solve` does.

    Raises:
        UnsatisfiableError: two members of a family are required of which none holds the other.
    """
    pairs: dict[ProjectName, ProjectName] = dict(task.adjustments.substitutes)
    while True:
        current = replace(task, names=task.names.substituted(pairs))
        try:
            solution = await _solve(current, task)
        except UnsatisfiableError as error:
            pairs = _merged(pairs, await _rescue(current, error))
            continue
        found: dict[ProjectName, ProjectName] = {}
        for family, members in _doubled(solution, current.names):
            holder = _holder(family, members, solution)
            if holder is None:
                raise await _undecided(current, solution, members, pairs)
            found |= {member: holder for member in members if member != holder}
        if not found:
            asked = await _asked(current)
            return await _with_ways(_with_stand_ins(solution, current, asked), current, task, asked)
        pairs = _merged(pairs, found)


def _merged(
    pairs: Mapping[ProjectName, ProjectName], found: Mapping[ProjectName, ProjectName]
) -> dict[ProjectName, ProjectName]:
    """Add pairs; where one stood in that another one stands for now, so does that."""
    return {project: found.get(other, other) for project, other in pairs.items()} | dict(found)


async def _rescue(current: SolveTask, error: UnsatisfiableError) -> dict[ProjectName, ProjectName]:
    """Find a member that stands for one which cannot be had, such as one with source archives only.

    Raises:
        UnsatisfiableError: none does; or one would, which nothing requires: then the hint says so.
    """
    for member, holder in _holders_in(str(error), current.names):
        try:
            solution = await solve(replace(current, names=current.names.substituted({member: holder})))
        except UnsatisfiableError:
            continue
        if holder in _required(solution, await _asked(current)):
            return {member: holder}
        hint = f"add `substitutes: {{{member}: {holder}}}`: `{holder}` contains the same module"
        raise UnsatisfiableError(str(error), hint=hint) from error
    raise error


def _holders_in(message: str, names: NameTable) -> Iterator[tuple[ProjectName, ProjectName]]:
    """Yield the members of families that an explanation names, each with those that hold it, the smallest first."""
    for family in names.families:
        for member in sorted(family.holds.keys() - names.stand_ins.keys()):
            if re.search(rf"`{re.escape(member)}(?![\w.-])", message):
                holders = [other for other, held in family.holds.items() if member in held]
                yield from ((member, h) for h in sorted(holders, key=lambda h: (len(family.holds[h]), h)))


async def _solve(current: SolveTask, task: SolveTask) -> Solution:
    """Solve; an explanation of a failure gets what the lines of the spec and requirements do not show."""
    try:
        return await solve(current)
    except UnsatisfiableError as error:
        lines = (*_overrides_in(str(error), task), *_stand_ins_in(str(error), current, task))
        if not lines:
            raise
        raise UnsatisfiableError("\n".join([str(error), "", *lines]), hint=error.hint) from error


def _overrides_in(message: str, task: SolveTask) -> Iterator[str]:
    """Name the overrides that an explanation shows as if packages required them."""
    for texts in task.adjustments.overrides.values():
        yield from (f"`{text}` is set under `overrides`" for text in texts if f"`{text}`" in message)


def _stand_ins_in(message: str, current: SolveTask, task: SolveTask) -> Iterator[str]:
    """Name the projects of an explanation that stand for others, which it does not show."""
    for project, other in sorted(current.names.stand_ins.items()):
        if f"`{other.project}" in message:
            why = " by `substitutes`" if project in task.adjustments.substitutes else ": both contain the same module"
            yield f"`{other.project}` is used in place of `{project}`{why}"


def _doubled(solution: Solution, names: NameTable) -> Iterator[tuple[Family, tuple[ProjectName, ...]]]:
    """Yield the families of which a solution holds more than one member, and those members, sorted."""
    chosen = {record.name for record in solution.records}
    for family in names.families:
        members = [m for m in family.holds if m not in names.stand_ins and names.conda_name(m) in chosen]
        if len(members) > 1:
            yield family, tuple(sorted(members))


def _holder(family: Family, members: Collection[ProjectName], solution: Solution) -> ProjectName | None:
    """Choose what stands for the others, which only a wheel can: a package of a channel is not made here."""
    wheels = {record.origin.project for record in solution.records if isinstance(record.origin, Wheel)}
    return family.holder(members) if wheels.issuperset(members) else None


async def _asked(task: SolveTask) -> tuple[Requirement, ...]:
    """List the lines under `pypi:` that hold, with overrides in their place, on the projects that they name."""
    python = await known_python(task)
    found = adjusted_requirements(task.pypi, task.adjustments)
    return tuple(requirement for requirement in found if holds(requirement, task.target, python_full=python))


def _required(solution: Solution, asked: Collection[Requirement]) -> set[ProjectName]:
    """Name the projects that the spec or a chosen wheel requires, as they name them."""
    roots = {project_name(requirement.name) for requirement in asked}
    return roots.union(*(r.origin.requires for r in solution.records if isinstance(r.origin, Wheel)))


def _with_stand_ins(solution: Solution, task: SolveTask, asked: Collection[Requirement]) -> Solution:
    """Write down which wheels stand for what others require."""
    needed = _required(solution, asked)
    stands: dict[ProjectName, tuple[ProjectName, ...]] = {}
    for project in sorted(needed & task.names.stand_ins.keys()):
        other = task.names.stand_ins[project].project
        stands[other] = (*stands.get(other, ()), project)
    return replace(solution, records=tuple(_standing(record, stands) for record in solution.records))


async def _with_ways(
    solution: Solution, current: SolveTask, task: SolveTask, asked: Collection[Requirement]
) -> Solution:
    """Add to notes the line of the spec that takes a smaller member, where only packages require the larger one."""
    found = dict.fromkeys(solution.notes, "")
    named = {project_name(requirement.name) for requirement in asked}
    required = _required(solution, ())
    for project, other in sorted(current.names.stand_ins.items()):
        start = f"`{other.project}` is used in place of `{project}`, "
        notes = [note for note in solution.notes if note.startswith(start)]
        if notes and other.project in required - named and await _would_do(task, other.project, project):
            found[notes[0]] = f" (`substitutes: {{{other.project}: {project}}}` selects the smaller one)"
    return replace(solution, notes=tuple(note + way for note, way in found.items()))


async def _would_do(task: SolveTask, larger: ProjectName, smaller: ProjectName) -> bool:
    """Try whether a smaller member of a family can stand for the larger one."""
    names = task.names.substituted({**task.adjustments.substitutes, larger: smaller})
    try:
        solution = await solve(replace(task, names=names))
    except UnsatisfiableError:
        return False
    return not list(_doubled(solution, names))


def _standing(record: Record, stands: Mapping[ProjectName, tuple[ProjectName, ...]]) -> Record:
    if not isinstance(record.origin, Wheel) or record.origin.project not in stands:
        return record
    return replace(record, origin=replace(record.origin, stands_for=stands[record.origin.project]))


class _Step(Struct, frozen=True, kw_only=True):
    """A requirement on a way from the spec to a package: who has it, and on which package."""

    text: str
    name: CondaName


async def _undecided(
    task: SolveTask, solution: Solution, members: Collection[ProjectName], pairs: Mapping[ProjectName, ProjectName]
) -> UnsatisfiableError:
    """Explain members of a family of which none holds the others: who requires each, and the lines that decide."""
    listed = " and ".join(f"`{member}`" for member in members)
    asked = await _asked(task)
    body = [f"{listed} contain the same module, and none of them contains all of the others:"]
    for member in members:
        chain = _chain(task, solution, asked, task.names.conda_name(member))
        body += [f"  {'   ' * (depth - 1)}{'└─ ' if depth else ''}{step}" for depth, step in enumerate(chain)]
    lines = [line for member in members if (line := await _choice(task, members, member, pairs))]
    hint = f"choose one in the spec: {' or '.join(lines)}" if lines else None
    return UnsatisfiableError("\n".join(body), hint=hint)


async def _choice(
    task: SolveTask, members: Collection[ProjectName], stays: ProjectName, pairs: Mapping[ProjectName, ProjectName]
) -> str | None:
    """Return the line that lets one member stay, if there is a solution with it."""
    others = {member: stays for member in members if member != stays}
    try:
        solution = await solve(replace(task, names=task.names.substituted({**pairs, **others})))
    except UnsatisfiableError:
        return None
    wheels = {record.origin.project for record in solution.records if isinstance(record.origin, Wheel)}
    text = ", ".join(f"{member}: {stays}" for member in sorted(others))
    return f"`substitutes: {{{text}}}`" if stays in wheels else None


def _chain(task: SolveTask, solution: Solution, asked: Collection[Requirement], goal: CondaName) -> list[str]:
    """Return, step by step, how the spec leads to a package, by the shortest way."""
    by_name = {record.name: record for record in solution.records}
    came: dict[CondaName, tuple[CondaName | None, str]] = {}
    waiting: deque[tuple[_Step, CondaName | None]] = deque((step, None) for step in _roots(task, asked))
    while waiting:
        step, above = waiting.popleft()
        if step.name in came or step.name not in by_name:
            continue
        came[step.name] = (above, step.text)
        waiting += [(below, step.name) for below in _steps(by_name[step.name], task.names)]
    chain: list[str] = []
    here: CondaName | None = goal if goal in came else None
    while here is not None:
        here, text = came[here]
        chain.insert(0, text)
    return chain


def _roots(task: SolveTask, asked: Collection[Requirement]) -> Iterator[_Step]:
    for requirement in asked:
        yield _Step(text=f"`{requirement}` in the spec", name=task.names.conda_name(project_name(requirement.name)))
    for text in task.dependencies:
        yield _Step(text=f"`{text}` in the spec", name=CondaName(match_name(text)))


def _steps(record: Record, names: NameTable) -> Iterator[_Step]:
    origin = record.origin
    if not isinstance(origin, Wheel):
        for text in record.depends:
            yield _Step(text=f"{record.name} {record.version} requires `{text}`", name=CondaName(match_name(text)))
        return
    for project, text in origin.requires.items():
        requires = f"{origin.project} {origin.version} requires `{project}{text}`"
        yield _Step(text=requires, name=names.conda_name(project))
