"""Facts of locked packages that exporters need and no lock holds: asked of indexes, channels and the store."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import rattler

from envgen import __version__
from envgen.errors import UserError
from envgen.export.export_input import ExportInput, PublishedArchive
from envgen.lock.dates import date_of
from envgen.oci.registry import SCHEME
from envgen.packages import ChannelPackage
from envgen.prepare.channel_listing import repodata
from envgen.prepare.package_licenses import licenses_of
from envgen.prepare.packages import address
from envgen.prepare.wheel_index import locate
from envgen.urls import without_secrets
from envgen.wheels import package_id

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from envgen.digest import Sha256
    from envgen.export.formats import Format
    from envgen.lock.model import Lock
    from envgen.manifest.env_spec import EnvSpec
    from envgen.names import NameTable
    from envgen.project.context import Context
    from envgen.project.lock_files import LockPair


def export_input(
    context: Context, spec: EnvSpec, pairs: Sequence[LockPair], form: Format, *, offline: bool = False
) -> ExportInput:
    """Find out what a format needs to know of locked packages: addresses, licences, published archives.

    Args:
        context: the world.
        spec: of the environment.
        pairs: the locks to be written in the format.
        form: which facts it needs.
        offline: do not read METADATA for licences that are not known here.

    Raises:
        NetworkError: the wheel index or a channel cannot be reached.
    """
    locks = tuple(pair.lock for pair in pairs)
    names = context.names.overridden(spec.names)
    channel = _channel(context, locks) if form.channel else None
    archives = dict(_archives(context, locks, names, channel)) if form.name == "explicit" and channel else {}
    return ExportInput(
        locks=locks,
        names=names,
        debian={pair.lock.platform: pair.debian for pair in pairs if pair.debian},
        urls={
            **(_urls(context, pairs, channel, archives, known_only=form.mirrored) if form.addresses else {}),
            **(_deb_urls(context, pairs) if form.debs else {}),
        },
        channels={text: _channel_url(context, text) for text in spec.channels},
        channel=channel,
        index=without_secrets(context.mirrors.resolve("ENVGEN_PYPI")) if form.addresses else None,
        indexes=spec.indexes,
        archives=archives,
        licenses=licenses_of(context, locks, fetch=not offline) if form.licenses else {},
        created=_created(context, pairs),
        tool=("envgen", __version__),
    )


def _urls(
    context: Context,
    pairs: Sequence[LockPair],
    channel: str | None,
    archives: dict[Sha256, PublishedArchive],
    *,
    known_only: bool,
) -> dict[Sha256, str]:
    """Find the address of everything whose place in the lock is a placeholder or a path in the project."""
    locks = [pair.lock for pair in pairs]
    needed = [lock for lock in locks if any(wheel.sha256 not in archives for wheel in lock.wheels)]
    found = locate(context, needed, known_only=known_only)
    for pair in pairs:
        found |= {p.sha256: address(p, pair) for p in pair.lock.packages if isinstance(p, ChannelPackage)}
        if channel:
            found |= {p.sha256: f"{channel}/{p.subdir}/{p.filename}" for p in pair.lock.built}
    return found


def _deb_urls(context: Context, pairs: Sequence[LockPair]) -> dict[Sha256, str]:
    every = [deb for pair in pairs if pair.debian for deb in pair.debian.packages]
    return {deb.sha256: without_secrets(context.mirrors.expand(deb.url)) for deb in every}


def _channel(context: Context, locks: Sequence[Lock]) -> str | None:
    """Return where the packages are that recipes make: the published channel, else the local one that `build` fills."""
    if found := context.mirrors.find("ENVGEN_CHANNEL"):
        public = without_secrets(found.url)
        if public != found.url:
            context.reporter.note(f"credentials for {public} are left out: readers of the document need their own")
        return public
    built = {package.filename: package for lock in locks for package in lock.built}
    if not built:
        return None
    local = context.local_channel
    names = ", ".join(sorted({str(package.name) for package in built.values()}))
    missing = any(not (local / package.subdir / file).is_file() for file, package in built.items())
    fill = "; run `envgen build` to write them there" if missing else ""
    context.reporter.warn(
        f"ENVGEN_CHANNEL is not set: packages built by recipes ({names}) are referenced at `{local.as_uri()}`, "
        f"on this machine only{fill}"
    )
    return local.as_uri()


def _archives(
    context: Context, locks: Sequence[Lock], names: NameTable, channel: str
) -> Iterator[tuple[Sha256, PublishedArchive]]:
    """Find the conda archives that wheels were converted to and published as.

    The channel is asked with the login that this machine has for it; what is found is told without.
    """
    published = context.mirrors.find("ENVGEN_CHANNEL")
    source = published.url if published else channel
    if source.startswith(SCHEME):  # its index is for clients of such channels
        return
    for lock in locks:
        listed = repodata(context, f"{source}/{lock.platform}/repodata.json")
        for wheel in lock.wheels:
            found = package_id(wheel, target=lock.target, names=names)
            if (entry := listed.get(f"{found.dist}.conda")) is not None:
                url = f"{channel}/{lock.platform}/{found.dist}.conda"
                yield wheel.sha256, PublishedArchive(url=url, md5=entry.get("md5"), sha256=entry.get("sha256"))


def _channel_url(context: Context, text: str) -> str:
    channel = rattler.Channel(text, rattler.ChannelConfig(root_dir=str(context.root)))
    return without_secrets(str(channel.base_url).rstrip("/"))


def _created(context: Context, pairs: Sequence[LockPair]) -> dt.datetime:
    """Return the date of a document: from SOURCE_DATE_EPOCH, else from the locks, and not from the clock.

    Raises:
        UserError: the variable is no number.
    """
    epoch = context.environment.get("SOURCE_DATE_EPOCH", "")
    if epoch:
        try:
            return dt.datetime.fromtimestamp(int(epoch), tz=dt.UTC)
        except (ValueError, OverflowError) as error:
            raise UserError(f"SOURCE_DATE_EPOCH: expected seconds since 1970, got {epoch!r}") from error
    dates = (date_of(pair.lock, pair.debian) for pair in pairs)
    return max(filter(None, dates), default=dt.datetime(1970, 1, 1, tzinfo=dt.UTC))
