"""Licences of locked packages: wheels name theirs in METADATA, archives in `info/index.json`, recipes in their file."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from envgen.convert.package import read_index
from envgen.errors import EnvgenError
from envgen.export.export_input import License
from envgen.packages import BuiltPackage, ChannelPackage
from envgen.prepare.local_metadata import metadata_here
from envgen.prepare.plan import items_of
from envgen.prepare.wheel_index import metadata_of
from envgen.project import shipped
from envgen.sources.conda import ChannelSource
from envgen.sources.recipes import stated_license

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from envgen.digest import Sha256
    from envgen.lock.model import Lock
    from envgen.project.context import Context


def licenses_of(context: Context, locks: Sequence[Lock], *, fetch: bool) -> dict[Sha256, License]:
    """Find the licences of packages: wheels say theirs in METADATA, archives in `info/index.json`, recipes themselves.

    Args:
        context: the world.
        locks: whose packages.
        fetch: ask index and channels for what this machine does not know yet.

    Raises:
        NetworkError: an index or channel cannot be reached.
    """
    table = shipped.license_table()
    fetch = fetch and not context.offline
    wheels = metadata_of(context, locks, fetch=fetch)
    if context.offline:
        wheels = {sha: found for lock in locks for sha, found in metadata_here(context, lock)} | wheels
    words: dict[Sha256, str | None] = {sha: metadata.license for sha, metadata in wheels.items()}
    for lock in locks:
        words |= dict(_of_recipes(context, lock))
        words |= dict(_of_archives(context, lock))
        missing = [p for p in lock.packages if isinstance(p, ChannelPackage) and p.sha256 not in words]
        if missing and fetch:
            words |= asyncio.run(_of_channels(context, lock, missing))
    return {sha: License(words=text, expression=table.expression(text)) for sha, text in words.items() if text}


def _of_recipes(context: Context, lock: Lock) -> Iterator[tuple[Sha256, str]]:
    """Read what recipes say, as long as they are those that the lock was made from."""
    recipes = shipped.recipes(context.root)
    for package in lock.built:
        recipe = recipes.get(package.recipe)
        if recipe and recipe.digest == lock.recipes.get(package.recipe) and (text := stated_license(recipe)):
            yield package.sha256, text


def _of_archives(context: Context, lock: Lock) -> Iterator[tuple[Sha256, str]]:
    """Read what extracted packages in the store say."""
    for item in items_of(lock, context.names, inputs={}):
        folder = (
            context.store.package(item.wanted.key) if isinstance(item.package, ChannelPackage | BuiltPackage) else None
        )
        if folder is None:
            continue
        try:
            index: Mapping[str, object] = read_index(folder)
        except EnvgenError:
            continue  # `doctor` looks after damaged packages
        if text := index.get("license"):
            yield item.package.sha256, str(text)


async def _of_channels(context: Context, lock: Lock, packages: Sequence[ChannelPackage]) -> dict[Sha256, str | None]:
    source = ChannelSource(lock.channels, platform=lock.platform, cache_dir=context.store.repodata(), root=context.root)
    by_sha = {str(package.sha256): package.sha256 for package in packages}
    answers = await asyncio.gather(*(source.records(package.name) for package in packages))
    return {
        by_sha[record.sha256.hex()]: record.license
        for records in answers
        for record in records
        if record.sha256 and record.sha256.hex() in by_sha
    }
