"""Space on the disk: whether there is enough before the first byte moves, and the bound of the cache afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envgen.errors import UserError
from envgen.sizes import human_size
from envgen.system.fs import free_space
from envgen.system.trim import trim

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from envgen.prepare.plan import Plan, PlannedPackage
    from envgen.project.context import Context

_UNPACKED = 2
"""Bytes on the disk for each byte of a wheel: 9.0 GB of 4.8 GB in pt28-accel."""

_PACKED, _BEST = 0.5, 0.2
"""Bytes of a layer for each byte in it: 4.8 GB of 9.6 GB in pt28-accel; no image seen has less than 0.27."""

_RECENT = 3600.0
"""Seconds for which what was used stays, whatever the bound: another command of the same script may want it."""


def refuse_full(context: Context, plan: Plan, *, keep_wheels: bool) -> None:
    """Raise where the packages of a plan cannot fit on the disk of the store; warn where they may not.

    Args:
        context: the world.
        plan: what will be prepared.
        keep_wheels: whether wheels are kept beside what they unpack to.

    Raises:
        UserError: not even the files as they are packed would fit.
    """
    packed, root = _packed(plan.prepare), context.store.root
    kept = plan.fetch_size if keep_wheels else 0
    least, likely = kept + packed, kept + _UNPACKED * packed
    free = free_space(root)
    said = f"about {human_size(likely)}"
    if free < least:
        raise UserError(
            f"not enough space on the disk of `{root}`: {said} needed, {human_size(free)} free", hint=_way_out(context)
        )
    if free < likely:
        context.reporter.warn(f"the disk of `{root}` may be too small: {said} needed, {human_size(free)} free")


def refuse_full_prefix(context: Context, prefix: Path, linked: Iterable[PlannedPackage]) -> None:
    """Raise where an environment on another disk than the store, to which files are copied, cannot fit.

    Raises:
        UserError: not even its packages as they are packed would fit.
    """
    root = context.store.root
    packed = _packed(linked)
    if not packed or _device(prefix) == _device(root):
        return
    free = free_space(prefix)
    if free < packed:
        raise UserError(
            f"not enough space on the disk of `{prefix}`: about {human_size(_UNPACKED * packed)} needed, as files "
            f"cannot be linked from `{root}` on another disk, {human_size(free)} free",
            hint="choose another `--prefix`, or set ENVGEN_CACHE to a folder on the same disk",
        )


def refuse_full_layers(context: Context, unpacked: int) -> None:
    """Raise where layers cannot fit on the disk of the store, whatever they compress to; warn where they may not.

    Args:
        context: the world.
        unpacked: bytes of the layers that are missing, before compression.

    Raises:
        UserError: not a fifth of them would fit.
    """
    root, free = context.store.root, free_space(context.store.root)
    said = f"about {human_size(int(unpacked * _PACKED))} for layers needed, {human_size(free)} free"
    if free < unpacked * _BEST:
        raise UserError(f"not enough space on the disk of `{root}`: {said}", hint=_way_out(context))
    if free < unpacked * _PACKED:
        context.reporter.warn(f"the disk of `{root}` may be too small: {said}")


def trim_cache(context: Context) -> None:
    """Remove what was not used for longest from the store where `max-size` is set and exceeded, and say so."""
    limit = context.cache.max_size
    if limit is None:
        return
    done = trim(context.store.root, limit=limit, unused_since=context.now.timestamp() - _RECENT)
    if done is None:
        return
    count = sum(done.removed.entries.values())
    told = f"removed {count} entries from the cache ({human_size(done.removed.freed)}), which were unused for longest"
    if done.left > limit:
        told += (
            f"; it holds {human_size(done.left)}, more than `max-size`, all of it used within the last hour "
            "or by environments"
        )
    context.reporter.note(told)


def _way_out(context: Context) -> str:
    freed = sum(usage.size - usage.shared for usage in context.store.usage())
    return f"free some space: `envgen clean --all` frees {human_size(freed)} of the cache"


def _packed(items: Iterable[PlannedPackage]) -> int:
    return sum(artifact.size or 0 for item in items for artifact in item.artifacts)


def _device(path: Path) -> int:
    return next(folder for folder in (path, *path.parents) if folder.exists()).stat().st_dev
