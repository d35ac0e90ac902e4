"""What is signed, as JSON: `sign` and `verify`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from envgen.ops import SignedImage


def facts(signed: SignedImage) -> dict[str, Any]:
    """Return the digests with a signature, its forms, and the kinds of attestations."""
    return {
        "digest": f"sha256:{signed.digest}",
        "manifests": [f"sha256:{digest}" for digest in signed.manifests],
        "forms": list(signed.forms),
        "attestations": {f"sha256:{digest}": list(kinds) for digest, kinds in signed.statements.items()},
    }
