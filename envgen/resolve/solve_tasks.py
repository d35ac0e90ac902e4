"""What the solve of one platform is given, as far as it is known before recipes are made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envgen.project import shipped
from envgen.resolve import kept
from envgen.resolve.built_solution import without_url
from envgen.resolve.places import asked_of
from envgen.resolve.upgrade import pinned_requirements, pinned_specs
from envgen.solve.task import SolveTask

if TYPE_CHECKING:
    from envgen.platforms import Platform
    from envgen.project.lock_files import LockPair
    from envgen.resolve.workbench import Workbench
    from envgen.sources.conda import ChannelSource


def task_of(bench: Workbench, platform: Platform, old: LockPair | None, channels: ChannelSource | None) -> SolveTask:
    """Return the task of a platform without its recipes, with wheels of the index alone.

    Args:
        bench: what the solves of the spec share.
        platform: to solve for.
        old: what to keep as long as it serves.
        channels: of the platform, if the spec has any.
    """
    spec, locked = bench.spec, old.lock if old else None
    wishes = bench.upgrade.wishes.get(platform, {})
    return SolveTask(
        target=spec.targets[platform],
        dependencies=(*spec.dependencies, *pinned_specs(spec, bench.upgrade, locked)),
        pypi=(*map(without_url, spec.pypi), *pinned_requirements(spec, platform, bench.upgrade, locked)),
        names=bench.names,
        recipes=[],
        indexes=spec.indexes,
        wheels=bench.index,
        channels=channels,
        preferred=kept.preferred(old.lock, bench.names, bench.upgrade) if old else wishes,
        exclude_newer=spec.exclude_newer,
        asked=asked_of(bench.context, spec),
        meant=shipped.meant_table(),
        told=None if bench.inner else kept.remarks(locked),
    )
