"""What the spec asks for on one target, line by line, in the words of its author and in the solver's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version
from rattler import MatchSpec
from rattler.exceptions import InvalidMatchSpecError

from envgen.errors import UserError
from envgen.manifest.adjust import adjusted
from envgen.metadata import WheelMetadata, active_requirements
from envgen.names import ProjectName, project_name
from envgen.structs import replace
from envgen.versions import InexpressibleError
from envgen.wheels import extra_name, match_specs, standing_in

if TYPE_CHECKING:
    from collections.abc import Mapping

    from envgen.names import NameTable
    from envgen.solve.task import SolveTask


class Line(Struct, frozen=True, kw_only=True):
    """One line of the spec.

    Attributes:
        text: as its author wrote it.
        specs: MatchSpecs that say the same to the solver.
        requirement: what it is parsed to, if it stands under `pypi:`.
        newest: the one version that is tried, where the newest is wanted.
    """

    text: str
    specs: tuple[str, ...]
    requirement: Requirement | None = None
    newest: str | None = None

    @property
    def name(self) -> str:
        """Return the project's name as written; the text of another line."""
        return self.requirement.name if self.requirement else self.text


class Request(Struct, frozen=True, kw_only=True):
    """The lines that hold for one target.

    Attributes:
        lines: in the spec's order, Python first.
        required: project -> what the lines demand of it together.
        limits: constraints, which ask for nothing.
    """

    lines: tuple[Line, ...]
    required: Mapping[ProjectName, tuple[SpecifierSet, ...]]
    limits: tuple[Line, ...] = ()

    @property
    def limited(self) -> Mapping[ProjectName, SpecifierSet]:
        """Return the versions that constraints allow of each project that they name."""
        found: dict[ProjectName, SpecifierSet] = {}
        for line in self.limits:
            if line.requirement:
                project = project_name(line.requirement.name)
                found[project] = found.get(project, SpecifierSet()) & line.requirement.specifier
        return found

    @classmethod
    def of(cls, task: SolveTask, python: str | None) -> Request:
        """Evaluate markers and translate.

        Raises:
            UserError: a line cannot be understood.
        """
        python_line = Line(text=f'python: "{task.target.python}"', specs=(f"python {task.target.python}.*",))
        conda = (_conda_line(text) for text in task.dependencies)
        wheels = tuple(_wheel_line(r, task.names) for r in _active(task, python))
        required: dict[ProjectName, tuple[SpecifierSet, ...]] = {}
        for line in wheels:
            if line.requirement:
                project = project_name(line.requirement.name)
                required[project] = (*required.get(project, ()), line.requirement.specifier)
        return cls(lines=(python_line, *conda, *wheels), required=required, limits=_limits(task))


def _limits(task: SolveTask) -> tuple[Line, ...]:
    """Return constraints as lines; an override on a substitute limits it, too.

    What those require of versions may not be asked of it, and the override's apply to all requirements on it.
    """
    made, real = task.adjustments, {stand_in.project for stand_in in task.names.stand_ins.values()}
    texts = [("constraints", f"{project}{text}") for project, text in made.constraints.items()]
    texts += [("overrides", text) for project in made.overrides.keys() & real for text in made.overrides[project]]
    return tuple(line for key, text in sorted(texts) if (line := _limit(key, Requirement(text), task.names)))


def _limit(key: str, requirement: Requirement, names: NameTable) -> Line | None:
    found = standing_in(requirement, names)
    found = Requirement(f"{found.name}{found.specifier}")
    return replace(_wheel_line(found, names), text=f"{key}: {requirement}") if found.specifier else None


def _active(task: SolveTask, python: str | None) -> tuple[Requirement, ...]:
    """Choose the `pypi:` lines whose markers hold, by the rules for a wheel's own requirements."""
    spec = WheelMetadata(
        name=ProjectName(""),
        version=Version("0"),
        requires=tuple(task.pypi),
        requires_python=SpecifierSet(),
        license=None,
    )
    try:
        found = active_requirements(adjusted(spec, task.adjustments), task.target, (), python)
    except InexpressibleError as error:
        raise UserError(f"`pypi` in the spec: {error}") from error
    return tuple(standing_in(requirement, task.names) for requirement in found)


def _conda_line(text: str) -> Line:
    try:
        MatchSpec(text)
    except InvalidMatchSpecError as error:
        raise UserError(f"`dependencies` in the spec: `{text}` is not a MatchSpec: {error}") from error
    return Line(text=text, specs=(text,))


def _wheel_line(requirement: Requirement, names: NameTable) -> Line:
    try:
        specs = match_specs([requirement], names)
    except InexpressibleError:
        # no harm: only wheels that meet the specifier are offered at all
        name = names.conda_name(project_name(requirement.name))
        specs = (name, *(extra_name(name, extra) for extra in sorted(requirement.extras)))
    return Line(text=str(requirement), specs=specs, requirement=requirement)
