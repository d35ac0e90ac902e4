"""A layout as one file, for machines that have no registry between them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from envgen.digest import chunks
from envgen.oci.layout import MARK, blob_path, canonical, index_of
from envgen.oci.tar_blocks import END, header, padding
from envgen.system.fs import atomic_path
from envgen.system.os_faults import explained

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import BinaryIO

    from envgen.oci.layout import Layout


def write_archive(layout: Layout, file: Path, *, advance: Callable[[int], None] | None = None) -> None:
    """Write a layout as a tar that `podman load`, `docker load` and `skopeo` read.

    Docker's own store reads no OCI layout: it wants a `manifest.json`, which lists the same blobs in another way.
    Engines call the image what the archive calls it, so that is its name and not `latest`, as in the folder.

    Args:
        layout: to be written.
        file: the archive; the old one stays until the new one is whole.
        advance: told the bytes of content that were written.

    Raises:
        UserError: the file cannot be written, or the disk is full.
    """
    with explained(file.parent), atomic_path(file) as temporary, temporary.open("wb") as out:
        _add(out, MARK, (layout.directory / MARK).read_bytes())
        _add(out, "index.json", index_of([layout.entry()]))
        _add(out, "manifest.json", canonical(_docker_images(layout)))
        for path in sorted(blob_path(layout.directory, layout.digest).parent.iterdir()):
            size = path.stat().st_size
            out.write(header(path.relative_to(layout.directory).as_posix(), size))
            with path.open("rb") as stream:
                for data in chunks(stream):
                    out.write(data)
                    if advance:
                        advance(len(data))
            out.write(padding(size))
        out.write(END)


def _docker_images(layout: Layout) -> list[dict[str, Any]]:
    """List images as `docker save` does; of several platforms, each has its own tag."""
    found = []
    for platform, digest in layout.manifests.items():
        manifest = json.loads(blob_path(layout.directory, digest).read_bytes())
        tag = "latest" if len(layout.manifests) == 1 else platform.debian_arch
        found.append(
            {
                "Config": _place(manifest["config"]),
                "RepoTags": [f"{layout.name}:{tag}"],
                "Layers": [_place(layer) for layer in manifest["layers"]],
            }
        )
    return found


def _place(descriptor: dict[str, Any]) -> str:
    return f"blobs/{descriptor['digest'].replace(':', '/')}"


def _add(out: BinaryIO, name: str, data: bytes) -> None:
    out.write(header(name, len(data)) + data + padding(len(data)))
