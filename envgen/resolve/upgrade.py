"""What a person asks to upgrade: names, and versions to be pinned."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, field
from packaging.requirements import Requirement
from packaging.version import InvalidVersion, Version

from envgen.errors import UsageError
from envgen.lock.request import active
from envgen.manifest.values import match_name
from envgen.names import project_name
from envgen.packages import Wheel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from envgen.lock.model import Lock
    from envgen.manifest.env_spec import EnvSpec
    from envgen.names import CondaName
    from envgen.platforms import Platform
    from envgen.solve.task import Preference


class Upgrade(Struct, frozen=True, kw_only=True):
    """What may be newer than it is locked, and what to choose where nothing is locked.

    Attributes:
        everything: all of it.
        names: what bears one of these names, a project's or conda's.
        pins: name -> the version that it is to have.
        wishes: platform without a lock -> versions of another tool's lock, chosen where they serve.
    """

    everything: bool = False
    names: frozenset[str] = frozenset()
    pins: Mapping[str, str] = field(default_factory=dict)
    wishes: Mapping[Platform, Mapping[CondaName, Preference]] = field(default_factory=dict)

    def covers(self, *names: str) -> bool:
        """Return whether a package with these names may be upgraded."""
        asked = {project_name(name) for name in (*self.names, *self.pins)}
        return self.everything or not asked.isdisjoint(map(project_name, names))


def pinned_requirements(
    spec: EnvSpec, platform: Platform, upgrade: Upgrade, old: Lock | None
) -> tuple[Requirement, ...]:
    """Return requirements on the pinned versions of what is locked or required as a wheel on this platform."""
    wheels = {wheel.project for wheel in old.wheels} if old else set()
    wheels |= {project_name(requirement.name) for requirement in active(spec, spec.targets[platform])}
    pins = upgrade.pins.items()
    return tuple(_requirement(name, version) for name, version in pins if project_name(name) in wheels)


def _requirement(name: str, version: str) -> Requirement:
    try:
        return Requirement(f"{name}=={Version(version)}")
    except InvalidVersion as error:
        raise _not_a_version(name, version, "`2.8.0` (PEP 440)") from error


def pinned_specs(spec: EnvSpec, upgrade: Upgrade, old: Lock | None) -> tuple[str, ...]:
    """Return requirements on the pinned versions of what is locked or required as a conda package on this platform."""
    condas = {str(p.name) for p in old.packages if not isinstance(p, Wheel)} if old else set()
    condas |= set(map(match_name, spec.dependencies))
    return tuple(_match_spec(name, version) for name, version in upgrade.pins.items() if name in condas)


def _match_spec(name: str, version: str) -> str:
    import rattler.exceptions  # noqa: PLC0415  takes 50 ms, and `lock --check` pins nothing

    try:
        return f"{name} =={rattler.Version(version)}"
    except rattler.exceptions.InvalidVersionError as error:
        raise _not_a_version(name, version, "`2.8.0` (conda)") from error


def _not_a_version(name: str, version: str, like: str) -> UsageError:
    return UsageError(
        f"`--upgrade {name}=={version}`: expected a version such as {like}, got {version!r}",
        hint=f"use `--upgrade {name}` for the newest version",
    )
