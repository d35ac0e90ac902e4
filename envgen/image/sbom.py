"""The bill of materials of an image: the export of its lock, as an artifact that refers to the image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envgen.export.formats import FORMATS
from envgen.oci.referrer import sbom
from envgen.ops.export import export

if TYPE_CHECKING:
    from envgen.oci.layout import Attachment, Image
    from envgen.project.context import Context


def cyclonedx(context: Context, image: Image, *, env: str) -> Attachment:
    """Say what is in an image, its Debian packages included.

    Raises:
        NetworkError: the METADATA of a wheel is not known here, and the index cannot be reached.
    """
    exported = export(context, form=FORMATS["cyclonedx"], env=env, platforms=(image.platform,))
    return sbom(image, exported.text, name=f"{env}.{image.platform}.sbom")
