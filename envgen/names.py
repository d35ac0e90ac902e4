"""Names of one project in two worlds: the wheel index and conda.

A wheel becomes a conda package under its normalised project name, except where a name table says that conda calls
the project something else (`torch` is `pytorch`) or that conda's package of that name is something else
(`graphviz` on the index becomes `python-graphviz`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NewType

from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Mapping

ProjectName = NewType("ProjectName", str)
"""A project of the wheel index, normalised as PEP 503 says."""

CondaName = NewType("CondaName", str)
"""A conda package name: lower case."""


def project_name(text: str) -> ProjectName:
    """Normalise a project name (PEP 503): `Intel_OpenMP` is `intel-openmp`."""
    return ProjectName(str(canonicalize_name(text)))


@dataclass(frozen=True, slots=True, kw_only=True)
class NameTable:
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

    def conda_name(self, project: ProjectName) -> CondaName:
        """Name the conda package that a wheel of `project` becomes."""
        return self.renamed.get(project, CondaName(project))

    def project(self, name: CondaName) -> ProjectName:
        """Name the project whose wheels become the conda package `name`."""
        return next((p for p, c in self.renamed.items() if c == name), ProjectName(name))

    def overridden(self, renamed: Mapping[str, str]) -> NameTable:
        """Return the table with a spec's own `names:` on top: each such pair is the same project."""
        own = {project_name(p): CondaName(c) for p, c in renamed.items()}
        return NameTable(renamed={**self.renamed, **own}, same=self.same | own.keys(), clashes=self.clashes)
