"""Names of one project in two worlds: the wheel index and conda.

A wheel becomes a conda package under its normalised project name, except where a name table says that conda calls
the project something else (`torch` is `pytorch`) or that conda's package of that name is something else
(`graphviz` on the index becomes `python-graphviz`).
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NewType

from msgspec import Struct, field
from packaging.utils import canonicalize_name, is_normalized_name

from envgen.errors import Fault, SpecError
from envgen.structs import replace

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

_CONDA_NAME = re.compile(r"[a-z0-9_][a-z0-9._-]*")
_HOMELESS = "pypi-"
"""What the name of a project begins with whose own name in conda belongs to another project."""

_SHAPES: dict[str, tuple[type[list[Any] | dict[str, Any]], type]] = {
    "same": (list, str),
    "renamed": (dict, str),
    "clashes": (dict, list),
}
"""Keys of a table in TOML: what each holds, and what an entry of that holds."""

ProjectName = NewType("ProjectName", str)
"""A project of the wheel index, normalised as PEP 503 says."""

CondaName = NewType("CondaName", str)
"""A conda package name: lower case."""

CUDA_RUNTIME_PROJECTS = (
    ProjectName("nvidia-cuda-runtime"),  # since CUDA 13
    ProjectName("nvidia-cuda-runtime-cu13"),
    ProjectName("nvidia-cuda-runtime-cu12"),
    ProjectName("nvidia-cuda-runtime-cu11"),
)
"""Projects of the index that are the CUDA runtime: their version is that of CUDA."""

CUDA_RUNTIME_PACKAGES = (CondaName("cuda-cudart"), CondaName("cudatoolkit"))
"""The same in conda; the second one is what CUDA 11 and before came as, in one piece."""


@lru_cache(maxsize=1 << 14)  # a solve asks for the names of a few hundred projects, again and again
def project_name(text: str) -> ProjectName:
    """Normalise a project name (PEP 503): `Intel_OpenMP` is `intel-openmp`."""
    return ProjectName(str(canonicalize_name(text)))


def parse_project_name(text: str) -> ProjectName:
    """Check a project name that is normalized already.

    Raises:
        ValueError: it is none.
    """
    if not _is_project(text):
        raise ValueError(f"not a normalized project name: {text!r}")
    return ProjectName(text)


def parse_conda_name(text: str) -> CondaName:
    """Check the name of a conda package.

    Raises:
        ValueError: it is none.
    """
    if not _CONDA_NAME.fullmatch(text):
        raise ValueError(f"not a conda package name: {text!r}")
    return CondaName(text)


class Family(Struct, frozen=True, kw_only=True):
    """Projects that hold the same module, so that an environment takes one of them.

    Attributes:
        holds: member -> members that it can do everything of.
        same_versions: whether a version number means the same release in all of them.
    """

    holds: Mapping[ProjectName, frozenset[ProjectName]]
    same_versions: bool

    def holder(self, members: Collection[ProjectName]) -> ProjectName | None:
        """Return the smallest member that holds all of some, one of them or another one; None where none does."""
        found = [one for one, held in self.holds.items() if set(members) <= {one, *held}]
        return min(found, key=lambda one: (len(self.holds[one]), one), default=None)


class StandIn(Struct, frozen=True, kw_only=True):
    """What meets the requirements on another project.

    Attributes:
        project: that does.
        same_versions: whether versions that are required of the other one are required of it.
    """

    project: ProjectName
    same_versions: bool


class NameTable(Struct, frozen=True, kw_only=True):
    """Which project of the index is which conda package.

    Attributes:
        renamed: project -> conda name, where it is not the normalised project name.
        same: projects that a conda channel carries as the same project under `conda_name(project)`; a wheel's
            requirement on one of these may be met from a channel.
        clashes: project -> conda names that hold the same files or libraries under another name and must not be
            in one environment with it (`nvidia-nccl-cu12` and `nccl`).
    """

    renamed: Mapping[ProjectName, CondaName] = field(default_factory=dict)
    same: frozenset[ProjectName] = frozenset()
    clashes: Mapping[ProjectName, tuple[CondaName, ...]] = field(default_factory=dict)
    families: tuple[Family, ...] = ()
    stand_ins: Mapping[ProjectName, StandIn] = field(default_factory=dict)

    @classmethod
    def from_toml(cls, text: str) -> NameTable:
        """Read a table from TOML: `same` is a list of projects, `[renamed]` and `[clashes]` are as the attributes.

        Raises:
            SpecError: the text is no such table; tells every fault.
        """
        try:
            document = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise SpecError((Fault(where="name table", what=str(error)),)) from error
        if faults := tuple(_faults(document)):
            raise SpecError(faults)
        return cls(
            renamed=document.get("renamed", {}),
            same=frozenset(document.get("same", ())),
            clashes={project: tuple(found) for project, found in document.get("clashes", {}).items()},
        )

    def conda_name(self, project: ProjectName) -> CondaName:
        """Name the conda package that a wheel of `project`, or of what stands for it, becomes.

        No two projects have one name, but for those that one stands for.
        """
        if stand_in := self.stand_ins.get(project):
            project = stand_in.project
        found = self.renamed.get(project)
        if found is not None:
            return found
        own = CondaName(project)
        return CondaName(f"{_HOMELESS}{project}") if own in self.renamed.values() else own

    def project(self, name: CondaName) -> ProjectName | None:
        """Name the project whose wheels become the conda package `name`; None where no project's do."""
        renamed = next((p for p, c in self.renamed.items() if c == name), None)
        likely = (ProjectName(name.removeprefix(_HOMELESS)), project_name(name))
        return renamed or next((project for project in likely if self.conda_name(project) == name), None)

    def overridden(self, renamed: Mapping[str, str]) -> NameTable:
        """Return the table with a spec's own `names:` on top: each such pair is the same project."""
        own = {project_name(p): CondaName(c) for p, c in renamed.items()}
        return replace(self, renamed={**self.renamed, **own}, same=self.same | own.keys())

    def substituted(self, pairs: Mapping[ProjectName, ProjectName]) -> NameTable:
        """Return the table with projects that others stand for: project -> the other one."""
        found = {
            project: StandIn(project=other, same_versions=self._is_one_release(project, other))
            for project, other in pairs.items()
        }
        return replace(self, stand_ins={**self.stand_ins, **found}) if found else self

    def family(self, project: ProjectName) -> Family | None:
        """Return the family that a project is of, if it is of any."""
        return next((family for family in self.families if project in family.holds), None)

    def _is_one_release(self, project: ProjectName, other: ProjectName) -> bool:
        family = self.family(project)
        return family is not None and family.same_versions and other in family.holds


