"""Whether a channel's archive holds what ours does: another release of zstd packs the same files into other bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envgen.convert.conda_archive import content_digest, digest_archive, extract_conda
from envgen.errors import ArtifactError

if TYPE_CHECKING:
    from envgen.convert.conda_archive import CondaArchive
    from envgen.digest import Sha256
    from envgen.publish.archives import PackedPackage
    from envgen.publish.channel import Channel
    from envgen.system.store import Store


def same_content(store: Store, package: PackedPackage, channel: Channel, there: Sha256) -> CondaArchive | None:
    """Return the archive of a channel if its files are those of a package of the store, else None.

    Args:
        store: has the package.
        package: whose archive would have other bytes.
        channel: has an archive of that name, which is fetched.
        there: what the channel says is its digest.

    Raises:
        NetworkError, UserError: the channel cannot be reached.
    """
    with store.view() as folder:
        file = folder / package.filename
        with file.open("w+b") as stream:
            channel.fetch(package, stream)
            stream.seek(0)
            archive = digest_archive(stream)
        if archive.sha256 != there:
            return None
        try:
            extract_conda(file, folder / "content")
        except ArtifactError:
            return None
        is_same = content_digest(folder / "content") == content_digest(store.need_package(package.key))
    return archive if is_same else None
