"""An OCI image layout on disk: the old one or the new one, never half of one.

Blobs come first and are named by their digests, so that they harm no layout that is there; `index.json` is then
replaced in one step; what it does not lead to goes last.

Format: OCI image specification 1.1, `image-layout.md`, `manifest.md` and `image-index.md`.
"""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from envgen.digest import Sha256
from envgen.errors import UserError
from envgen.system.fs import atomic_path, atomic_write, file_lock, remove_tree
from envgen.system.os_faults import explained

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from envgen.oci.layer import Layer
    from envgen.platforms import Platform

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
REF_NAME = "org.opencontainers.image.ref.name"
TITLE = "org.opencontainers.image.title"
"""Annotation of a layer: the path under which clients of registries write a file. Of an image: what people call it."""

_TAG = "latest"
"""Name of the image in its layout: the one that `umoci` looks for where it is given none."""

MARK = "oci-layout"
LAYOUT_VERSION = "1.0.0"
MARK_TEXT = f'{{"imageLayoutVersion":"{LAYOUT_VERSION}"}}'
_BLOBS = "blobs/sha256"
_LOCK = ".envgen-lock"
_PATIENCE = 3600.0
"""Seconds to wait for another process that writes the same layout."""


class Image(Struct, frozen=True, kw_only=True):
    """An image for one platform.

    Attributes:
        platform: of the machines that run it.
        config: the configuration, as it is stored.
        layers: lowest first; their blobs are elsewhere.
        annotations: of the manifest.
    """

    platform: Platform
    config: bytes
    layers: tuple[Layer, ...]
    annotations: Mapping[str, str]

    @property
    def manifest(self) -> bytes:
        """Return the manifest, as it is stored."""
        return canonical(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": descriptor(CONFIG, self.config),
                "layers": [
                    {"mediaType": layer.compression.media_type, "digest": f"sha256:{layer.digest}", "size": layer.size}
                    for layer in self.layers
                ],
                "annotations": dict(self.annotations),
            }
        )

    @property
    def digest(self) -> Sha256:
        """Digest of the manifest."""
        return Sha256.of(self.manifest)


class Attachment(Struct, frozen=True, kw_only=True):
    """A manifest of another kind, which refers to an image.

    Attributes:
        name: by which tools find it in a layout.
        entry: its descriptor.
        subject: digest of the image's manifest.
        content: what is attached.
        documents: the manifest, and all that it leads to but the image.
    """

    name: str
    entry: Mapping[str, Any]
    subject: Sha256
    content: bytes
    documents: tuple[bytes, ...]


class Layout(Struct, frozen=True, kw_only=True):
    """A layout that is written.

    Attributes:
        directory: where it is.
        name: what people call the image in it.
        digest: of the manifest, or of the index where there are several platforms: what a registry calls it by.
        media_type: of what has that digest.
        manifests: platform -> digest of its manifest.
        attachments: what refers to them. They are not in the layout: of one with several manifests at its top, other
            tools want to be told which one is meant.
    """

    directory: Path
    name: str
    digest: Sha256
    media_type: str
    manifests: Mapping[Platform, Sha256]
    attachments: tuple[Attachment, ...] = ()

    def entry(self) -> dict[str, Any]:
        """Return the descriptor of the image, under its own name: what it is listed as beside other images."""
        top = blob_path(self.directory, self.digest).read_bytes()
        return named(descriptor(self.media_type, top), self.name)


