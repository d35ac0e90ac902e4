"""A solution whose sources are built, and the packages that builds ran in as a lock has them."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING

from msgspec import Struct, field

from envgen.digest import Sha256
from envgen.errors import ArtifactError, BuildError, HostError
from envgen.lock.cep37 import build_entry
from envgen.packages import Wheel
from envgen.prepare.build_rooms import python_closure
from envgen.structs import replace
from envgen.wheels import TagOrder

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from packaging.requirements import Requirement

    from envgen.convert.build_backend import SourceName
    from envgen.errors import UnsatisfiableError
    from envgen.names import CondaName, NameTable, ProjectName
    from envgen.packages import Package
    from envgen.platforms import Platform, Target
    from envgen.prepare.wheel_builds import BuiltWheel
    from envgen.project.lock_files import LockPair
    from envgen.records import Solution


class BuildNeeds(Struct, frozen=True, kw_only=True):
    """What a build runs in, beside Python.

    Attributes:
        project: that is built.
        requires: what it asks for.
        given: constraints on that.
    """

    project: ProjectName
    requires: tuple[Requirement, ...]
    given: tuple[Requirement, ...] = ()


class BuiltSolution(Struct, frozen=True, kw_only=True):
    """A solution all of whose wheels are there or are downloaded, and the packages that builds needed."""

    solution: Solution
    environments: Mapping[str, tuple[Package, ...]] = field(default_factory=dict)


def by_name(packages: Iterable[Package], names: NameTable) -> dict[CondaName, Package]:
    """Return packages by their names in an environment."""
    return {package.conda_name(names): package for package in packages}


def without_url(requirement: Requirement) -> Requirement:
    """Return a requirement on whatever version a direct reference has: it is the only one that is offered."""
    found = copy.copy(requirement)
    found.url = None
    return found


def locked_environment(pair: LockPair, names: NameTable, *, around: LockPair | None = None) -> tuple[Package, ...]:
    """Return the packages of a build as a lock has them: without sizes, and without what it has already.

    Args:
        pair: of the build.
        names: the name table.
        around: the packages that a build without isolation sees; else the lock has its Python.
    """
    every = by_name(pair.lock.packages, names)
    known = by_name(around.lock.packages, names) if around else python_closure(every)
    return tuple(_without_size(package) for name, package in sorted(every.items()) if name not in known)


def environment_key(packages: Iterable[Package], platform: Platform) -> str:
    """Return the key of a build's environment in a lock."""
    return Sha256.of(json.dumps([build_entry(package, platform) for package in packages]).encode())[:16]


def nested(packages: Iterable[Package], known: Mapping[str, tuple[Package, ...]]) -> dict[str, tuple[Package, ...]]:
    """Return the environments that packages of a build's environment are built in, and those of these, by key."""
    found: dict[str, tuple[Package, ...]] = {}
    for package in packages:
        if isinstance(package, Wheel) and package.made:
            key = package.made.environment
            found |= {key: known[key], **nested(known[key], known)}
    return found


def refuse_circle(project: ProjectName, building: Sequence[ProjectName]) -> None:
    """Refuse a project that is needed to build itself.

    Raises:
        ArtifactError: it is one of `building`.
    """
    if project in building:
        chain = " -> ".join(f"`{name}`" for name in (*building[building.index(project) :], project))
        raise ArtifactError(f"its build requires itself: {chain}")


def explained(error: UnsatisfiableError, failures: Sequence[BuildError]) -> BuildError | None:
    """Return the error that a failed solve is told by where builds failed in it; None where none did."""
    if not failures:
        return None
    told = "\n".join(dict.fromkeys(failure.message for failure in failures))
    hints = (failure.hint for failure in failures if failure.hint)
    return BuildError(f"{error.message}\n{told}", hint=next(hints, error.hint))


def check_fits(built: BuiltWheel, name: SourceName, target: Target, host: Target) -> None:
    """Refuse a wheel that does not run on a target.

    Raises:
        ArtifactError: it does not run on this machine either.
        HostError: it was built for this machine, and the target is another one.
    """
    if TagOrder.of(target).rank(built.filename) is not None:
        return
    if target.platform == host.platform:
        raise ArtifactError(f"the build of {name} gave `{built.filename}`, which does not run on the target")
    raise HostError(
        f"`{name.project}` {name.version} has no wheel for {target.platform}, and its source has "
        f"compiled code: a build on this machine gives `{built.filename}`",
        hint=f"run `envgen lock` on a {target.platform} machine, or in an emulator of one",
    )


def _without_size(package: Package) -> Package:
    if isinstance(package, Wheel):
        return replace(package, size=None)
    return replace(package, archive=replace(package.archive, size=None))  # type: ignore[arg-type]
