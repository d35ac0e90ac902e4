"""Packages from the channel that publishes them (`ENVGEN_CHANNEL`), in place of building or converting them.

A lock names packages of recipes by digest. Before there is a lock, the build string of a Debian recipe's package names
all that goes into it; what the channel has under that name is believed, as for every channel, and its digests are
locked. Packages of wheels are believed where the user says so, see `channel_listing`.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from envgen.checks import several
from envgen.convert.conda_archive import digest_archive, extract_conda
from envgen.convert.converted import check_converted
from envgen.convert.extracted import Identity
from envgen.convert.package import read_index
from envgen.errors import ArtifactError, DigestMismatchError, GoneError, IntegrityError, OfflineError
from envgen.oci.registry import SCHEME, BlobRepository, channel_place
from envgen.packages import Wheel, store_key
from envgen.prepare.artifacts import ensure_artifact, is_at_hand
from envgen.prepare.built import described, ensure_built, extract_artifact, is_kept
from envgen.prepare.channel_listing import ArchivePlace, published_archive, refuse_offline
from envgen.system.mirrors import CHANNEL, WHEELS
from envgen.urls import without_secrets

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping
    from pathlib import Path
    from typing import BinaryIO

    from envgen.convert.deb_plan import DebianRecipePackage
    from envgen.convert.wheel import ConversionTerms
    from envgen.digest import Sha256
    from envgen.packages import BuiltPackage
    from envgen.platforms import Platform
    from envgen.prepare.built import Built
    from envgen.prepare.plan import PlannedPackage
    from envgen.project.context import Context

    Advance = Callable[[int], None]


def fetch_published(context: Context, package: BuiltPackage, *, advance: Advance | None = None) -> bool:
    """Fetch a locked package's own archive from a bundle or `ENVGEN_CHANNEL`; return whether it is there.

    Another archive of the same name counts as not there: what is built instead has to have the locked content.
    """
    if not (is_at_hand(context, package.sha256) or context.mirrors.find(CHANNEL)):
        return False
    place = ArchivePlace(subdir=package.subdir, name=package.name, tail=f"{package.version}-{package.build}")
    try:
        archive = _fetch(context, place, package.sha256, advance)
    except OfflineError:
        return False
    except (GoneError, DigestMismatchError):
        context.reporter.note(f"building `{package.filename}`: the channel does not have it with the locked digest")
        return False
    key = store_key(package.dist, package.content)
    context.store.ensure_package(key, partial(extract_artifact, context.store, archive, package))
    return True


def fetch_converted(
    context: Context, item: PlannedPackage, terms: ConversionTerms, *, extras: Collection[str], advance: Advance
) -> None:
    """Fetch the package of a wheel from `ENVGEN_CHANNEL` into the store, believing the channel about its files.

    Args:
        context: the world.
        item: a wheel that `PublishedArchives` found the archive of.
        terms: of the environment.
        extras: the extras that the wheel was locked with.
        advance: told of the bytes that were fetched.

    Raises:
        GoneError: the index of the channel names an archive that is not there.
        IntegrityError: it has other bytes than the index says, or is not the package of this wheel.
        NetworkError: the channel cannot be reached.
        TypeError: the item is not a wheel.
    """
    wheel, place = item.package, ArchivePlace.of(item)
    if not isinstance(wheel, Wheel):
        raise TypeError(f"expected a wheel, got {wheel!r}")

    def extract(dest: Path) -> None:
        with context.store.view() as folder:
            named = folder / place.filename
            named.symlink_to(_fetch(context, place, item.artifacts[0].sha256, advance))
            extract_conda(named, dest)
        check_converted(dest, wheel, terms, extras=extras, what=place.filename)

    try:
        context.store.ensure_package(item.wanted.key, extract)
    except (IntegrityError, GoneError) as error:
        error.hint = f"publish it again, or unset {WHEELS}, which converts the wheel here"
        raise


def take_published(context: Context, packages: Iterable[DebianRecipePackage], platform: Platform) -> None:
    """Fetch packages of a Debian recipe that is not locked yet into the store, if the channel has them.

    Raises:
        NetworkError: the channel cannot be reached.
        IntegrityError: it sends other bytes than its index says.
        ArtifactError: the archive is damaged, or holds another package than its name says.
    """
    found = context.mirrors.find(CHANNEL)
    wanted = [package for package in packages if not is_kept(context.store, package.key)] if found else []
    taken = [package.dist for package in wanted if _take(context, package, platform)]
    if taken and found:
        context.reporter.note(f"taken from {without_secrets(found.url)}, not built here: {several(taken)}")


def _take(context: Context, package: DebianRecipePackage, platform: Platform) -> bool:
    place = ArchivePlace(subdir=package.subdir, name=package.name, tail=f"{package.version}-{package.build}")
    try:
        found = published_archive(context, place)
        archive = _fetch(context, place, found.sha256, None) if found else None
    except (OfflineError, GoneError):  # the index may be newer or older than the archives
        return False
    if archive is None:
        return False
    expected = package.index(platform)

    def extract(dest: Path) -> Built:
        with context.store.view() as folder:
            named = folder / place.filename
            named.symlink_to(archive)
            extract_conda(named, dest, expected=Identity(**{key: expected[key] for key in Identity.__struct_fields__}))
        _check_index(read_index(dest), expected, what=named.name)
        with archive.open("rb") as stream:
            return described(dest, dest.parent, digest_archive(stream))

    ensure_built(context.store, package.key, extract)
    return True


def _check_index(got: Mapping[str, Any], expected: Mapping[str, Any], *, what: str) -> None:
    for field in ("depends", "constrains"):
        if sorted(got.get(field, ())) != sorted(expected[field]):
            raise ArtifactError(
                f"`{what}`: `info/index.json`: `{field}`: expected {expected[field]} as the recipe says, "
                f"got {got.get(field)}"
            )


def _fetch(context: Context, place: ArchivePlace, sha: Sha256, advance: Advance | None) -> Path:
    """Fetch an archive without its locked size: a file of another size is another file, not a broken transfer.

    Raises:
        GoneError: it is not there.
        DigestMismatchError: there are other bytes.
        NetworkError: the channel cannot be reached.
        OfflineError: it is on another machine, and the network must not be used.
    """
    return ensure_artifact(context, sha, lambda out: _download(context, place, sha, out, advance), advance=advance)


def _download(context: Context, place: ArchivePlace, sha: Sha256, out: BinaryIO, advance: Advance | None) -> None:
    """Download an archive; a channel in a registry has it by its digest."""
    base = context.mirrors.resolve(CHANNEL)
    if not base.startswith(SCHEME):
        context.http.download(f"{base}/{place.path}", out, expected=sha, advance=advance)
        return
    refuse_offline(context, f"{base}/{place.path}")
    path, _ = channel_place(place.subdir, place.name, place.tail)
    BlobRepository(f"{base}/{path}", http=context.http).download(sha, out, advance=advance)
