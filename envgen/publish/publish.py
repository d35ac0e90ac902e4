"""Publishing packages to a channel: what forbids it is found first, then archives go there, then the index."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from msgspec import Struct

from envgen.errors import IntegrityError
from envgen.publish.archives import PackedPackage, known_archive, packed_package, written_archive
from envgen.publish.channel import OtherBytesError
from envgen.publish.same_content import same_content
from envgen.sign.packages import PackageClaim, attest, reasons_against

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from envgen.convert.conda_archive import CondaArchive
    from envgen.digest import Sha256
    from envgen.events import Reporter
    from envgen.publish.channel import Channel
    from envgen.sign.keys import Signer
    from envgen.system.store import Store


class PublishedPackage(Struct, frozen=True, kw_only=True):
    """A package in the channel.

    Attributes:
        path: `<subdir>/<archive>`.
        archive: its digests and size.
        was_there: whether the channel had it before.
        attested: whether the key has signed it, now or before.
    """

    path: str
    archive: CondaArchive
    was_there: bool
    attested: bool = False


def publish(
    store: Store, keys: Iterable[str], channel: Channel, reporter: Reporter, *, signer: Signer | None = None
) -> tuple[PublishedPackage, ...]:
    """Publish packages of the store.

    Args:
        store: has all of them.
        keys: of the packages.
        channel: where to.
        reporter: gets bars.
        signer: attests all of them, those included that were there before.

    Raises:
        OddSidecarError: attestations that are there cannot be read; the archives were sent, nothing was indexed.
        OtherBytesError: the channel has a package of the same name and with other bytes.
        IntegrityError: it has several; nothing was published.
        NetworkError, UserError: the channel cannot be reached or written.
    """
    packages = [packed_package(store, key) for key in sorted(set(keys))]
    there = _compare(store, packages, channel, reporter)
    missing = [package for package in packages if package.key not in there]
    archives = there | _add(store, missing, channel, reporter)
    if signer:
        _attest(packages, archives, channel, signer, reporter)
    with reporter.progress(f"indexing {channel.label}", total=None):
        channel.index({package.subdir for package in packages})
    return tuple(
        PublishedPackage(
            path=f"{package.subdir}/{package.filename}",
            archive=archives[package.key],
            was_there=package.key in there,
            attested=signer is not None,
        )
        for package in packages
    )


def _compare(
    store: Store, packages: Sequence[PackedPackage], channel: Channel, reporter: Reporter
) -> dict[str, CondaArchive]:
    """Find the packages that the channel has with the same content: key -> its archive.

    Raises:
        IntegrityError: it has some with other content; all of them are told.
    """
    label = f"comparing with {channel.label}"
    with reporter.progress(label, total=len(packages), unit="packages") as bar, _threads() as pool:

        def one(package: PackedPackage) -> tuple[Sha256, CondaArchive] | None:
            found = channel.find(package)
            bar.advance(1)
            if found is None:
                return None
            ours = described_archive(store, package)
            same = same_content(store, package, channel, found) if found != ours.sha256 else None
            if same:
                what = "content matches; only the archive's compression differs, the one in the channel stays"
                reporter.note(f"`{package.filename}`: {what}")
            return found, same or ours

        compared = dict(zip((package.key for package in packages), pool.map(one, packages), strict=True))
    both = {key: pair for key, pair in compared.items() if pair}
    names = {package.key: package.filename for package in packages}
    _refuse(
        [
            OtherBytesError(names[key], channel.label, there=found, ours=ours.sha256)
            for key, (found, ours) in both.items()
            if found != ours.sha256
        ]
    )
    return {key: ours for key, (_, ours) in both.items()}


def _refuse(errors: Collection[OtherBytesError]) -> None:
    if not errors:
        return
    first = next(iter(errors))
    if len(errors) == 1:
        raise first
    raise IntegrityError("nothing was published:\n" + "\n".join(f"  - {one}" for one in errors), hint=first.hint)


def described_archive(store: Store, package: PackedPackage) -> CondaArchive:
    """Return digests and size of the archive of a package, which is written where they are not known."""
    known = known_archive(store, package)
    if known is None:
        with written_archive(store, package) as (_, known):
            pass
    return known


def _add(
    store: Store, packages: Sequence[PackedPackage], channel: Channel, reporter: Reporter
) -> dict[str, CondaArchive]:
    """Compress on all cores, for zstd lets go of the interpreter's lock, and send."""
    label = f"publishing to {channel.label}"
    with reporter.progress(label, total=len(packages), unit="packages") as bar, _threads() as pool:

        def one(package: PackedPackage) -> CondaArchive:
            with written_archive(store, package) as (path, made):
                channel.put(package, path, made)
            bar.advance(1)
            return made

        return dict(zip((package.key for package in packages), pool.map(one, packages), strict=True))


def _attest(
    packages: Sequence[PackedPackage],
    archives: Mapping[str, CondaArchive],
    channel: Channel,
    signer: Signer,
    reporter: Reporter,
) -> None:
    """Sign every archive that the key has not signed yet: a hardware key signs otherwise each time."""
    label = f"attesting in {channel.label}"
    with reporter.progress(label, total=len(packages), unit="packages") as bar, _threads() as pool:

        def one(package: PackedPackage) -> None:
            sha = archives[package.key].sha256
            claim = PackageClaim(filename=package.filename, sha256=sha, channel=channel.claimed_address)
            if reasons_against(claim, channel.attestations(package), signer.public) is not None:
                channel.attest(package, attest(claim, signer))
            bar.advance(1)

        list(pool.map(one, packages))


def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(os.cpu_count() or 1)
