"""The bill of materials of an image: the export of its lock, as an artifact that refers to the image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envgen.export.formats import FORMATS
from envgen.oci.referrer import sbom
from envgen.prepare.package_facts import export_input
from envgen.system.fs import atomic_write
from envgen.system.os_faults import explained

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from envgen.image.inputs import ImageInputs
    from envgen.oci.layout import Attachment, Image, Layout
    from envgen.platforms import Platform
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


def write_sboms(layout: Layout) -> Mapping[Platform, Path]:
    """Write the SBOMs of the images of a layout into files beside it; without SBOMs, remove older files.

    Returns:
        The file of each platform, such as `dist/train.linux-64.cdx.json` for `dist/train.oci`.

    Raises:
        UserError: the folder cannot be written.
    """
    folder, stem = layout.directory.parent, layout.directory.name.removesuffix(".oci")
    contents = {attachment.subject: attachment.content for attachment in layout.attachments}
    found = {}
    with explained(folder):
        for platform, digest in layout.manifests.items():
            file = folder / f"{stem}.{platform}.cdx.json"
            if digest in contents:
                atomic_write(file, contents[digest])
                found[platform] = file
            else:
                file.unlink(missing_ok=True)  # it would describe another image
    return found
