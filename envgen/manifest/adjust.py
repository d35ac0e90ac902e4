"""What a spec says against its packages, as it holds on one target: overrides, constraints and exceptions by name."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from envgen.metadata import holds
from envgen.names import ProjectName, project_name
from envgen.structs import replace

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from envgen.manifest.env_spec import EnvSpec
    from envgen.metadata import WheelMetadata
    from envgen.platforms import Target

_EXTRA = re.compile(r"""\bextra\s*==\s*["']([^"']+)["']""")


class Adjustments(Struct, frozen=True, kw_only=True):
    """The seven keys of a spec on one target, normalised: equal ones mean the same.

    Attributes:
        overrides: project -> requirements that stand for every requirement on it, as `requirement_text` writes them;
            empty where the spec has some and none holds on the target, so that nothing requires the project.
        constraints: project -> specifier that its version has to meet, if it is chosen at all.
        exclude: project -> projects that it is taken not to require.
        substitutes: project -> project that substitutes it everywhere.
        conflicts: path or pattern below the prefix -> package that may keep its file there, as written.
        trust_record: project -> why its wheel is taken although its RECORD does not fit.
        allow_older: project -> why a release older than the newest is accepted.
    """

    overrides: Mapping[ProjectName, tuple[str, ...]] = field(default_factory=dict)
    constraints: Mapping[ProjectName, str] = field(default_factory=dict)
    exclude: Mapping[ProjectName, tuple[ProjectName, ...]] = field(default_factory=dict)
    substitutes: Mapping[ProjectName, ProjectName] = field(default_factory=dict)
    conflicts: Mapping[str, str] = field(default_factory=dict)
    trust_record: Mapping[ProjectName, str] = field(default_factory=dict)
    allow_older: Mapping[ProjectName, str] = field(default_factory=dict)

    def by_key(self) -> dict[str, dict[str, str | tuple[str, ...]]]:
        """Return what is not empty under the spec's keys, sorted."""
        found: dict[str, Mapping[Any, str | tuple[str, ...]]] = {
            "allow-older": self.allow_older,
            "conflicts": self.conflicts,
            "constraints": self.constraints,
            "exclude": self.exclude,
            "overrides": self.overrides,
            "substitutes": self.substitutes,
            "trust-record": self.trust_record,
        }
        return {key: dict(value) for key, value in found.items() if value}


ADJUSTMENTS = ("overrides", "constraints", "exclude", "substitutes", "conflicts", "trust-record", "allow-older")
"""The keys in the order in which they are documented."""


def adjustments(spec: EnvSpec, target: Target, python: str | None = None) -> Adjustments:
    """Return what a spec adjusts on a target.

    Args:
        spec: what is wanted.
        target: markers are evaluated for it.
        python: full version of Python, where it is known; see `metadata.active_requirements`.
    """
    return Adjustments(
        overrides=_overrides(spec, target, python),
        constraints=_constraints(spec, target, python),
        exclude=spec.exclude,
        substitutes=spec.substitutes,
        conflicts=spec.conflicts,
        trust_record=spec.trust_record,
        allow_older=spec.allow_older,
    )


def adjusted(meta: WheelMetadata, adjustments: Adjustments) -> WheelMetadata:
    """Return METADATA with the requirements that `overrides` and `exclude` leave of it.

    An override stands for a requirement whatever its marker says, as it does for uv; only the extra that a marker asks
    for stays with it. Requirements of a project on itself name extras, and are left alone.
    """
    if not (adjustments.overrides or meta.name in adjustments.exclude):
        return meta
    dropped = adjustments.exclude.get(meta.name, ())
    kept = (requirement for requirement in meta.requires if project_name(requirement.name) not in dropped)
    return replace(meta, requires=adjusted_requirements(kept, adjustments, owner=meta.name))


def adjusted_requirements(
    requirements: Iterable[Requirement], adjustments: Adjustments, *, owner: ProjectName | None = None
) -> tuple[Requirement, ...]:
    """Return requirements with the overrides in place of those on the same projects; see `adjusted`."""
    found = (_overridden(r, adjustments) if project_name(r.name) != owner else (r,) for r in requirements)
    return tuple(itertools.chain.from_iterable(found))


def override_of(project: ProjectName, adjustments: Adjustments) -> tuple[ProjectName, tuple[str, ...]] | None:
    """Find what overrides the requirements on a project: an override of its own, or of what stands for it.

    Returns:
        The project that the override names, and its requirements.
    """
    other = adjustments.substitutes.get(project)
    named = (name for name in (project, other) if name is not None and name in adjustments.overrides)
    return next(((name, adjustments.overrides[name]) for name in named), None)


def _overridden(requirement: Requirement, adjustments: Adjustments) -> tuple[Requirement, ...]:
    """Replace a requirement by its overrides, under its own name: substitutes are decided later."""
    found = override_of(project_name(requirement.name), adjustments)
    if found is None:
        return (requirement,)
    overrides = tuple(map(Requirement, found[1]))
    for override in overrides:
        override.name, override.marker = requirement.name, _extra_alone(requirement.marker)
    return overrides


def _extra_alone(marker: Marker | None) -> Marker | None:
    """Return the part of a marker that asks for an extra; all of it where that cannot be told apart."""
    text = str(marker or "")
    if "extra" not in text:
        return None
    extras = _EXTRA.findall(text)
    return Marker(f'extra == "{extras[0]}"') if len(extras) == 1 and " or " not in text else marker


def requirement_text(requirement: Requirement) -> str:
    """Write a requirement without its marker, normalised: name, extras and clauses in order."""
    extras = ",".join(sorted(project_name(extra) for extra in requirement.extras))
    name = project_name(requirement.name)
    return f"{name}{f'[{extras}]' if extras else ''}{_clauses(requirement.specifier)}"


def _overrides(spec: EnvSpec, target: Target, python: str | None) -> dict[ProjectName, tuple[str, ...]]:
    found: dict[ProjectName, tuple[str, ...]] = {project_name(requirement.name): () for requirement in spec.overrides}
    for requirement in spec.overrides:
        if holds(requirement, target, python_full=python):
            found[project_name(requirement.name)] += (requirement_text(requirement),)
    return {project: tuple(sorted(found[project])) for project in sorted(found)}


def _constraints(spec: EnvSpec, target: Target, python: str | None) -> dict[ProjectName, str]:
    found: dict[ProjectName, SpecifierSet] = {}
    for requirement in spec.constraints:
        if requirement.specifier and holds(requirement, target, python_full=python):
            project = project_name(requirement.name)
            found[project] = found.get(project, SpecifierSet()) & requirement.specifier
    return {project: _clauses(found[project]) for project in sorted(found)}


def _clauses(specifier: SpecifierSet) -> str:
    return ",".join(sorted(map(str, specifier)))
