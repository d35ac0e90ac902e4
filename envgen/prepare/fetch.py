"""Files of locks, fetched into the store and not made into anything."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, BinaryIO

from envgen.debs import Deb
from envgen.errors import GoneError, LockError
from envgen.lock.model import for_local_builds
from envgen.packages import ChannelPackage, Wheel
from envgen.prepare.artifacts import ensure_artifact, is_at_hand, refuse_missing
from envgen.prepare.built_files import is_local, wheel_file
from envgen.prepare.deb_files import debian_archive, fetch_debs
from envgen.prepare.packages import address, artifact_of
from envgen.prepare.plan import Artifact
from envgen.prepare.source_trees import direct_url
from envgen.prepare.wheel_index import locked_indexes

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from envgen.digest import Sha256
    from envgen.project.context import Context
    from envgen.project.lock_files import LockPair
    from envgen.sources.indexes import WheelIndexes

_REFRESH = "run `envgen lock --refresh` to lock one that is offered"

DOWNLOADS = 6
"""Files at once: one connection rarely fills the line, and the mirrors are shared with others."""


def fetch_package(
    context: Context,
    package: Wheel | ChannelPackage,
    pair: LockPair,
    *,
    index: WheelIndexes,
    advance: Callable[[int], None],
) -> Path:
    """Ensure that the store has the file of a wheel or of a channel's package.

    Raises:
        GoneError: it is no longer offered.
        LockError: it is built, and was not built here.
        NetworkError, IntegrityError: as its source says.
    """
    if isinstance(package, Wheel) and package.made:
        if (found := wheel_file(context.store, package)) is not None:
            return found
        if not context.supply.has(package.sha256):
            what = f"`{package.project}` is built from `{package.listed.filename}` and is not in the store"
            raise LockError(what, hint="run `envgen create` or `envgen build`, which build it")

    def download(out: BinaryIO) -> None:
        url = _url(context, package, pair, index)
        # no `size=`: that of the lock is what an index said, which may be wrong where the digest is right
        try:
            context.http.download(url, out, expected=package.sha256, advance=advance)
        except GoneError as error:
            raise GoneError(str(error), hint=error.hint or _REFRESH) from error

    return ensure_artifact(context, package.sha256, download, advance=advance)


def _url(context: Context, package: Wheel | ChannelPackage, pair: LockPair, index: WheelIndexes) -> str:
    if not isinstance(package, Wheel):
        return address(package, pair)
    return direct_url(context, package.address) if package.address else index.locate(package)


def files_of(pair: LockPair) -> tuple[Wheel | ChannelPackage | Deb, ...]:
    """List what a lock is made from and can be fetched: wheels, archives of channels, Debian packages.

    Projects of the repository are built where they are needed: what their builds run in is listed.
    """
    every = (*pair.lock.packages, *for_local_builds(pair.lock))
    files = [one for one in every if isinstance(one, Wheel | ChannelPackage)]
    packages = {one.sha256: one for one in files if not (isinstance(one, Wheel) and is_local(one))}
    return (*packages.values(), *(pair.debian.packages if pair.debian else ()))


def missing_files(context: Context, pair: LockPair, *, known: Collection[Sha256] = ()) -> tuple[Artifact, ...]:
    """List the files of a lock that neither the store nor a bundle has, without those that are not wanted."""
    wanted = (_artifact(file) for file in files_of(pair) if file.sha256 not in known)
    return tuple(one for one in wanted if not is_at_hand(context, one.sha256))


def fetch_files(context: Context, pair: LockPair, *, known: Collection[Sha256] = ()) -> None:
    """Ensure that the store has the files of a lock, verified; see `files_of`.

    Args:
        context: the world.
        pair: the lock.
        known: files that are not wanted.

    Raises:
        OfflineError: some are missing, and the network must not be used.
        GoneError: one is no longer offered.
        NetworkError, IntegrityError: as the sources say.
    """
    files = [file for file in files_of(pair) if file.sha256 not in known]
    refuse_missing(context, map(_artifact, files))
    packages = [file for file in files if isinstance(file, Wheel | ChannelPackage)]
    total = sum(package.size or 0 for package in packages if not context.store.artifact(package.sha256))
    bar = context.reporter.progress("downloading", total=total)
    with locked_indexes(context, [pair.lock]) as index, bar as fetched, ThreadPoolExecutor(DOWNLOADS) as pool:
        waiting = [
            pool.submit(fetch_package, context, package, pair, index=index, advance=fetched.advance)
            for package in packages
        ]
        try:
            for one in waiting:
                one.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
    debs = [file for file in files if isinstance(file, Deb)]
    if pair.debian and debs:
        archive = debian_archive(context, pair.debian.suites)
        fetch_debs(context, debs, archive, architecture=pair.lock.platform.debian_arch)


def _artifact(file: Wheel | ChannelPackage | Deb) -> Artifact:
    if isinstance(file, Wheel | ChannelPackage):
        return Artifact(filename=file.filename, sha256=file.sha256, size=file.size)
    return artifact_of(file)
