"""What the spec asks for on one target, line by line, in the words of its author and in the solver's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.specifiers import SpecifierSet
from packaging.version import Version
from rattler import MatchSpec
from rattler.exceptions import InvalidMatchSpecError

from envgen.errors import UserError
from envgen.metadata import WheelMetadata, active_requirements
from envgen.names import ProjectName, project_name
from envgen.versions import InexpressibleError
from envgen.wheels import extra_name, match_specs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from packaging.requirements import Requirement

    from envgen.names import NameTable
    from envgen.solve.task import SolveTask


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of the spec.

    Attributes:
        text: as its author wrote it.
        specs: MatchSpecs that say the same to the solver.
        requirement: what it is parsed to, if it stands under `pypi:`.
    """

    text: str
    specs: tuple[str, ...]
    requirement: Requirement | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The lines that hold for one target.

    Attributes:
        lines: in the spec's order, Python first.
        required: project -> what the lines demand of it together.
    """

    lines: tuple[Line, ...]
    required: Mapping[ProjectName, tuple[SpecifierSet, ...]]

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
        return cls(lines=(python_line, *conda, *wheels), required=required)


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
        return active_requirements(spec, task.target, (), python)
    except InexpressibleError as error:
        raise UserError(f"in `pypi:` of the spec: {error}") from error


def _conda_line(text: str) -> Line:
    try:
        MatchSpec(text)
    except InvalidMatchSpecError as error:
        raise UserError(f"in `dependencies:` of the spec: `{text}` is not a MatchSpec: {error}") from error
    return Line(text=text, specs=(text,))


def _wheel_line(requirement: Requirement, names: NameTable) -> Line:
    try:
        specs = match_specs([requirement], names)
    except InexpressibleError:
        # no harm: only wheels that meet the specifier are offered at all
        name = names.conda_name(project_name(requirement.name))
        specs = (name, *(extra_name(name, extra) for extra in sorted(requirement.extras)))
    return Line(text=str(requirement), specs=specs, requirement=requirement)
