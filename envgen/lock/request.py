"""The normalised request: what in a spec a solve depends on, so that neither order, comments nor spelling count."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from envgen.digest import Sha256
from envgen.manifest.adjust import adjusted_requirements, adjustments
from envgen.metadata import holds
from envgen.names import ProjectName, project_name

if TYPE_CHECKING:
    from packaging.requirements import Requirement

    from envgen.manifest.env_spec import EnvSpec
    from envgen.platforms import Target


def active(spec: EnvSpec, target: Target, python: str | None = None) -> tuple[Requirement, ...]:
    """List the requirements that hold on a target, for `python` as `Lock.marker_python` has it.

    Those that the spec overrides stand as its `overrides:` say.
    """
    found = adjusted_requirements(spec.pypi, adjustments(spec, target, python))
    return tuple(requirement for requirement in found if holds(requirement, target, python_full=python))


def asked_extras(spec: EnvSpec, target: Target, python: str | None) -> dict[ProjectName, tuple[str, ...]]:
    """Collect the extras that a spec itself asks for on a target, for `python` as above."""
    found: dict[ProjectName, set[str]] = {}
    for requirement in active(spec, target, python):
        if requirement.extras:
            names = (str(project_name(extra)) for extra in requirement.extras)
            found.setdefault(project_name(requirement.name), set()).update(names)
    return {project: tuple(sorted(found[project])) for project in sorted(found)}


def request_digest(spec: EnvSpec, target: Target) -> Sha256:
    """Digest the normalised request of a spec for one of its targets."""
    return Sha256.of(json.dumps(_normalised(spec, target), sort_keys=True).encode())


def _normalised(spec: EnvSpec, target: Target) -> dict[str, Any]:
    import rattler  # noqa: PLC0415  takes 70 ms, and who merely reads a lock needs no digest

    return {
        "platform": target.platform,
        "python": str(target.python),
        **({"python-archive": archive.sha256} if (archive := spec.python_archive.get(target.platform)) else {}),
        "virtual-packages": target.virtual_packages(),
        "channels": list(spec.channels),
        "dependencies": sorted(str(rattler.MatchSpec(text)) for text in spec.dependencies),
        "pypi": sorted(_text(requirement) for requirement in active(spec, target)),
        **({"indexes": _indexes(spec)} if spec.indexes else {}),
        **({"build-constraints": sorted(map(_text, spec.build_constraints))} if spec.build_constraints else {}),
        "names": dict(spec.names),
        **adjustments(spec, target).by_key(),
        "exclude-newer": spec.exclude_newer.isoformat() if spec.exclude_newer else None,
    }


def _indexes(spec: EnvSpec) -> dict[str, Any]:
    return {
        name: [sorted(index.projects), index.digest, index.undated is not None] for name, index in spec.indexes.items()
    }


def _text(requirement: Requirement) -> str:
    extras = ",".join(sorted(project_name(extra) for extra in requirement.extras))
    clauses = f" @ {requirement.url}" if requirement.url else ",".join(sorted(map(str, requirement.specifier)))
    return f"{project_name(requirement.name)}[{extras}]{clauses}"
