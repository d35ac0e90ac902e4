"""Images are planned and written: layers by the plan, then the layout with its configuration."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from msgspec import Struct

from envgen.errors import UserError
from envgen.image.base_files import DIRECTORIES
from envgen.image.blobs import LayerCache
from envgen.image.config import LayerNote, annotations_of, cuda_major, environment_of, image_config, labels_of
from envgen.image.content import linked, parts
from envgen.image.entries import Directory, file
from envgen.image.inputs import (
    HISTORY,
    ImageBase,
    declared_variables,
    fetch_wheels,
    open_environment,
    opencl_vendors,
    refuse_missing_inputs,
)
from envgen.image.layer_plan import LayerGroup, group, part_of
from envgen.image.made_layers import MadeLayer, made_from, remember
from envgen.image.runtime_layer import runtime_entries
from envgen.image.sbom import cyclonedx, write_sboms
from envgen.lock.dates import date_of
from envgen.lock.model import local_digests
from envgen.oci.compress import Compression
from envgen.oci.layout import Image, write_layout
from envgen.paths import folders_above
from envgen.prepare.disk import refuse_full_layers
from envgen.project import shipped
from envgen.structs import replace
from envgen.whiteout import refuse_whiteouts

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from envgen.digest import Sha256
    from envgen.events import Progress
    from envgen.image.content import Environment, Linked
    from envgen.image.entries import Entry
    from envgen.image.inputs import ImageInputs
    from envgen.image.layer_plan import PlannedLayer
    from envgen.oci.layer import Layer
    from envgen.oci.layout import Layout
    from envgen.platforms import Platform
    from envgen.project.context import Context

_RUNTIME = "users, services and entry point"
OURS = (LayerGroup.BASE, LayerGroup.RUNTIME)
"""Groups whose parts are not packages of the environment."""


class PlannedImage(Struct, frozen=True, kw_only=True):
    """An image for one platform, planned.

    Attributes:
        inputs: what it is made of.
        environment: its packages.
        base: its Debian packages.
        runtime: the entries of its last layer.
        paths: part -> its paths, of all parts but the base.
        variables: of its configuration.
        compression: of its layers.
        layers: lowest first.
        known: key of a layer -> the layer, for those that the store has.
    """

    inputs: ImageInputs
    environment: Environment
    base: ImageBase
    runtime: tuple[Entry, ...]
    paths: Mapping[str, Collection[str]]
    variables: Mapping[str, str]
    compression: Compression
    layers: tuple[PlannedLayer, ...]
    known: Mapping[Sha256, Layer]

    @property
    def missing(self) -> tuple[PlannedLayer, ...]:
        """Return the layers that have to be written."""
        return tuple(layer for layer in self.layers if layer.key not in self.known)

    @property
    def sizes_known(self) -> bool:
        """Return whether the sizes of all layers are known: that of the base is a guess until it was unpacked once."""
        return self.base.sizes(unpack=False) is not None


class WrittenImage(Struct, frozen=True, kw_only=True):
    """An image that is written.

    Attributes:
        layout: where.
        images: one for each platform.
        sboms: bill of materials of each image, beside the layout; none where none was asked for.
    """

    layout: Layout
    images: tuple[Image, ...]
    sboms: Mapping[Platform, Path]


@contextmanager
def planned(
    context: Context, inputs: Sequence[ImageInputs], *, compression: Compression
) -> Iterator[tuple[PlannedImage, ...]]:
    """Prepare every package of the images, and plan their layers.

    Raises:
        GoneError: a locked artifact is no longer offered.
        NetworkError, IntegrityError: as sources and builders say.
        UserError: the layers do not fit, or paths clash.
    """
    refuse_missing_inputs(context, inputs)
    with context.store.in_use(), context.store.view() as folder:
        yield tuple(_plan(context, one, folder / one.platform, compression) for one in inputs)


def write(context: Context, images: Sequence[PlannedImage], directory: Path, *, sbom: bool = True) -> WrittenImage:
    """Write the layers that are missing, then the layout.

    Args:
        context: the world.
        images: one for each platform.
        directory: of the layout.
        sbom: whether to put a software bill of materials beside each image.

    Raises:
        NetworkError: what a licence is read from is not known here, and cannot be had.
        UserError: the folder is something else, or the disk is full.
        IntegrityError: what is in the store is damaged.
    """
    images = [_with_sound_layers(context, image) for image in images]
    total = sum(layer.size for image in images for layer in image.missing)
    refuse_full_layers(context, total)
    with context.reporter.progress("writing layers", total=total) as bar:
        made = tuple(_image(context, image, bar) for image in images)
    name = images[0].inputs.spec.name
    for plan, image in zip(images, made, strict=True):
        _remember(context, plan, image)
    attachments = [cyclonedx(context, p.inputs, i) for p, i in zip(images, made, strict=True)] if sbom else ()
    layout = write_layout(made, directory, name=name, blob=context.store.need_blob, attachments=attachments)
    return WrittenImage(layout=layout, images=made, sboms=write_sboms(layout))


def _with_sound_layers(context: Context, image: PlannedImage) -> PlannedImage:
    """Hash the layers that the store has, on all cores: damaged ones are written again."""
    with ThreadPoolExecutor(_threads()) as pool:
        blobs = pool.map(context.store.sound_blob, (layer.digest for layer in image.known.values()))
        known = {key: layer for (key, layer), blob in zip(image.known.items(), blobs, strict=True) if blob}
    return replace(image, known=known)


def _remember(context: Context, image: PlannedImage, made: Image) -> None:
    """Record the layers that were made from the lock, for `diff`."""
    pair = image.inputs.pair
    layers = [
        MadeLayer(digest=layer.digest, size=layer.size, title=planned.title)
        for layer, planned in zip(made.layers, image.layers, strict=True)
    ]
    key = made_from(pair.text, pair.debian_digest)
    remember(context.store, key, layers, compression=image.compression)


def _plan(context: Context, inputs: ImageInputs, folder: Path, compression: Compression) -> PlannedImage:
    environment = open_environment(context, inputs, folder.with_name(f"{folder.name}-loader"))
    spec, image, lock = inputs.spec, inputs.image, inputs.pair.lock
    own = declared_variables(environment)
    variables = environment_of(spec, image, cuda=cuda_major(lock), own=own, kernel=lock.has_kernel)
    vendors = opencl_vendors(environment)
    runtime = (
        *runtime_entries(
            image,
            environment=variables,
            entry_script=shipped.image_entry(),
            opencl=vendors,
            kernel=spec.name if lock.has_kernel else None,
        ),
        file(f"{environment.prefix}/{HISTORY}", b""),
    )
    base = ImageBase(context, inputs, folder)
    own_parts = (replace(part, sharers=lock.sharers(part.name)) for part in parts(environment))
    every = (base.part(cap=image.layer_size), *own_parts, part_of(_RUNTIME, LayerGroup.RUNTIME, runtime))
    _refuse_paths({part.name: part.sizes for part in every})
    layers = group(every, budget=image.layers, cap=image.layer_size)
    found = PlannedImage(
        inputs=inputs,
        environment=environment,
        base=base,
        runtime=runtime,
        paths={part.name: part.sizes for part in every[1:]},
        variables=variables,
        compression=compression,
        layers=layers,
        known={},
    )
    known = {layer.key: have for layer in layers if (have := layer_cache(context, found, layer).find(layer))}
    return replace(found, known=known)


def _refuse_paths(every: Mapping[str, Collection[str]]) -> None:
    """Refuse a path that two parts contain, and one that an image cannot hold."""
    owners: dict[str, str] = {}
    for name, paths in every.items():
        refuse_whiteouts(name, paths)
        for path in paths:
            if owners.setdefault(path, name) != name:
                raise UserError(
                    f"`{owners[path]}` and `{name}` both contain the path `/{path}`",
                    hint="set another `image.prefix`, or remove one of the two",
                )


def layer_cache(context: Context, image: PlannedImage, planned: PlannedLayer) -> LayerCache:
    """Find a layer's cache. Folders that are not root's count for the environment only where they are above it."""
    special = {path: Directory(path=path, mode=mode) for path, mode in DIRECTORIES.items()}
    special |= {entry.path: entry for entry in image.runtime if isinstance(entry, Directory)}
    if planned.stage not in OURS:
        above = (*folders_above(image.environment.prefix), image.environment.prefix)
        special = {path: folder for path, folder in special.items() if path in above}
    return LayerCache(store=context.store, compression=image.compression, special=special)


def _image(context: Context, image: PlannedImage, bar: Progress) -> Image:
    """Write the missing layers of one platform, on all cores, the largest first."""
    names = {share.part for layer in image.missing if layer.stage not in OURS for share in layer.shares}
    splice = image.compression is Compression.GZIP
    if splice:
        fetch_wheels(context, image.inputs, names)
    with linked_entries(context, image, names, splice=splice) as entries, ThreadPoolExecutor(_threads()) as pool:

        def write(planned: PlannedLayer) -> Layer:
            wanted = [e for share in planned.shares for e in entries(planned, share.part) if share.holds(e.path)]
            layer = layer_cache(context, image, planned).make(planned, wanted, advance=bar.advance)
            if base_layers == [planned]:
                image.base.remove_files()  # beside the other layers, and not when nothing else is left to do
            return layer

        missing = sorted(image.missing, key=_cost, reverse=True)
        base_layers = [planned for planned in missing if planned.stage is LayerGroup.BASE]
        known = {**image.known, **dict(zip([m.key for m in missing], pool.map(write, missing), strict=True))}
    return described(image, [known[layer.key] for layer in image.layers])


def _threads() -> int:
    """Return how many layers to write at once: one more than there are cores, as reading from a disk takes none."""
    return (os.cpu_count() or 1) + 1


def _cost(planned: PlannedLayer) -> int:
    """Return the cost of a layer in bytes that are merely copied: those of the base are unpacked and compressed."""
    return planned.size * (8 if planned.stage is LayerGroup.BASE else 1)


@contextmanager
def linked_entries(
    context: Context, image: PlannedImage, names: set[str], *, splice: bool
) -> Iterator[Callable[[PlannedLayer, str], Iterable[Entry]]]:
    """Yield a function from a layer and the name of a part to the part's entries."""
    with ExitStack() as stack:
        found: Linked | None = None
        if names:
            job = linked(image.environment, names, store=context.store, splice=splice, reporter=context.reporter)
            found = stack.enter_context(job)

        def entries(planned: PlannedLayer, part: str) -> Iterable[Entry]:
            if planned.stage is LayerGroup.BASE:
                _refuse_paths({part: image.base.sizes(unpack=True) or (), **image.paths})
                return image.base.entries
            if planned.stage is LayerGroup.RUNTIME or found is None:
                return image.runtime
            return found.entries(part)

        yield entries


def described(image: PlannedImage, layers: Sequence[Layer]) -> Image:
    """Return an image of layers, lowest first, with its configuration and annotations."""
    spec, section, lock = image.inputs.spec, image.inputs.image, image.inputs.pair.lock
    created = date_of(lock, image.inputs.pair.debian)
    labels = labels_of(spec, section, cuda=cuda_major(lock), created=created, projects=local_digests(lock))
    config = image_config(
        section,
        platform=lock.platform,
        environment=image.variables,
        labels=labels,
        layers=[
            LayerNote(diff_id=layer.diff_id, note=planned.title)
            for layer, planned in zip(layers, image.layers, strict=True)
        ],
        created=created,
    )
    return Image(platform=lock.platform, config=config, layers=tuple(layers), annotations=annotations_of(labels))
