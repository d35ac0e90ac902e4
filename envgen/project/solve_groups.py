"""Environments that are solved together: who they are, and whether their locks still share one version of a package."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from envgen.lock.model import file_name
from envgen.lock.read import read_lock
from envgen.manifest.select import load_all

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from envgen.digest import Sha256
    from envgen.lock.model import Lock
    from envgen.manifest.env_spec import EnvSpec
    from envgen.names import NameTable
    from envgen.packages import Package
    from envgen.platforms import Platform
    from envgen.project.context import Context


def members(context: Context, spec: EnvSpec) -> tuple[EnvSpec, ...]:
    """Return the environments that are solved together with one, itself among them, by name.

    Raises:
        SpecError: a spec of the project has faults, so that it cannot be told whether it belongs to them.
    """
    if spec.solve_group is None:
        return (spec,)
    others = (one for one in load_all(context.root) if one.solve_group == spec.solve_group and one.name != spec.name)
    return tuple(sorted((spec, *others), key=lambda one: one.name))


def company(context: Context, spec: EnvSpec, platform: Platform) -> frozenset[str]:
    """Return the names of the other environments that are solved together with one for a platform.

    Raises:
        SpecError: as `members`.
    """
    return frozenset(one.name for one in members(context, spec) if one.name != spec.name and platform in one.targets)


def shared(locks: Mapping[str, Lock], names: NameTable) -> dict[str, dict[str, tuple[str, ...]]]:
    """Return what locks of a group for one platform have in common.

    Args:
        locks: name of the environment -> its lock.
        names: the shipped name table.

    Returns:
        Name of an environment -> each other one -> conda names of the packages that both have, sorted.
    """
    every = {name: _by_conda_name(lock, names) for name, lock in locks.items()}
    return {
        name: {
            other: tuple(sorted(key for key, sha256 in mine.items() if its.get(key) == sha256))
            for other, its in sorted(every.items())
            if other != name
        }
        for name, mine in every.items()
    }


def apart(locks: Mapping[str, Lock]) -> Iterator[str]:
    """Yield which packages differ between locks of a group for one platform, in words.

    Args:
        locks: name of the environment -> its lock.
    """
    for (one, left), (other, right) in combinations(sorted(locks.items()), 2):
        there = {_key(package): package for package in right.packages}
        for package in left.packages:
            found = there.get(_key(package))
            if found is not None and found.sha256 != package.sha256:
                same = found.version == package.version
                what = "another file" if same else f"{found.version}"
                yield f"`{package.name}` is {package.version} in `{one}`, {what} in `{other}`"


def differences(name: str, lock: Lock, other: str, its: Lock, names: NameTable) -> Iterator[str]:
    """Yield how two locks of a group for one platform contradict each other, in words.

    Args:
        name: environment of the first one.
        lock: the first one; it may have been made without the other.
        other: environment of the second one.
        its: the second one.
        names: the shipped name table.
    """
    yield from (found := tuple(apart({name: lock, other: its})))
    listed = lock.shared.get(other)
    if not found and listed is not None and listed != shared({name: lock, other: its}, names)[name][other]:
        yield f"other packages are in both `{name}` and `{other}` than the lock lists"


def apart_from(context: Context, spec: EnvSpec, lock: Lock) -> Iterator[str]:
    """Yield how a lock differs from those of the other environments of its solve group. Offline.

    Locks that are missing or cannot be read are of no account: they are found where they are checked themselves.

    Raises:
        SpecError: a spec of the project has faults.
    """
    for name in sorted(company(context, spec, lock.platform) - lock.shared.keys()):
        yield f"it was not solved together with `{name}`, which is in the solve group `{spec.solve_group}`"
    for other in members(context, spec):
        path = context.locks / file_name(other.name, lock.platform)
        if other.name == spec.name or lock.platform not in other.targets or not path.is_file():
            continue
        found = read_lock(path.read_text(encoding="utf-8"), source=context.relative(path))
        for text in differences(spec.name, lock, other.name, found, context.names):
            yield f"{text}, though both are in the solve group `{spec.solve_group}`"


def _by_conda_name(lock: Lock, names: NameTable) -> dict[str, Sha256]:
    table = names.overridden(lock.names).substituted(lock.stand_ins)
    return {str(package.conda_name(table)): package.sha256 for package in lock.packages}


def _key(package: Package) -> tuple[str, str]:
    return str(package.kind), str(package.name)
