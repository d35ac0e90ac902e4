"""The images of environments in a bundle, with their bills of materials."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from envgen.bundle.parts import BundledFile, text_part
from envgen.digest import Sha256
from envgen.image.assemble import planned, write
from envgen.image.inputs import open_images
from envgen.oci.compress import Compression
from envgen.oci.layout import named

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from envgen.manifest.env_spec import EnvSpec
    from envgen.oci.layout import Attachment, Layout
    from envgen.project.context import Context
    from envgen.project.lock_files import LockPair


class BundledManifest(Struct, frozen=True, kw_only=True):
    """A top manifest of another kind than ours.

    Attributes:
        entry: its descriptor, with a name.
        blobs: all that it leads to.
    """

    entry: Mapping[str, Any]
    blobs: Mapping[Sha256, BundledFile]


def image_blobs(context: Context, locks: Sequence[tuple[EnvSpec, LockPair]], folder: Path) -> list[BundledManifest]:
    """Make the image of each environment, of all platforms that are bundled.

    Args:
        context: the world.
        locks: spec and lock of each platform.
        folder: takes the layouts, whose blobs are links.

    Returns:
        The images, and the bills of materials beside them.

    Raises:
        UserError: a spec has no image, or a platform is not Linux.
        NetworkError, IntegrityError: see `envgen.ops.image`.
    """
    platforms: dict[str, list[Any]] = {}
    for spec, pair in locks:
        platforms.setdefault(spec.name, []).append(pair.lock.platform)
    found: list[BundledManifest] = []
    for name, chosen in platforms.items():
        inputs = open_images(context, env=name, platforms=chosen, frozen=True)
        with planned(context, inputs, compression=Compression.GZIP) as images:
            layout = write(context, images, folder / name).layout
        found += [_read(layout), *map(_attached, layout.attachments)]
    return found


def _read(layout: Layout) -> BundledManifest:
    blobs = {Sha256(path.name): _part(path) for path in sorted((layout.directory / "blobs/sha256").iterdir())}
    return BundledManifest(entry=layout.entry(), blobs=blobs)


def _attached(attachment: Attachment) -> BundledManifest:
    """Return a bill of materials; it leads to its image, which is beside it."""
    documents = (text_part("", document) for document in attachment.documents)
    entry = named(attachment.entry, attachment.name)
    return BundledManifest(entry=entry, blobs={part.sha256: part for part in documents})


def _part(path: Path) -> BundledFile:
    return BundledFile(
        title=path.name,
        media_type="application/octet-stream",
        sha256=Sha256(path.name),
        size=path.stat().st_size,
        source=path,
    )
