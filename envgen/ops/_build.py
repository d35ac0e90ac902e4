"""`build`: archives of everything that is not one already, in a local channel."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from envgen.convert.local_channel import LocalChannel
from envgen.manifest.select import select
from envgen.packages import ChannelPackage
from envgen.prepare.locked_builds import prepare, with_local_files
from envgen.prepare.packages import plan, recipe_inputs
from envgen.prepare.plan import items_of
from envgen.project.lock_files import platforms_of, require_lock
from envgen.system.host import probe_host

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from envgen.convert.local_channel import Published
    from envgen.platforms import Platform
    from envgen.prepare.plan import PlannedPackage
    from envgen.project.context import Context
    from envgen.project.lock_files import LockPair


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildResult:
    """What `build` wrote.

    Attributes:
        channel: folder of the channel.
        packages: sorted by name for each platform.
    """

    channel: Path
    packages: tuple[Published, ...]


def build(
    context: Context, *, env: str | None = None, platforms: Sequence[Platform] = (), channel: Path | None = None
) -> BuildResult:
    """Write the archives of wheels and recipes of the locks into a channel, and index it.

    Args:
        context: the world.
        env: name of the spec, or None for the project's only or default one.
        platforms: whose locks; this machine's without.
        channel: a folder, made where it is not there; one in the cache without.

    Raises:
        LockError: a lock is missing or cannot be read.
        NetworkError, IntegrityError: as sources and builders say.
    """
    spec = select(context.root, env)
    chosen = platforms_of(spec, platforms or (probe_host().platform,))
    folder = context.directory / channel if channel else context.local_channel
    target = LocalChannel(folder)
    pairs = (require_lock(context, spec, platform) for platform in chosen)
    return BuildResult(channel=folder, packages=tuple(one for pair in pairs for one in _publish(context, pair, target)))


def _publish(context: Context, pair: LockPair, channel: LocalChannel) -> list[Published]:
    pair = with_local_files(context, pair)
    every = items_of(pair.lock, context.names, inputs=recipe_inputs(pair.debian))
    items = [item for item in every if not isinstance(item.package, ChannelPackage)]
    with context.store.in_use():
        prepare(context, plan(context, items), pair)
        return _write(context, items, channel)


def _write(context: Context, items: Sequence[PlannedPackage], channel: LocalChannel) -> list[Published]:
    """Compress on all cores: zstd lets go of the interpreter's lock."""
    bar = context.reporter.progress(f"writing archives to {channel.root}", total=len(items), unit="packages")
    with bar as written, ThreadPoolExecutor(os.cpu_count() or 1) as pool:

        def add(item: PlannedPackage) -> Published:
            published = channel.add(context.store.need_package(item.wanted.key))
            written.advance(1)
            return published

        return list(pool.map(add, items))
