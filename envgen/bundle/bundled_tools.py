"""Wheels of what envgen needs, out of a bundle that has them: for machines that reach no wheel index."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from envgen.bundle.parts import TOOLS, WHEEL
from envgen.oci.layout import TITLE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from envgen.digest import Sha256
    from envgen.oci.read import LayoutReader

_WHEEL_TITLE = re.compile(r"tools/[^/]+\.whl")


def bundled_wheels(
    bundles: Sequence[LayoutReader], wanted: Mapping[str, str], *, own: str
) -> tuple[LayoutReader, dict[str, Sha256]] | None:
    """Return the first bundle with wheels of envgen's requirements, and these: title -> digest.

    Args:
        bundles: in the order in which they are asked.
        wanted: annotations of the artifact: version of envgen, Python, platform.
        own: title of envgen's own wheel, which is left out.

    Returns:
        None where no bundle has such an artifact.

    Raises:
        IntegrityError: a bundle is damaged.
    """
    for bundle in bundles:
        for entry in bundle.manifests:
            document = bundle.document(entry)
            told = document.get("annotations")
            if document.get("artifactType") == TOOLS and isinstance(told, dict) and wanted.items() <= told.items():
                layers = [layer for layer in bundle.descriptors(entry) if layer.media_type == WHEEL]
                titles = {layer.annotations.get(TITLE, ""): layer.digest for layer in layers}
                return bundle, {
                    title: sha for title, sha in titles.items() if _WHEEL_TITLE.fullmatch(title) and title != own
                }
    return None
