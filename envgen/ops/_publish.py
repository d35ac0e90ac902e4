"""`publish`: what was built or converted goes to a channel, where others take it from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from envgen.errors import OfflineError, UsageError, UserError
from envgen.manifest.select import select
from envgen.oci.registry import SCHEME as OCI
from envgen.oci.registry import checked_channel
from envgen.ops._sign import open_key, open_registry
from envgen.ops._terms import check_terms
from envgen.packages import ChannelPackage
from envgen.prepare.locked_builds import prepare, with_local_files
from envgen.prepare.packages import plan, recipe_inputs
from envgen.prepare.plan import items_of
from envgen.project.lock_files import platforms_of, require_lock
from envgen.project.lock_signatures import require_signature
from envgen.publish.folder import FolderChannel
from envgen.publish.publish import publish as publish_packages
from envgen.system.file_url import file_path, is_file_url
from envgen.system.home import expand
from envgen.system.host import probe_host

if TYPE_CHECKING:
    from collections.abc import Sequence

    from envgen.platforms import Platform
    from envgen.project.context import Context
    from envgen.project.lock_files import LockPair
    from envgen.publish.channel import Channel
    from envgen.publish.publish import PublishedPackage

_S3 = "s3://"


class PublishOptions(Struct, frozen=True, kw_only=True):
    """What to publish, and where to.

    Attributes:
        envs: names of specs; the project's only or default one without.
        platforms: whose locks; this machine's without.
        to: a folder, `s3://BUCKET/PATH` or `oci://REGISTRY/PATH`; the local channel without.
        sign: key that attests the packages, as `sign` takes it.
    """

    envs: Sequence[str] = ()
    platforms: Sequence[Platform] = ()
    to: str | None = None
    sign: str | None = None


class PublishResult(Struct, frozen=True, kw_only=True):
    """What `publish` did.

    Attributes:
        channel: its address, or the path of its folder.
        packages: sorted by path, those included that the channel had before.
    """

    channel: str
    packages: tuple[PublishedPackage, ...]


def publish(context: Context, options: PublishOptions) -> PublishResult:
    """Publish the wheels and the packages of recipes of locks as conda archives.

    Raises:
        LockError: a lock is missing or cannot be read.
        UserError: the spec's `licenses` rejects a package, the key cannot be read, or the channel cannot be written.
        IntegrityError: the channel has a package of one name and with other bytes; nothing is overwritten.
        NetworkError: sources or the channel cannot be reached.
        BuildError, NoBuildError, HostError: a recipe or a source cannot be built here.
    """
    signer = open_key(context, options.sign) if options.sign else None
    channel = open_channel(context, options.to)
    pairs = [pair for name in options.envs or (None,) for pair in _locks(context, options, name)]
    with context.store.in_use():
        keys = [key for pair in pairs for key in _prepared(context, pair)]
        published = publish_packages(context.store, keys, channel, context.reporter, signer=signer)
    return PublishResult(channel=channel.address, packages=tuple(sorted(published, key=lambda one: one.path)))


def open_channel(context: Context, address: str | None) -> Channel:
    """Open a channel to write to.

    Raises:
        UsageError: it is empty.
        UserError: it is of a kind that cannot be written to.
        OfflineError: it is on another machine, and the network must not be used.
    """
    if address is None:
        return FolderChannel(context.local_channel)
    if not address.strip():
        raise UsageError("`--to` is empty", hint="leave it out to publish to the channel in the cache")
    if is_file_url(address):
        return FolderChannel(file_path(address))
    if "://" not in address:
        return FolderChannel(context.directory / expand(Path(address), context.home))
    if context.offline:
        raise OfflineError(f"{address} cannot be written to offline", hint="publish to a folder")
    if address.startswith(_S3):
        from envgen.publish.s3 import open_s3  # noqa: PLC0415  its library is an extra

        return open_s3(address, context.environment)
    if address.startswith(OCI):
        from envgen.publish.oci import OciChannel  # noqa: PLC0415

        return OciChannel(address=checked_channel(address), registry=open_registry(context))
    raise UserError(
        f"cannot publish to {address!r}", hint="expected a folder, `s3://BUCKET/PATH` or `oci://REGISTRY/PATH`"
    )


def _locks(context: Context, options: PublishOptions, name: str | None) -> list[LockPair]:
    spec = select(context.root, name)
    platforms = platforms_of(spec, options.platforms or (probe_host().platform,))
    check_terms(context, spec.name, platforms)
    pairs = [require_lock(context, spec, platform) for platform in platforms]
    for pair in pairs:
        require_signature(context, spec, pair)
    return pairs


def _prepared(context: Context, pair: LockPair) -> list[str]:
    """Ensure that the store has every package that no channel has, and return their keys."""
    pair = with_local_files(context, pair)
    every = items_of(pair.lock, context.names, inputs=recipe_inputs(pair.debian))
    items = [item for item in every if not isinstance(item.package, ChannelPackage)]
    prepare(context, plan(context, items), pair)
    return [item.wanted.key for item in items]
