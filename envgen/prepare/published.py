"""Packages of recipes from the channel that publishes them (`ENVGEN_CHANNEL`), in place of building them.

A lock names them by digest. Before there is a lock, the build string of a Debian recipe's package names all that goes
into it; what the channel has under that name is believed, as for every channel, and its digests are locked.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from envgen.checks import several
from envgen.convert.conda_archive import digest_archive, extract_conda
from envgen.convert.extracted import Identity
from envgen.convert.package import read_index
from envgen.digest import Sha256
from envgen.documents import read_json
from envgen.errors import ArtifactError, DigestMismatchError, GoneError, NetworkError, OfflineError
from envgen.oci.layout import MANIFEST
from envgen.oci.registry import CONDA_ARCHIVE, SCHEME, BlobRepository, channel_place
from envgen.packages import store_key
from envgen.prepare.artifacts import ensure_artifact, is_at_hand
from envgen.prepare.built import described, ensure_built, extract_artifact, is_kept
from envgen.system.mirrors import CHANNEL
from envgen.urls import without_secrets

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path
    from typing import BinaryIO

    from envgen.convert.deb_plan import DebianRecipePackage
    from envgen.packages import BuiltPackage
    from envgen.platforms import Platform
    from envgen.prepare.built import Built
    from envgen.project.context import Context

_OK = 200
_LARGEST = 1 << 30
"""Bytes of repodata: the largest channel of all has a third of that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where a channel has an archive: `<subdir>/<name>-<tail>.conda`, with `name` as it stands in repodata."""

    subdir: str
    name: str
    tail: str

    @property
    def path(self) -> str:
        """Return its path relative to the channel's address."""
        return f"{self.subdir}/{self.name}-{self.tail}.conda"


def fetch_published(context: Context, package: BuiltPackage) -> bool:
    """Fetch a locked package's own archive from a bundle or `ENVGEN_CHANNEL`; return whether it is there.

    Another archive of the same name counts as not there: what is built instead has to have the locked content.
    """
    if not (is_at_hand(context, package.sha256) or context.mirrors.find(CHANNEL)):
        return False
    place = _Place(subdir=package.subdir, name=package.name, tail=f"{package.version}-{package.build}")
    try:
        archive = _fetch(context, place, package.sha256)
    except OfflineError:
        return False
    except (GoneError, DigestMismatchError):
        context.reporter.note(f"building `{package.filename}`: the channel does not have it with the locked digest")
        return False
    key = store_key(package.dist, package.content)
    context.store.ensure_package(key, partial(extract_artifact, context.store, archive, package))
    return True


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
    place = _Place(subdir=package.subdir, name=package.name, tail=f"{package.version}-{package.build}")
    try:
        sha = _published_digest(context, place)
        archive = _fetch(context, place, sha) if sha else None
    except (OfflineError, GoneError):  # the index may be newer or older than the archives
        return False
    if archive is None:
        return False
    expected = package.index(platform)

    def extract(dest: Path) -> Built:
        with context.store.view() as folder:
            named = folder / place.path.rpartition("/")[2]
            named.symlink_to(archive)
            extract_conda(named, dest, expected=Identity(**{key: expected[key] for key in Identity.__slots__}))
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


def _published_digest(context: Context, place: _Place) -> Sha256 | None:
    """Return the digest that the channel states of an archive; None where it does not list it.

    Raises:
        NetworkError: it cannot be reached, or its index is not valid.
        OfflineError: it is on another machine, and the network must not be used.
    """
    base = context.mirrors.resolve(CHANNEL)
    if not base.startswith(SCHEME):
        entry = repodata(context, f"{base}/{place.subdir}/repodata.json").get(place.path.rpartition("/")[2], {})
        stated = entry.get("sha256")
        return Sha256.parse(stated) if isinstance(stated, str) else None
    _refuse_offline(context, base)
    path, tag = channel_place(place.subdir, place.name, place.tail)
    manifest = BlobRepository(f"{base}/{path}", http=context.http).manifest(tag, accept=MANIFEST)
    layers = manifest.get("layers", []) if manifest else []
    return next((Sha256.parse(one["digest"]) for one in layers if one.get("mediaType") == CONDA_ARCHIVE), None)


def repodata(context: Context, url: str) -> Mapping[str, Mapping[str, Any]]:
    """Read which `.conda` archives a channel has; none where it has no such folder.

    Raises:
        NetworkError: it cannot be reached, or its index is not valid.
    """
    answer = context.http.get(url, limit=_LARGEST)
    if answer.status != _OK:
        return {}
    try:
        found: dict[str, dict[str, Any]] = read_json(answer.body, limit=_LARGEST)["packages.conda"]
    except (ValueError, KeyError, TypeError) as error:
        raise NetworkError(f"{without_secrets(url)} is not valid repodata: {error!r}") from error
    return found


def _fetch(context: Context, place: _Place, sha: Sha256) -> Path:
    """Fetch an archive without its locked size: a file of another size is another file, not a broken transfer.

    Raises:
        GoneError: it is not there.
        DigestMismatchError: there are other bytes.
        NetworkError: the channel cannot be reached.
        OfflineError: it is on another machine, and the network must not be used.
    """
    return ensure_artifact(context, sha, lambda out: _download(context, place, sha, out))


def _download(context: Context, place: _Place, sha: Sha256, out: BinaryIO) -> None:
    """Download an archive; a channel in a registry has it by its digest."""
    base = context.mirrors.resolve(CHANNEL)
    if not base.startswith(SCHEME):
        context.http.download(f"{base}/{place.path}", out, expected=sha)
        return
    _refuse_offline(context, f"{base}/{place.path}")
    path, _ = channel_place(place.subdir, place.name, place.tail)
    BlobRepository(f"{base}/{path}", http=context.http).download(sha, out)


def _refuse_offline(context: Context, url: str) -> None:
    if context.offline:
        raise OfflineError(f"{without_secrets(url)} would have to be fetched")
