"""A software bill of materials beside an image: an artifact that refers to the image, whose digest stays as it is.

Format: OCI image specification 1.1, `manifest.md` ("Guidelines for Artifact Usage", `subject`), and distribution
specification 1.1, "Referrers Tag Schema".
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from envgen.digest import Sha256
from envgen.oci.layout import INDEX, MANIFEST, Attachment, canonical, descriptor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from envgen.oci.layout import Image

CYCLONEDX = "application/vnd.cyclonedx+json"
EMPTY = "application/vnd.oci.empty.v1+json"
_NOTHING = b"{}"
"""What an artifact without a configuration has for one."""


def sbom(image: Image, text: str, *, name: str) -> Attachment:
    """Build the artifact that attaches an SBOM to an image.

    Args:
        image: which; of one platform.
        text: CycloneDX, as JSON.
        name: by which tools find the artifact in a layout of its own.
    """
    return artifact(text.encode(), kind=CYCLONEDX, subject=descriptor(MANIFEST, image.manifest), name=name)


def artifact(
    content: bytes,
    *,
    kind: str,
    subject: Mapping[str, Any],
    name: str,
    annotations: Mapping[str, str] | None = None,
) -> Attachment:
    """Build the artifact that attaches one document to a manifest.

    Its descriptor repeats type and annotations: clients read them from the index under the fallback tag.

    Args:
        content: what is attached.
        kind: media type of the content, and type of the artifact.
        subject: descriptor of the manifest that it refers to.
        name: by which tools find the artifact in a layout of its own.
        annotations: of the artifact.

    Raises:
        ValueError: the digest of `subject` is not a sha256.
    """
    noted = {"annotations": dict(annotations)} if annotations else {}
    manifest = canonical(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "artifactType": kind,
            "config": descriptor(EMPTY, _NOTHING),
            "layers": [descriptor(kind, content)],
            "subject": dict(subject),
            **noted,
        }
    )
    return Attachment(
        name=name,
        entry={**descriptor(MANIFEST, manifest), "artifactType": kind, **noted},
        subject=digest_of(subject),
        content=content,
        documents=(_NOTHING, content, manifest),
    )


def digest_of(entry: Mapping[str, Any]) -> Sha256:
    """Read the digest of a descriptor.

    Raises:
        ValueError: it is not a sha256.
    """
    return Sha256.parse(str(entry.get("digest", "")).removeprefix("sha256:"))


def tag_of(subject: Sha256) -> str:
    """Name the tag whose index lists what refers to a manifest, in registries that do not list it themselves."""
    return f"sha256-{subject}"


def lists(index: Mapping[str, Any] | None, attachment: Attachment) -> bool:
    """Return whether an index lists an attachment."""
    return any(entry.get("digest") == attachment.entry["digest"] for entry in (index or {}).get("manifests", ()))


def added(index: Mapping[str, Any] | None, attachment: Attachment) -> bytes:
    """Add an attachment to the index of such a tag, behind everything that is there; None is no index yet."""
    before = dict(index or {})
    entries = [entry for entry in before.get("manifests", ()) if entry.get("digest") != attachment.entry["digest"]]
    return canonical({**before, "schemaVersion": 2, "mediaType": INDEX, "manifests": [*entries, attachment.entry]})


def without_types(index: bytes, attachment: Attachment) -> bytes | None:
    """Remove the type of an attachment in an index; None if types of others would be lost too.

    Programs from before OCI 1.1 write indices without types.
    """
    document = json.loads(index)
    typed = [entry for entry in document["manifests"] if "artifactType" in entry]
    if any(entry["digest"] != attachment.entry["digest"] for entry in typed):
        return None
    for entry in typed:
        del entry["artifactType"]
    return canonical(document)