def parse_families(text: str) -> tuple[Family, ...]:
    """Parse `families.toml`.

    Raises:
        SpecError: it is no such table.
    """
    try:
        document = tomllib.loads(text)
        return tuple(
            Family(
                holds={parse_project_name(m): frozenset(map(parse_project_name, h)) for m, h in one["holds"].items()},
                same_versions=one["same-versions"],
            )
            for one in document.values()
        )
    except (tomllib.TOMLDecodeError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise SpecError((Fault(where="table of families", what=str(error)),)) from error


def _faults(document: Mapping[str, Any]) -> Iterator[Fault]:
    """Yield what is wrong with a document that is to become a table."""
    for key, value in document.items():
        where = f"name table: {key}"
        if key not in _SHAPES:
            yield Fault(where=where, what=f"unknown key, expected one of {', '.join(_SHAPES)}")
        elif not isinstance(value, _SHAPES[key][0]):
            yield Fault(where=where, what=f"not a {_SHAPES[key][0].__name__}: {value!r}")
        else:
            yield from (Fault(where=where, what=f"not a project name: {p!r}") for p in value if not _is_project(p))
            yield from _value_faults(where, value, _SHAPES[key][1])


def _value_faults(where: str, table: Any, shape: type) -> Iterator[Fault]:
    """Yield what is wrong with the conda names of a table, of which each entry has one or a list."""
    found: Counter[str] = Counter()
    for project, value in table.items() if isinstance(table, dict) else ():
        names = value if shape is list and isinstance(value, list) else [value]
        if not all(isinstance(name, str) and _CONDA_NAME.fullmatch(name) for name in names):
            yield Fault(where=f"{where}.{project}", what=f"not a conda package name: {value!r}")
        elif shape is str:
            found[value] += 1
    yield from (Fault(where=where, what=f"{n} projects map to `{name}`") for name, n in found.items() if n > 1)


def _is_project(text: object) -> bool:
    return isinstance(text, str) and is_normalized_name(text)
