"""What the adjustments of a spec changed in a solution, and which of them changed nothing: for the output of `lock`."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from msgspec import Struct
from packaging.specifiers import SpecifierSet

from envgen.manifest.adjust import override_of, requirement_text
from envgen.metadata import active_requirements, holds
from envgen.names import project_name
from envgen.solve.closure import WheelCandidate
from envgen.structs import replace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from packaging.requirements import Requirement

    from envgen.names import ProjectName
    from envgen.solve.encode import Offer
    from envgen.solve.listing import Listing
    from envgen.solve.task import SolveTask


class Demand(Struct, frozen=True, kw_only=True):
    """A requirement as it was declared, whether it was kept or not.

    Attributes:
        owner: the project that has it; None for the spec.
        who: the owner in words.
        requirement: as declared.
    """

    owner: ProjectName | None
    who: str
    requirement: Requirement

    @property
    def project(self) -> ProjectName:
        """Return the project that is required."""
        return project_name(self.requirement.name)

    @property
    def text(self) -> str:
        """Return the requirement without its marker."""
        return requirement_text(self.requirement)


class Effects(Struct, frozen=True, kw_only=True):
    """What adjustments did, in words.

    Attributes:
        notes: what was changed by them.
        idle: which of them changed nothing, and why.
    """

    notes: tuple[str, ...]
    idle: tuple[str, ...]


def effects_of(
    task: SolveTask,
    chosen: Sequence[Offer],
    extras: Mapping[ProjectName, Sequence[str]],
    python: str | None,
    listings: Mapping[ProjectName, Listing],
) -> Effects:
    """Compare what was chosen with what it declares.

    Args:
        task: what was solved.
        chosen: the solution.
        extras: project -> extras of it that somebody asked for.
        python: full version of Python, where it is known.
        listings: what the index has of each project.
    """
    wheels = {o.origin.project: o.origin for o in chosen if isinstance(o.origin, WheelCandidate)}
    demands = [*_of_spec(task, python), *_of_wheels(task, wheels, extras, python)]
    names = {*wheels, *(project_name(offer.name) for offer in chosen)}
    notes = (
        *_overridden(task, demands),
        *_constrained(task, wheels, listings, demands),
        *_excluded(task, demands),
        *_substituted(task, demands),
    )
    idle = (
        *_idle_overrides(task, demands),
        *_idle_constraints(task, names),
        *_idle_excludes(task, demands, wheels),
        *_idle_substitutes(task, demands),
    )
    return Effects(notes=notes, idle=idle)


def _of_spec(task: SolveTask, python: str | None) -> Iterator[Demand]:
    for requirement in task.pypi:
        if holds(requirement, task.target, python_full=python) or override_of(_project(requirement), task.adjustments):
            yield Demand(owner=None, who="the spec", requirement=requirement)


def _of_wheels(
    task: SolveTask,
    wheels: Mapping[ProjectName, WheelCandidate],
    extras: Mapping[ProjectName, Sequence[str]],
    python: str | None,
) -> Iterator[Demand]:
    for project, wheel in sorted(wheels.items()):
        for requirement in _declared(task, wheel, extras.get(project, ()), python):
            yield Demand(owner=project, who=f"`{project}` {wheel.version}", requirement=requirement)


def _declared(
    task: SolveTask, wheel: WheelCandidate, extras: Sequence[str], python: str | None
) -> tuple[Requirement, ...]:
    """List the requirements that hold as declared, and those that hold only since an override dropped their marker."""
    declared = replace(wheel.declared, requires=tuple(map(_without_url, wheel.declared.requires)))
    found = active_requirements(declared, task.target, extras, python)
    projects = {_project(requirement) for requirement in found}
    added = {_project(r) for r in active_requirements(wheel.metadata, task.target, extras, python)} - projects
    return (*found, *(requirement for requirement in declared.requires if _project(requirement) in added))


def _without_url(requirement: Requirement) -> Requirement:
    """Remove the address of a file: one without an override was refused before."""
    if requirement.url is None:  # a copy parses its text again
        return requirement
    found = copy.copy(requirement)
    found.url = None
    return found


def _project(requirement: Requirement) -> ProjectName:
    return project_name(requirement.name)


def _is_excluded(task: SolveTask, demand: Demand) -> bool:
    return demand.owner is not None and demand.project in task.adjustments.exclude.get(demand.owner, ())


def _overridden(task: SolveTask, demands: Sequence[Demand]) -> Iterator[str]:
    for project in sorted({demand.project for demand in demands}):
        found = override_of(project, task.adjustments)
        changed = [d for d in demands if found and d.project == project and (d.text,) != found[1]]
        if found and (changed := [d for d in changed if not _is_excluded(task, d)]):
            instead = " and ".join(f"`{text}`" for text in found[1]) or "nothing"
            yield f"`overrides`: {instead} in place of `{changed[0].text}`, which {_who(changed)} requires"


def _constrained(
    task: SolveTask,
    wheels: Mapping[ProjectName, WheelCandidate],
    listings: Mapping[ProjectName, Listing],
    demands: Sequence[Demand],
) -> Iterator[str]:
    """Yield which constraints keep a newer release out that everything else allows."""
    for project, text in sorted(task.adjustments.constraints.items()):
        wheel, listing = wheels.get(project), listings.get(project)
        if wheel is None or listing is None:
            continue
        asked = (str(demand.requirement.specifier) for demand in _on(project, task, demands))
        newer = listing.newer(wheel.version, SpecifierSet(",".join(filter(None, asked))))
        if newer is not None and not SpecifierSet(text).contains(newer, prereleases=True):
            yield f"`constraints`: `{project}{text}` allows {wheel.version}; without it, {newer} would be allowed"


def _on(project: ProjectName, task: SolveTask, demands: Sequence[Demand]) -> Iterator[Demand]:
    """Yield the requirements on a project that count: those that an override does not replace."""
    if override_of(project, task.adjustments) is None:
        yield from (demand for demand in demands if demand.project == project and not _is_excluded(task, demand))


def _excluded(task: SolveTask, demands: Sequence[Demand]) -> Iterator[str]:
    for demand in demands:
        if _is_excluded(task, demand):
            yield f"`exclude`: `{demand.text}`, which {demand.who} requires, is excluded"


def _substituted(task: SolveTask, demands: Sequence[Demand]) -> Iterator[str]:
    for project, other in sorted(task.names.stand_ins.items()):
        asking = [d for d in demands if d.project == project and not _is_excluded(task, d)]
        if not asking:
            continue
        text = f"`{other.project}` is used in place of `{project}`, which {_who(asking)} requires"
        own = project in task.adjustments.substitutes
        yield f"`substitutes`: {text}" if own else f"{text}: both contain the same module"


def _who(demands: Sequence[Demand]) -> str:
    whos = list(dict.fromkeys(demand.who for demand in demands))
    return whos[0] if len(whos) == 1 else f"{whos[0]} (and {len(whos) - 1} more)"


def _idle_overrides(task: SolveTask, demands: Sequence[Demand]) -> Iterator[str]:
    used = {found[0] for d in demands if (found := override_of(d.project, task.adjustments))}
    for project in sorted(task.adjustments.overrides.keys() - used):
        yield f"`overrides.{project}` has no effect: no locked package requires `{project}`"


def _idle_constraints(task: SolveTask, names: set[ProjectName]) -> Iterator[str]:
    for project, text in sorted(task.adjustments.constraints.items()):
        if names.isdisjoint({project, project_name(task.names.conda_name(project))}):
            yield f"`constraints`: `{project}{text}` has no effect: `{project}` is not locked"


def _idle_excludes(
    task: SolveTask, demands: Sequence[Demand], wheels: Mapping[ProjectName, WheelCandidate]
) -> Iterator[str]:
    found = {(demand.owner, demand.project) for demand in demands}
    for project, needs in sorted(task.adjustments.exclude.items()):
        if project not in wheels:
            yield f"`exclude.{project}` has no effect: no wheel of `{project}` is locked"
            continue
        for need in needs:
            if (project, need) not in found:
                version = wheels[project].version
                yield f"`exclude.{project}` has no effect: `{project}` {version} does not require `{need}`"


def _idle_substitutes(task: SolveTask, demands: Sequence[Demand]) -> Iterator[str]:
    asked = {demand.project for demand in demands}
    for project in sorted(task.adjustments.substitutes.keys() - asked):
        yield f"`substitutes.{project}` has no effect: no locked package requires `{project}`"