def canonical(value: Any) -> bytes:
    """Write JSON in the one form that digests are taken of: sorted keys, no spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def descriptor(media_type: str, data: bytes) -> dict[str, Any]:
    """Describe a blob, as manifests do."""
    return {"mediaType": media_type, "digest": f"sha256:{Sha256.of(data)}", "size": len(data)}


def platform_of(platform: Platform) -> dict[str, str]:
    """Name a platform as OCI does, after Go."""
    return {"architecture": platform.debian_arch, "os": "linux"}


def write_layout(
    images: Sequence[Image],
    directory: Path,
    *,
    name: str,
    blob: Callable[[Sha256], Path],
    attachments: Sequence[Attachment] = (),
) -> Layout:
    """Write a layout with one image, for one platform or several; what was there before goes.

    Blobs are hard links where the file system allows. Two at once wait for each other.

    Args:
        images: one for each platform, in the order that the index shall have.
        directory: of the layout; made where it is not there.
        name: what people call the image; in the layout it is `latest`.
        blob: finds the file of a layer.
        attachments: of the images; they go to registries, and not into the layout.

    Raises:
        UserError: the folder is something else, cannot be written, or the disk is full.
    """
    top, media_type, documents = _documents(images)
    layout = Layout(
        directory=directory,
        name=name,
        digest=Sha256.of(top),
        media_type=media_type,
        manifests={image.platform: image.digest for image in images},
        attachments=tuple(attachments),
    )
    layers = {layer.digest: blob(layer.digest) for image in images for layer in image.layers}
    with explained(directory):
        _claim(directory)
        with file_lock(directory / _LOCK, timeout=_PATIENCE):
            _write(directory, layers, documents)
            entry = {**descriptor(media_type, top), "annotations": {REF_NAME: _TAG, TITLE: name}}
            atomic_write(directory / "index.json", index_of([entry]))
            _prune(directory, {*layers, *map(Sha256.of, documents)})
    return layout


def write_attachments(attachments: Sequence[Attachment], directory: Path) -> None:
    """Write a layout of attachments alone, from which they are copied to a registry; nothing is there yet.

    Args:
        attachments: of an image that is elsewhere; each is found by its name.
        directory: of the layout; made where it is not there.
    """
    atomic_write(directory / MARK, MARK_TEXT)
    _write(directory, {}, [document for one in attachments for document in one.documents])
    atomic_write(directory / "index.json", index_of([named(one.entry, one.name) for one in attachments]))


def blob_path(directory: Path, digest: Sha256) -> Path:
    """Return the path of a blob in a layout."""
    return directory / _BLOBS / digest


def named(entry: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return a descriptor with the name by which tools find it in a layout."""
    return {**entry, "annotations": {REF_NAME: name}}


def blob_bytes(directory: Path) -> int:
    """Return the size of all blobs of a layout: 0 where it has none."""
    return sum(path.stat().st_size for path in (directory / _BLOBS).glob("*") if path.is_file())


def index_of(entries: Sequence[Mapping[str, Any]]) -> bytes:
    """Write an index of descriptors."""
    return canonical({"schemaVersion": 2, "mediaType": INDEX, "manifests": list(entries)})


def _documents(images: Sequence[Image]) -> tuple[bytes, str, list[bytes]]:
    """Write manifests, configurations and the index: the top one, its media type, and all of them."""
    documents = [text for image in images for text in (image.config, image.manifest)]
    if len(images) == 1:
        return images[0].manifest, MANIFEST, documents
    manifests = [{**descriptor(MANIFEST, i.manifest), "platform": platform_of(i.platform)} for i in images]
    index = index_of(manifests)
    return index, INDEX, [*documents, index]


def _claim(directory: Path) -> None:
    """Make the folder a layout, unless it holds something else. The lock's file marks layouts of envgen."""
    if directory.is_dir():
        names = {path.name for path in directory.iterdir()} - {_LOCK}
        if names and MARK not in names:
            raise UserError(
                f"`{directory}` is neither empty nor an OCI layout",
                hint="choose another folder with `--output`, or empty it",
            )
        if names - {MARK} and not (directory / _LOCK).exists():
            raise UserError(
                f"`{directory}` is an OCI layout of another tool; its images would be lost",
                hint="choose another folder with `--output`, and combine both with `skopeo copy`",
            )
    elif directory.exists():
        raise UserError(f"`{directory}` is not a folder", hint="choose another path with `--output`")
    atomic_write(directory / MARK, MARK_TEXT)


def _write(directory: Path, layers: Mapping[Sha256, Path], documents: Iterable[bytes]) -> None:
    (directory / _BLOBS).mkdir(parents=True, exist_ok=True)
    for digest, source in layers.items():
        _link(source, blob_path(directory, digest), digest)
    for data in documents:
        atomic_write(blob_path(directory, Sha256.of(data)), data, mode=0o444)


def _link(source: Path, target: Path, digest: Sha256) -> None:
    """Place a blob in the layout: a hard link, or a copy on another file system."""
    if target.exists() and (target.samefile(source) or _is(target, digest)):
        return
    with atomic_path(target, mode=0o444) as temporary:
        temporary.unlink()
        try:
            os.link(source, temporary)
        except OSError:  # another file system, or one without links
            shutil.copyfile(source, temporary)


def _is(path: Path, digest: Sha256) -> bool:
    with path.open("rb") as stream:
        return Sha256.of_stream(stream) == digest


def _prune(directory: Path, kept: set[Sha256]) -> None:
    for path in (directory / _BLOBS).iterdir():
        if path.name not in kept:
            remove_tree(path)
