"""A software bill of materials beside an image: an artifact that refers to the image, whose digest stays as it is.

Format: OCI image specification 1.1, `manifest.md` ("Guidelines for Artifact Usage", `subject`), and distribution
specification 1.1, "Referrers Tag Schema".
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from envgen.oci.layout import INDEX, MANIFEST, Attachment, canonical, descriptor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from envgen.digest import Sha256
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
    data = text.encode()
    manifest = canonical(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "artifactType": CYCLONEDX,
            "config": descriptor(EMPTY, _NOTHING),
            "layers": [descriptor(CYCLONEDX, data)],
            "subject": descriptor(MANIFEST, image.manifest),
        }
    )
    return Attachment(
        name=name,
        entry={**descriptor(MANIFEST, manifest), "artifactType": CYCLONEDX},
        subject=image.digest,
        content=data,
        documents=(_NOTHING, data, manifest),
    )


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
    """Leave out the type of an attachment in an index; None where others' types would be lost with it.

    Programs from before OCI 1.1 write indices without types.
    """
    document = json.loads(index)
    typed = [entry for entry in document["manifests"] if "artifactType" in entry]
    if any(entry["digest"] != attachment.entry["digest"] for entry in typed):
        return None
    for entry in typed:
        del entry["artifactType"]
    return canonical(document)
