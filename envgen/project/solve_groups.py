"""Environments that are solved together: who they are, and whether their locks still share one version of a package."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from envgen.lock.model import file_name
from envgen.lock.read import read_lock
from envgen.manifest.select import load_all

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from envgen.lock.model import Lock
    from envgen.manifest.env_spec import EnvSpec
    from envgen.packages import Package
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


def apart_from(context: Context, spec: EnvSpec, lock: Lock) -> Iterator[str]:
    """Yield how a lock differs from those of the other environments of its solve group. Offline.

    Locks that are missing or cannot be read are of no account: they are found where they are checked themselves.

    Raises:
        SpecError: a spec of the project has faults.
    """
    for other in members(context, spec):
        path = context.locks / file_name(other.name, lock.platform)
        if other.name == spec.name or lock.platform not in other.targets or not path.is_file():
            continue
        found = read_lock(path.read_text(encoding="utf-8"), source=context.relative(path))
        for text in apart({spec.name: lock, other.name: found}):
            yield f"{text}, though both are in the solve group `{spec.solve_group}`"


def _key(package: Package) -> tuple[str, str]:
    return str(package.kind), str(package.name)
