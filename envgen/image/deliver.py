"""Where images go once they are written: a folder, a file, a container engine, a registry."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

from envgen.errors import IntegrityError, UserError
from envgen.oci import push as registry
from envgen.oci.archive import write_archive
from envgen.oci.attach import attach
from envgen.oci.layout import blob_bytes, write_layout
from envgen.oci.verify import Limits, check_layout
from envgen.system.host import probe_host
from envgen.system.retry import RetryPolicy

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from envgen.image.assemble import WrittenImage
    from envgen.image.inputs import ImageInputs
    from envgen.oci.layout import Layout
    from envgen.oci.push import Reference
    from envgen.project.context import Context


def directory(context: Context, inputs: Sequence[ImageInputs], asked: Path | None) -> Path:
    """Return where the layout of an image goes: where it was asked for, or `dist/<env>.oci` in the project."""
    if asked:
        return context.directory / asked
    return context.root / "dist" / f"{inputs[0].spec.name}.oci"


def verify(context: Context, layout: Layout, inputs: Sequence[ImageInputs]) -> None:
    """Read a layout again as a runtime would, and recompute what it says of itself.

    Raises:
        IntegrityError: something is not as it should be.
    """
    asked = [one.image for one in inputs]
    limits = Limits(layers=max(image.layers for image in asked), size=max(image.layer_size for image in asked))
    with context.reporter.progress(f"verifying {layout.directory.name}", total=blob_bytes(layout.directory)) as bar:
        faults = check_layout(layout.directory, limits=limits, advance=bar.advance)
    if faults:
        raise IntegrityError(
            f"failed to verify `{layout.directory}`:\n" + "\n".join(f"  - {fault}" for fault in faults),
            hint="files were modified: run `envgen clean --kind blobs` and build the image again",
        )


def archive(context: Context, layout: Layout, asked: Path) -> None:
    """Write a layout as one file."""
    with context.reporter.progress(f"writing {asked.name}", total=blob_bytes(layout.directory)) as bar:
        write_archive(layout, context.directory / asked, advance=bar.advance)


def load(context: Context, made: WrittenImage, engine: str) -> None:
    """Load the image for this machine's platform into a container engine.

    Raises:
        UserError: there is none for this platform, or the engine refuses.
    """
    host = probe_host().platform
    image = next((image for image in made.images if image.platform == host), None)
    if image is None:
        platforms = ", ".join(str(image.platform) for image in made.images)
        raise UserError(f"cannot load the image: this machine is {host}, the image is for {platforms}")
    with context.store.view() as folder:
        one = write_layout([image], folder / "layout", name=made.layout.name, blob=context.store.need_blob)
        file = folder / "image.tar"
        archive(context, one, file)
        registry.load(one, file, engine, environment=context.environment)
    context.reporter.note(f"loaded into {engine} as `{made.layout.name}:latest`")


def push(context: Context, layout: Layout, reference: Reference) -> None:
    """Send an image to a registry, and then what refers to it."""
    with context.reporter.progress(f"pushing {reference}", total=None):
        retry = RetryPolicy(sleep=time.sleep, jitter=random.random, note=context.reporter.note)
        registry.push(layout, reference, environment=context.environment, retry=retry)
        if layout.attachments:
            with context.store.view() as folder:
                attach(
                    layout.attachments,
                    reference,
                    http=context.http,
                    scratch=folder,
                    environment=context.environment,
                    retry=retry,
                )
    context.reporter.note(f"pushed {reference}@sha256:{layout.digest}")


def remote(context: Context, reference: Reference) -> frozenset[str]:
    """List what the registry has under a tag."""
    return registry.remote_blobs(reference, environment=context.environment)
