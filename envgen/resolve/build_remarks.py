"""Remarks on what a spec says of builds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envgen.packages import Wheel

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from envgen.lock.model import Lock
    from envgen.manifest.env_spec import EnvSpec
    from envgen.names import ProjectName
    from envgen.packages import Package
    from envgen.project.context import Context


def tell(context: Context, spec: EnvSpec, locks: Sequence[Lock]) -> None:
    """Report entries under `builds` for projects of which nothing is built, if all platforms were locked."""
    if len(locks) == len(spec.targets):
        built = {project for lock in locks for project in _built(lock)}
        for project in sorted(spec.builds.keys() - built):
            context.reporter.note(f"`builds.{project}` has no effect: no wheel of `{project}` is built")


def _built(lock: Lock) -> Iterator[ProjectName]:
    packages: list[Package] = [*lock.packages]
    for environment in lock.build_environments.values():
        packages += environment
    yield from (one.project for one in packages if isinstance(one, Wheel) and one.made)
