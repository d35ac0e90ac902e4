"""Images of a few files, written by the code under test."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from envgen.image.blobs import LayerCache
from envgen.image.entries import file
from envgen.image.layer_plan import LayerGroup, PlannedLayer, Share
from envgen.oci.compress import Compression
from envgen.oci.layout import Image, Layout, write_layout
from envgen.platforms import Platform

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from envgen.image.entries import Entry
    from envgen.oci.layer import Layer
    from envgen.system.store import Store

LAYERS: tuple[tuple[Entry, ...], ...] = (
    (file("etc/passwd", "root:*:0:0::/:\n"), file("usr/bin/sh", "elf", mode=0o755)),
    (file("opt/env/lib/large.so", "elf " * 5000), file("opt/env/bin/tool", "#!/bin/sh\n", mode=0o755)),
)


def make_image(
    store: Store,
    *,
    platform: Platform = Platform.LINUX_64,
    layers: Sequence[Sequence[Entry]] = LAYERS,
    compression: Compression = Compression.GZIP,
) -> Image:
    """Write layers into the store and describe an image of them."""
    cache = LayerCache(store=store, compression=compression, special={})
    made = tuple(_layer(cache, number, entries) for number, entries in enumerate(layers))
    config = {
        "architecture": platform.debian_arch,
        "os": "linux",
        "config": {"Cmd": ["/usr/bin/sh"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer.diff_id}" for layer in made]},
    }
    return Image(platform=platform, config=json.dumps(config).encode(), layers=made, annotations={"title": "demo"})


def make_layout(store: Store, directory: Path, *images: Image) -> Layout:
    """Write a layout of one or more images, of one by default."""
    return write_layout(images or [make_image(store)], directory, name="demo", blob=store.need_blob)


def _layer(cache: LayerCache, number: int, entries: Sequence[Entry]) -> Layer:
    share = Share(part=f"part {number}", key=repr(entries))
    planned = PlannedLayer(stage=LayerGroup.REST, shares=(share,), size=0)
    return cache.find(planned) or cache.make(planned, entries)
