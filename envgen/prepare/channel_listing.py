"""What `ENVGEN_CHANNEL` lists: the archives of packages that need not be built or converted here.

A lock names packages of recipes by digest. It has the digest of a wheel and not of the package that it becomes: such
packages are taken only where the user believes the channel (`ENVGEN_CHANNEL_WHEELS`).
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from envgen.digest import Sha256
from envgen.documents import read_json
from envgen.errors import NetworkError, OfflineError
from envgen.oci.layout import MANIFEST
from envgen.oci.registry import CONDA_ARCHIVE, SCHEME, BlobRepository, channel_place, checked_channel
from envgen.packages import BuiltPackage, Wheel
from envgen.prepare.built_files import is_local
from envgen.prepare.plan import Artifact
from envgen.system.mirrors import CHANNEL
from envgen.urls import without_secrets

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from envgen.prepare.plan import PlannedPackage
    from envgen.project.context import Context

    Records = Mapping[str, Mapping[str, Any]]

_OK = 200
_LARGEST = 1 << 30
"""Bytes of repodata: the largest channel of all has a third of that."""


class ArchivePlace(Struct, frozen=True, kw_only=True):
    """Where a channel has an archive: `<subdir>/<name>-<tail>.conda`, with `name` as it stands in repodata."""

    subdir: str
    name: str
    tail: str

    @classmethod
    def of(cls, item: PlannedPackage) -> ArchivePlace:
        """Return the place of a planned package."""
        return cls(subdir=item.subdir, name=item.wanted.name, tail=f"{item.wanted.version}-{item.wanted.build}")

    @property
    def filename(self) -> str:
        """Return the name of the archive."""
        return f"{self.name}-{self.tail}.conda"

    @property
    def path(self) -> str:
        """Return its path relative to the channel's address."""
        return f"{self.subdir}/{self.filename}"


class PublishedArchives:
    """The archives that a bundle or `ENVGEN_CHANNEL` has; each index of the channel is read once.

    Args:
        context: the world.
        is_at_hand: whether the store or a bundle has a file.
    """

    def __init__(self, context: Context, *, is_at_hand: Callable[[Sha256], bool]) -> None:
        self._context = context
        self._is_at_hand = is_at_hand
        self._read = cache(lambda url: repodata(context, url))

    def find(self, item: PlannedPackage) -> Artifact | None:
        """Return the archive of a package of a recipe or of a wheel; None where it has to be built or converted.

        Raises:
            NetworkError: the channel cannot be reached, or its index is not valid.
            UserError: the settings of the channel have faults.
        """
        package, place = item.package, ArchivePlace.of(item)
        if isinstance(package, BuiltPackage) and not package.archive.local:
            wanted = Artifact(filename=place.filename, sha256=package.sha256, size=package.size)
            return wanted if self._is_at_hand(wanted.sha256) or self._has(place, wanted.sha256) else None
        if isinstance(package, Wheel) and not is_local(package) and self._context.mirrors.takes_wheels():
            return self._published(place)
        return None

    def _has(self, place: ArchivePlace, sha: Sha256) -> bool:
        found = self._published(place)
        return found is not None and found.sha256 == sha

    def _published(self, place: ArchivePlace) -> Artifact | None:
        try:
            return published_archive(self._context, place, self._read)
        except OfflineError:
            return None


def published_archive(
    context: Context, place: ArchivePlace, read: Callable[[str], Records] | None = None
) -> Artifact | None:
    """Return what `ENVGEN_CHANNEL` states of an archive; None where it is not set or does not list it.

    Args:
        context: the world.
        place: of the archive.
        read: reads repodata; it is read each time without.

    Raises:
        NetworkError: it cannot be reached, or its index is not valid.
        OfflineError: it is on another machine, and the network must not be used.
    """
    found = context.mirrors.find(CHANNEL)
    if found is None:
        return None
    if found.url.startswith(SCHEME):
        return _in_registry(context, place, found.url)
    url = f"{found.url}/{place.subdir}/repodata.json"
    entry = (read(url) if read else repodata(context, url)).get(place.filename, {})
    return _artifact(place, entry, "sha256", where=without_secrets(url)) if "sha256" in entry else None


def _in_registry(context: Context, place: ArchivePlace, base: str) -> Artifact | None:
    refuse_offline(context, base)
    base = checked_channel(base)
    path, tag = channel_place(place.subdir, place.name, place.tail)
    manifest = BlobRepository(f"{base}/{path}", http=context.http).manifest(tag, accept=MANIFEST)
    layers = manifest.get("layers") if manifest else None
    for layer in layers if isinstance(layers, list) else ():
        if isinstance(layer, dict) and layer.get("mediaType") == CONDA_ARCHIVE:
            return _artifact(place, layer, "digest", where=f"{without_secrets(base)}/{path}:{tag}")
    return None


def _artifact(place: ArchivePlace, stated: Mapping[str, Any], key: str, *, where: str) -> Artifact:
    digest, size = stated.get(key), stated.get("size")
    try:
        sha = Sha256.parse(digest if isinstance(digest, str) else "")
    except ValueError as error:
        raise NetworkError(f"{where}: `{place.filename}`: `{key}`: expected a sha256, got {digest!r}") from error
    known = isinstance(size, int) and not isinstance(size, bool) and size >= 0
    return Artifact(filename=place.filename, sha256=sha, size=size if known else None)


def repodata(context: Context, url: str) -> Records:
    """Read which `.conda` archives a channel has; none where it has no such folder.

    Raises:
        NetworkError: it cannot be reached, or its index is not valid.
    """
    answer = context.http.get(url, limit=_LARGEST)
    if answer.status != _OK:
        return {}
    try:
        found = read_json(answer.body, limit=_LARGEST)["packages.conda"]
        return {name: dict(record) for name, record in found.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise NetworkError(f"{without_secrets(url)} is not valid repodata: {error!r}") from error


def refuse_offline(context: Context, url: str) -> None:
    """Raise where the network must not be used.

    Raises:
        OfflineError: always then.
    """
    if context.offline:
        raise OfflineError(f"{without_secrets(url)} would have to be fetched")
