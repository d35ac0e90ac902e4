"""Signatures as OCI artifacts: a referrer with a bundle, and the older image under the tag `sha256-<digest>.sig`.

Source: https://github.com/sigstore/cosign/blob/main/specs/BUNDLE_SPEC.md, and SIGNATURE_SPEC.md for the tag.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from envgen.oci.layout import CONFIG, MANIFEST, canonical, descriptor
from envgen.oci.referrer import artifact
from envgen.sign.statements import BUNDLE, payload

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from envgen.digest import Sha256
    from envgen.oci.layout import Attachment
    from envgen.sign.keys import Signer

SIMPLE = "application/vnd.dev.cosign.simplesigning.v1+json"
SIGNED = "dev.cosignproject.cosign/signature"
_CONTENT = "dev.sigstore.bundle.content"
_PREDICATE = "dev.sigstore.bundle.predicateType"
_NO_DATE = "0001-01-01T00:00:00Z"
"""What cosign writes for no date."""


def referrer(bundle: bytes, *, kind: str, subject: Mapping[str, Any], name: str) -> Attachment:
    """Build the artifact that attaches a bundle to an image.

    Args:
        bundle: as `statements.bundle` makes it.
        kind: predicate type of its statement.
        subject: descriptor of the image.
        name: by which the artifact is found in a layout of its own.
    """
    annotations = {_CONTENT: "dsse-envelope", _PREDICATE: kind}
    return artifact(bundle, kind=BUNDLE, subject=subject, name=name, annotations=annotations)


def tag_of_signatures(digest: Sha256) -> str:
    """Name the tag under which the older form is found."""
    return f"sha256-{digest}.sig"


def signed_layer(signer: Signer, digest: Sha256, *, repository: str) -> tuple[dict[str, Any], bytes]:
    """Sign an image in the older form: the layer's descriptor with the signature, and its payload."""
    content = payload(repository, digest)
    signature = base64.b64encode(signer.sign(content)).decode()
    return {**descriptor(SIMPLE, content), "annotations": {SIGNED: signature}}, content


def signature_image(layers: Sequence[Mapping[str, Any]]) -> tuple[bytes, bytes]:
    """Build manifest and configuration of the image of the older form from its layers."""
    config = canonical(
        {
            "architecture": "",
            "config": {},
            "created": _NO_DATE,
            "history": [{"created": _NO_DATE} for _ in layers],
            "os": "",
            "rootfs": {"type": "layers", "diff_ids": [layer["digest"] for layer in layers]},
        }
    )
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": descriptor(CONFIG, config),
        "layers": list(layers),
    }
    return canonical(manifest), config


def merged_layers(layer: Mapping[str, Any], before: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Add a signature to those of other keys that are there; the same one is not added twice."""
    others = [one for one in before if one.get("annotations") != layer["annotations"]]
    return [*others, layer]
