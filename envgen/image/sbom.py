"""The bill of materials of an image: the export of its lock, as an artifact that refers to the image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envgen.export.formats import FORMATS
from envgen.oci.referrer import sbom
from envgen.prepare.package_facts import export_input

if TYPE_CHECKING:
    from envgen.image.inputs import ImageInputs
    from envgen.oci.layout import Attachment, Image
    from envgen.project.context import Context


def cyclonedx(context: Context, inputs: ImageInputs, image: Image) -> Attachment:
    """Describe the packages of an image, its Debian packages included.

    Args:
        context: the world.
        inputs: that the image was made from; its lock is not read again, for the file may have changed since.
        image: that is described.

    Raises:
        NetworkError: the METADATA of a wheel is not known here, and the index cannot be reached.
    """
    form = FORMATS["cyclonedx"]
    exported = form.render(export_input(context, inputs.spec, (inputs.pair,), form))
    return sbom(image, exported.text, name=f"{inputs.spec.name}.{image.platform}.sbom")
