"""What a bundle is made of: files with a title, grouped in artifacts, each an OCI manifest.

Format: OCI image specification 1.1, `manifest.md`, "Guidelines for Artifact Usage". The title
(`org.opencontainers.image.title`) is the path under which clients of registries write a file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from envgen.digest import Sha256
from envgen.oci.layout import MANIFEST, TITLE, canonical, descriptor
from envgen.oci.referrer import EMPTY
from envgen.structs import replace

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

EXECUTABLE = "envgen.executable"
"""Annotation of files that are programs."""

LOCK = "application/vnd.envgen.lock.v1"
"""Type of an artifact: a lock, its spec and recipes, and the files that its environment and image are made from."""

TOOLS = "application/vnd.envgen.tools.v1"
"""Type of an artifact: wheels of envgen and of what it needs, for one platform and one minor version of Python."""

WHEEL = "application/vnd.pypi.wheel"
DEB = "application/vnd.debian.binary-package"
OLD_CONDA = "application/vnd.conda.package.v1"
TEXT = "text/plain"

_NOTHING = b"{}"


class BundledFile(Struct, frozen=True, kw_only=True):
    """One file.

    Attributes:
        title: relative path, with forward slashes.
        media_type: of the file.
        sha256: of its bytes.
        size: of its bytes.
        source: where the bytes are, or they themselves.
        executable: whether it is a program.
    """

    title: str
    media_type: str
    sha256: Sha256
    size: int
    source: Path | bytes
    executable: bool = False


class BundleArtifact(Struct, frozen=True, kw_only=True):
    """An artifact.

    Attributes:
        kind: its `artifactType`.
        name: by which tools find it in the layout.
        annotations: of the manifest.
        parts: in any order; of parts with one digest the first by title is stored.
    """

    kind: str
    name: str
    annotations: Mapping[str, str] = field(default_factory=dict)
    parts: tuple[BundledFile, ...]

    @property
    def manifest(self) -> bytes:
        """Return the manifest, as it is stored."""
        return canonical(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "artifactType": self.kind,
                "config": descriptor(EMPTY, _NOTHING),
                "layers": [_layer(part) for part in sorted(self.parts, key=lambda part: part.title)],
                "annotations": dict(self.annotations),
            }
        )

    @property
    def entry(self) -> dict[str, Any]:
        """Return the descriptor of the manifest."""
        return {**descriptor(MANIFEST, self.manifest), "artifactType": self.kind}

    @property
    def blobs(self) -> dict[Sha256, BundledFile]:
        """Return all stored files by digest; manifest and empty configuration included."""
        own = (text_part("", data) for data in (self.manifest, _NOTHING))
        return {part.sha256: part for part in (*self.parts, *own)}


def text_part(title: str, data: bytes, *, executable: bool = False) -> BundledFile:
    """Return a text whose bytes are at hand."""
    return replace(bytes_part(title, TEXT, data), executable=executable)


def bytes_part(title: str, media_type: str, data: bytes) -> BundledFile:
    """Return a file of any type whose bytes are at hand."""
    return BundledFile(title=title, media_type=media_type, sha256=Sha256.of(data), size=len(data), source=data)


def file_part(title: str, media_type: str, sha: Sha256, path: Path) -> BundledFile:
    """Return a file on disk whose digest is known."""
    return BundledFile(title=title, media_type=media_type, sha256=sha, size=path.stat().st_size, source=path)


def _layer(part: BundledFile) -> dict[str, Any]:
    return {
        "mediaType": part.media_type,
        "digest": f"sha256:{part.sha256}",
        "size": part.size,
        "annotations": {TITLE: part.title, **({EXECUTABLE: "true"} if part.executable else {})},
    }
