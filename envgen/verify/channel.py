"""A channel against a lock: it has the archive of every package that `publish` puts there, with its digest."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from msgspec import Struct

from envgen import limits
from envgen.digest import Sha256
from envgen.documents import read_json
from envgen.errors import GoneError, IntegrityError
from envgen.packages import BuiltPackage, ChannelPackage
from envgen.prepare.packages import recipe_inputs
from envgen.prepare.plan import items_of
from envgen.publish.archives import PackedPackage, packed_package
from envgen.publish.channel import SIDECAR, OddSidecarError
from envgen.publish.publish import described_archive
from envgen.sign.packages import PackageClaim, read_sidecar, reasons_against
from envgen.sign.statements import StatementError
from envgen.verify.findings import Deviation, Kind, LockComparison, ordered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from envgen.prepare.plan import PlannedPackage
    from envgen.project.context import Context
    from envgen.project.lock_files import LockPair
    from envgen.publish.channel import Channel
    from envgen.publish.folder import FolderChannel
    from envgen.sign.keys import PublicKey


_REPODATA = "repodata.json"
_HEX = re.compile(r"[0-9a-f]{64}")
_OK = 200


class ListedArchive(Struct, frozen=True, kw_only=True):
    """An archive as the index of a channel states it.

    Attributes:
        sha256: of the archive.
        sidecar: sha256 of its attestations, None where it has none; any text.
    """

    sha256: str
    sidecar: str | None = None


class ChannelView(Struct, frozen=True, kw_only=True):
    """A channel as it is read.

    Attributes:
        listed: returns file name -> archive of a subdir, as its index states; None for kinds whose index is not asked.
        find: returns the sha256 of an archive's bytes, None where there is no archive; None where none are read.
        attestations: returns the bundles beside an archive, none of them verified; raises `StatementError` where they
            cannot be read.
        address: that attestations name; None where the channel may be known by several.
    """

    listed: Callable[[str], Mapping[str, ListedArchive]] | None
    find: Callable[[PackedPackage], Sha256 | None] | None
    attestations: Callable[[PackedPackage], Sequence[bytes]]
    address: str | None = None


def written_view(channel: Channel) -> ChannelView:
    """Read a channel in a bucket or a registry as `publish` does."""
    return ChannelView(
        listed=None, find=channel.find, attestations=channel.attestations, address=channel.claimed_address
    )


def folder_view(channel: FolderChannel, *, quick: bool) -> ChannelView:
    """Read a channel in a folder."""

    def listed(subdir: str) -> Mapping[str, ListedArchive]:
        try:
            return _archives((channel.root / subdir / _REPODATA).read_bytes())
        except OSError:
            return {}

    def fetch(path: str) -> bytes | None:
        try:
            with (channel.root / path).open("rb") as stream:
                return stream.read(limits.SIDECAR + 1)
        except OSError:
            return None

    known = cache(listed)
    return ChannelView(listed=known, find=None if quick else channel.find, attestations=_advertised(known, fetch))


def web_view(context: Context, address: str, *, quick: bool) -> ChannelView:
    """Read a channel on a server: its `repodata.json`, and its archives unless `quick`."""
    base = address.rstrip("/")

    def fetch(path: str) -> bytes | None:
        answer = context.http.get(f"{base}/{path}", optional=True)
        return answer.body if answer.status == _OK else None

    def listed(subdir: str) -> Mapping[str, ListedArchive]:
        body = fetch(f"{subdir}/{_REPODATA}")
        return {} if body is None else _archives(body)

    def find(package: PackedPackage) -> Sha256 | None:
        with context.store.view() as folder, (folder / "archive").open("w+b") as out:
            try:
                context.http.download_unproven(f"{base}/{package.subdir}/{package.filename}", out)
            except GoneError:
                return None
            out.seek(0)
            return Sha256.of_stream(out)

    known = cache(listed)
    return ChannelView(listed=known, find=None if quick else find, attestations=_advertised(known, fetch), address=base)


def _advertised(
    listed: Callable[[str], Mapping[str, ListedArchive]], fetch: Callable[[str], bytes | None]
) -> Callable[[PackedPackage], Sequence[bytes]]:
    """Return what reads attestations as clients must (CEP 50): by the digest that the index states."""

    def read(package: PackedPackage) -> Sequence[bytes]:
        entry = listed(package.subdir).get(package.filename)
        if entry is None or entry.sidecar is None:
            return ()
        if not _HEX.fullmatch(entry.sidecar):
            raise StatementError(f"expected a sha256 as `attestations_sha256` in the index, got {entry.sidecar!r}")
        data = fetch(f"{package.subdir}/{package.filename}{SIDECAR}.{entry.sidecar}")
        if data is None:
            raise StatementError(f"the attestations with sha256 {entry.sidecar}, which the index names, are missing")
        if (got := Sha256.of(data)) != entry.sidecar:
            raise StatementError(f"the attestations have sha256 {got}, the index says {entry.sidecar}")
        return read_sidecar(data)

    return read


def _archives(repodata: bytes) -> dict[str, ListedArchive]:
    """Return file name -> archive, as `repodata.json` states.

    Raises:
        IntegrityError: it is not repodata.
    """
    try:
        document = read_json(repodata)
        every = {**document.get("packages", {}), **document.get("packages.conda", {})}
        return {
            str(name): ListedArchive(sha256=str(entry.get("sha256")), sidecar=_text(entry.get("attestations_sha256")))
            for name, entry in every.items()
        }
    except (ValueError, TypeError, AttributeError) as error:
        raise IntegrityError(f"`{_REPODATA}` of the channel cannot be read: {error}") from error


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def compare_channel(
    context: Context, view: ChannelView, pair: LockPair, *, key: PublicKey | None = None
) -> LockComparison:
    """Compare a channel with the packages of a lock: wheels and what recipes make, which `publish` puts there.

    Packages of other channels are compared where this one has them, too.

    Args:
        context: the world.
        view: of the channel.
        pair: the lock.
        key: that must have attested every archive of the lock that is there.

    Raises:
        NetworkError, UserError: the channel cannot be read.
    """
    items = items_of(pair.lock, context.names, inputs=recipe_inputs(pair.debian))
    findings: list[Deviation] = []
    unknown: list[str] = []
    with context.reporter.progress("comparing packages", total=len(items), unit="packages") as bar:
        for item in items:
            package, expected = _expected(context, item)
            if expected is None:
                unknown.append(str(item.wanted.name))
            else:
                findings += _differences(view, item, package, expected)
                if key and not isinstance(item.package, ChannelPackage):
                    findings += _unsigned(view, item, package, expected, key)
            bar.advance(1)
    return LockComparison(
        lock=context.relative(pair.path),
        compared=f"{len(items) - len(unknown)} packages, "
        + ("by the index (archives were not read)" if view.find is None else "every byte of their archives")
        + (", attested by the key" if key else ""),
        findings=ordered(findings),
        unproven=(_unproven(unknown),) if unknown else (),
    )


def _expected(context: Context, item: PlannedPackage) -> tuple[PackedPackage, Sha256 | None]:
    """Return the archive of a package, and its sha256; None of what is converted and not in the store."""
    package, want = item.package, item.wanted
    index = {"name": str(want.name), "version": want.version, "build": want.build}
    if isinstance(package, BuiltPackage | ChannelPackage):
        return PackedPackage(key=want.key, index={**index, "subdir": package.subdir}), package.sha256
    if context.store.package(want.key) is None:
        return PackedPackage(key=want.key, index=index), None
    packed = packed_package(context.store, want.key)
    return packed, described_archive(context.store, packed).sha256


def _differences(
    view: ChannelView, item: PlannedPackage, package: PackedPackage, expected: Sha256
) -> Iterator[Deviation]:
    name, where = str(item.wanted.name), f"{package.subdir}/{package.filename}"
    entry = view.listed(package.subdir).get(package.filename) if view.listed else None
    stated = (entry.sha256 if entry else None) if view.listed else expected
    found = view.find(package) if view.find and stated else stated
    if isinstance(item.package, ChannelPackage) and not found:
        return  # another channel has it
    if not found or not stated:
        what = "missing" if not found else "not in the index of the channel"
        yield Deviation(kind=Kind.MISSING, where=where, package=name, what=what)
    if stated and stated != expected:
        what = f"the index says sha256 {stated}, expected {expected}"
        yield Deviation(kind=Kind.CHANGED, where=where, package=name, what=what)
    elif found and found != expected:
        what = f"expected sha256 {expected}, got {found}"
        yield Deviation(kind=Kind.CHANGED, where=where, package=name, what=what)


def _unsigned(
    view: ChannelView, item: PlannedPackage, package: PackedPackage, expected: Sha256, key: PublicKey
) -> Iterator[Deviation]:
    """Yield why an archive of the lock counts as not attested by a key."""
    claim = PackageClaim(filename=package.filename, sha256=expected, channel=view.address)
    try:
        refused = reasons_against(claim, view.attestations(package), key)
    except (StatementError, OddSidecarError) as error:
        refused = (str(error),)
    if refused is not None:
        what = f"no attestation by this key: {'; '.join(refused) or 'there is none'}"
        where = f"{package.subdir}/{package.filename}"
        yield Deviation(kind=Kind.SIGNATURE, where=where, package=str(item.wanted.name), what=what)


def _unproven(names: list[str]) -> str:
    return (
        f"{len(names)} wheels are not in the cache as packages, such as `{names[0]}`: the digests of their "
        "archives are not known; `envgen create` fetches them"
    )
