"""`image`: locks become an OCI image, without a container engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from envgen.errors import IntegrityError
from envgen.image import deliver
from envgen.image.assemble import planned, write
from envgen.image.inputs import has_damage, open_images
from envgen.manifest.variables import loading
from envgen.oci.compress import Compression
from envgen.oci.push import Reference
from envgen.ops._check import refuse_misfits
from envgen.ops._sign import open_key, sign_pushed
from envgen.ops._terms import check_terms
from envgen.prepare.disk import trim_cache
from envgen.project.local_projects import refuse_uncommitted
from envgen.structs import replace

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from envgen.image.assemble import PlannedImage, WrittenImage
    from envgen.image.inputs import ImageInputs
    from envgen.platforms import Platform
    from envgen.project.context import Context
    from envgen.sign.images import SignedImage


class ImageOptions(Struct, frozen=True, kw_only=True):
    """What `image` is to make, and where it goes.

    Attributes:
        env: name of the spec, or None for the project's only or default one.
        platforms: of the image; all Linux platforms of the spec without.
        frozen: take locks as they are, without asking whether they are up to date.
        compression: of the layers.
        output: folder of the OCI layout, relative to the working directory; `dist/ENV.oci` in the project without.
        archive: a file that the layout is written to as well.
        engine: `podman` or `docker`, which the image is loaded into.
        push: `REGISTRY/NAME:TAG` that the image is pushed to.
        sign: key that signs what is pushed, as `sign` takes it.
        sbom: whether to put a software bill of materials beside each image.
        verify: read the layout again and recompute every digest.
        dry_run: plan the layers, ask the registry what it has, and write nothing.
        check: refuse packages that do not fit together, as `check` does.
        dirty: accept local projects with uncommitted changes.
    """

    env: str | None = None
    platforms: tuple[Platform, ...] = ()
    frozen: bool = False
    compression: Compression = Compression.GZIP
    output: Path | None = None
    archive: Path | None = None
    engine: str | None = None
    push: str | None = None
    sign: str | None = None
    sbom: bool = True
    verify: bool = False
    dry_run: bool = False
    check: bool = True
    dirty: bool = False


class ImageResult(Struct, frozen=True, kw_only=True):
    """What `image` planned and wrote.

    Attributes:
        inputs: of each platform, with what the store lacked.
        images: planned layers of each platform; empty where a dry run lacks packages to plan them from.
        in_registry: digests that the registry has under the reference; None where it was not asked.
        written: the layout; None for a dry run.
        signed: what was signed in the registry.
    """

    inputs: tuple[ImageInputs, ...]
    images: tuple[PlannedImage, ...] = ()
    in_registry: frozenset[str] | None = None
    written: WrittenImage | None = None
    signed: SignedImage | None = None


def image(
    context: Context, options: ImageOptions, *, on_plan: Callable[[ImageResult], None] | None = None
) -> ImageResult:
    """Write an OCI image of an environment; with `dry_run` only plan it.

    Args:
        context: the world.
        options: what to make, and where it goes.
        on_plan: called once the layers are planned, before the first is written.

    Raises:
        LockError: a lock is missing, or not up to date.
        UserError: the spec has no image, its `licenses` rejects what is pushed, the key cannot be read, packages do
            not fit together, layers do not fit, paths clash, the output is something else, or `push` is not a
            reference.
        NetworkError, IntegrityError: as sources, builders and the registry say.
    """
    reference = Reference.parse(options.push) if options.push else None
    signer = open_key(context, options.sign) if options.sign else None
    inputs = _inputs(context, options)
    if reference:
        check_terms(context, inputs[0].spec.name, [one.platform for one in inputs])
    for text in loading(inputs[0].spec.env):
        context.reporter.note(text)
    try:
        made = _make(context, options, inputs, reference, on_plan)
    except IntegrityError:
        if not has_damage(context, inputs):
            raise
        made = _make(context, options, _inputs(context, options), reference, None)
    if made.written and any(image.missing for image in made.images):
        trim_cache(context)
    if not (signer and reference and made.written):
        return made
    return replace(
        made,
        signed=sign_pushed(
            context, reference, signer, made.written.layout, made.inputs, compression=str(options.compression)
        ),
    )


def _inputs(context: Context, options: ImageOptions) -> tuple[ImageInputs, ...]:
    inputs = open_images(
        context, env=options.env, platforms=options.platforms, frozen=options.frozen, verify=options.verify
    )
    if not options.dirty:
        refuse_uncommitted(context, [one.pair.lock for one in inputs])
    return inputs


def _make(
    context: Context,
    options: ImageOptions,
    inputs: tuple[ImageInputs, ...],
    reference: Reference | None,
    on_plan: Callable[[ImageResult], None] | None,
) -> ImageResult:
    if options.dry_run and any(one.plan.prepare for one in inputs):
        return ImageResult(inputs=inputs)
    with planned(context, inputs, compression=options.compression) as images:
        there = deliver.remote(context, reference) if options.dry_run and reference else None
        found = ImageResult(inputs=inputs, images=images, in_registry=there)
        if on_plan:
            on_plan(found)
        if options.dry_run:
            return found
        if options.check:
            refuse_misfits(context, inputs[0].spec, [one.pair for one in inputs])
        written = write(context, images, deliver.directory(context, inputs, options.output), sbom=options.sbom)
    _deliver(context, inputs, written, options, reference)
    return ImageResult(inputs=inputs, images=images, written=written)


def _deliver(
    context: Context,
    inputs: tuple[ImageInputs, ...],
    written: WrittenImage,
    options: ImageOptions,
    reference: Reference | None,
) -> None:
    if options.verify:
        deliver.verify(context, written.layout, inputs)
    if options.archive:
        deliver.archive(context, written.layout, options.archive)
    if options.engine:
        deliver.load(context, written, options.engine)
    if reference:
        deliver.push(context, written.layout, reference)
