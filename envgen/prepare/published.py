"""Packages of recipes that were published: from a bundle, or from the channel that `ENVGEN_CHANNEL` names."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, BinaryIO

from envgen.errors import DigestMismatchError, GoneError, OfflineError
from envgen.oci.registry import SCHEME, BlobRepository, channel_place
from envgen.packages import store_key
from envgen.prepare.artifacts import ensure_artifact, is_at_hand
from envgen.prepare.built import extract_artifact
from envgen.system.mirrors import CHANNEL

if TYPE_CHECKING:
    from envgen.packages import BuiltPackage
    from envgen.project.context import Context


def fetch_published(context: Context, package: BuiltPackage) -> bool:
    """Fetch a locked package's own archive from a bundle or `ENVGEN_CHANNEL`; return whether it is there.

    Another archive of the same name counts as not there: what is built instead has to have the locked content.
    """
    if not (is_at_hand(context, package.sha256) or context.mirrors.find(CHANNEL)):
        return False
    try:
        # without the locked size: an archive of another one is another archive, not a broken transfer
        archive = ensure_artifact(
            context,
            package.sha256,
            lambda out: download_published(context, package, out),
        )
    except OfflineError:
        return False
    except (GoneError, DigestMismatchError):
        context.reporter.note(f"building `{package.filename}`: the channel does not have it with the locked digest")
        return False
    key = store_key(package.dist, package.content)
    context.store.ensure_package(key, partial(extract_artifact, context.store, archive, package))
    return True


def download_published(context: Context, package: BuiltPackage, out: BinaryIO) -> None:
    """Download a package's archive from `ENVGEN_CHANNEL`; a channel in a registry has it by its digest.

    Raises:
        GoneError: it is not there.
        DigestMismatchError: there are other bytes.
        NetworkError: the channel cannot be reached.
    """
    url = context.mirrors.expand(package.url)
    if not url.startswith(SCHEME):
        context.http.download(url, out, expected=package.sha256)
        return
    if context.offline:
        raise OfflineError(f"{url} would have to be fetched")
    base = url.removesuffix(f"/{package.subdir}/{package.filename}")
    path, _ = channel_place(package.subdir, package.name, "")
    BlobRepository(f"{base}/{path}", http=context.http).download(package.sha256, out)
