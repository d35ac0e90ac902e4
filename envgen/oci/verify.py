"""Verify an OCI image layout: read every byte again, recompute every digest and size.

Nothing of the code that writes layouts is used here: what both misunderstand, neither would see.
"""

from __future__ import annotations

import os
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from envgen.digest import Sha256
from envgen.documents import read_json
from envgen.oci.verify_layer import Tree, read_layer, stack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from envgen.oci.layer_tar import LayerMember
    from envgen.oci.verify_layer import ReadLayer

_INDEX = "application/vnd.oci.image.index.v1+json"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_SHOWN = len("sha256:") + 12
"""Characters of a digest in a message."""

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_MISSHAPEN = (AttributeError, TypeError, LookupError, ValueError)
"""What looking into a document raises that has values of other types than OCI says."""


class Limits(Struct, frozen=True, kw_only=True):
    """What an image must keep.

    Attributes:
        layers: at most so many.
        size: bytes of the largest layer, before compression.
    """

    layers: int
    size: int


class ReadLayout(Struct, frozen=True, kw_only=True):
    """What reading a layout showed.

    Attributes:
        faults: in words, documents first; none for a layout that is as it should be.
        layers: digest of a layer's blob -> its entries, as far as they could be read.
    """

    faults: tuple[str, ...]
    layers: Mapping[str, tuple[LayerMember, ...]]


def check_layout(
    directory: Path, *, limits: Limits, advance: Callable[[int], object] = lambda _size: None
) -> tuple[str, ...]:
    """Read a layout as a runtime would, and everything in it; return its faults.

    Args:
        directory: of the layout.
        limits: what its images must keep.
        advance: told the bytes of layers that were read, from several threads.
    """
    return _read(directory, limits, advance, contents=False).faults


def read_layout(directory: Path, *, limits: Limits, advance: Callable[[int], object]) -> ReadLayout:
    """Read a layout as `check_layout` does, and digest every file in its layers as well."""
    return _read(directory, limits, advance, contents=True)


def _read(directory: Path, limits: Limits, advance: Callable[[int], object], *, contents: bool) -> ReadLayout:
    check = _Check(directory, limits, partial(read_layer, contents=contents, advance=advance))
    check.run()
    return ReadLayout(faults=tuple(check.faults), layers=check.layers)


class _Check:
    """A layout that is being read."""

    def __init__(self, directory: Path, limits: Limits, read: Callable[[Path, str], ReadLayer]) -> None:
        self._blobs = directory / "blobs" / "sha256"
        self._directory = directory
        self._limits = limits
        self._read = read
        self._used: set[str] = set()
        self.faults: list[str] = []
        self.layers: dict[str, tuple[LayerMember, ...]] = {}

    @contextmanager
    def _reading(self, name: str) -> Iterator[None]:
        """Report that a document has another shape than expected."""
        try:
            yield
        except _MISSHAPEN as error:
            self.faults.append(f"{name}: malformed: {error}")

    def run(self) -> None:
        mark = self._json(self._directory / "oci-layout")
        if mark.get("imageLayoutVersion") != "1.0.0":
            self.faults.append(f"oci-layout: version {mark.get('imageLayoutVersion')!r}, expected '1.0.0'")
        index = self._json(self._directory / "index.json")
        with self._reading("index.json"):
            if len(index.get("manifests", ())) != 1:  # of several, programs want to be told which
                self.faults.append(
                    f"index.json: {len(index.get('manifests', ()))} manifests, expected one image or index"
                )
            self._index(index)
        there = {path.name for path in self._blobs.glob("*")}
        self.faults.extend(f"blobs/sha256/{name}: not referenced" for name in sorted(there - self._used))

    def _index(self, index: Mapping[str, Any]) -> None:
        if index.get("schemaVersion") != 2 or index.get("mediaType") != _INDEX:  # noqa: PLR2004  the format's number
            self.faults.append(f"index: expected schemaVersion 2 and mediaType {_INDEX}")
        for entry in index.get("manifests", ()):
            document = self._document(entry)
            match entry.get("mediaType"):
                case "application/vnd.oci.image.index.v1+json":
                    self._index(document)
                case "application/vnd.oci.image.manifest.v1+json":
                    with self._reading(str(entry.get("digest"))[:_SHOWN]):
                        self._manifest(document, entry)
                case other:
                    self.faults.append(f"{entry.get('digest')}: unexpected media type {other!r}")

    def _manifest(self, manifest: Mapping[str, Any], entry: Mapping[str, Any]) -> None:
        name = str(entry.get("digest"))[:_SHOWN]
        if manifest.get("schemaVersion") != 2 or manifest.get("mediaType") != _MANIFEST:  # noqa: PLR2004
            self.faults.append(f"{name}: expected schemaVersion 2 and mediaType {_MANIFEST}")
        if manifest.get("config", {}).get("mediaType") != _CONFIG:
            self.faults.append(f"{name}: config: expected media type {_CONFIG}")
        config = self._document(manifest.get("config", {}))
        layers = manifest.get("layers", [])
        if len(layers) > self._limits.layers:
            self.faults.append(f"{name}: {len(layers)} layers, expected {self._limits.layers} at most")
        if len({layer.get("mediaType") for layer in layers}) > 1:
            self.faults.append(f"{name}: layers have different media types")
        self.faults.extend(f"{name}: {fault}" for fault in _config_faults(config, layers, entry.get("platform")))
        self._layers(layers, config.get("rootfs", {}).get("diff_ids", []), name)

    def _layers(self, layers: Sequence[Mapping[str, Any]], diff_ids: Sequence[str], image: str) -> None:
        """Read layers on all cores, the largest first; then look how they lie on each other, lowest first."""
        blobs = {number: blob for number, layer in enumerate(layers) if (blob := self._find(layer))}
        ordered = sorted(blobs, key=lambda number: blobs[number].stat().st_size, reverse=True)
        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            read = pool.map(lambda number: self._read(blobs[number], str(layers[number].get("mediaType"))), ordered)
            found = dict(zip(ordered, read, strict=True))
        tree = Tree()
        for number, blob in blobs.items():
            layer, name = found[number], f"{image}: layer {number} ({str(layers[number]['digest'])[:_SHOWN]})"
            self._fits(layer.digest, layer.size, layers[number])
            self.layers[blob.name] = layer.members
            faults = (*self._layer_faults(layer, diff_ids[number : number + 1]), *stack(layer, tree, name=name))
            self.faults.extend(f"{name}: {fault}" for fault in faults)
        if len(tree.times) > 1:
            self.faults.append(f"{image}: {len(tree.times)} different modification times, expected one")

    def _layer_faults(self, layer: ReadLayer, diff_ids: Sequence[str]) -> Iterator[str]:
        if layer.fault:
            yield layer.fault
        if layer.is_whole and list(diff_ids) != [f"sha256:{layer.diff_id}"]:
            yield f"DiffID is sha256:{layer.diff_id}, expected {', '.join(map(str, diff_ids)) or 'none'}"
        if layer.unpacked > self._limits.size:
            yield f"{layer.unpacked} bytes, expected {self._limits.size} at most"

    def _document(self, descriptor: Mapping[str, Any]) -> dict[str, Any]:
        path = self._find(descriptor)
        if path is None:
            return {}
        with path.open("rb") as stream:
            self._fits(Sha256.of_stream(stream), path.stat().st_size, descriptor)
        return self._json(path)

    def _find(self, descriptor: Mapping[str, Any]) -> Path | None:
        """Return the file of a blob; None where there is none."""
        digest = str(descriptor.get("digest"))
        if not _DIGEST.fullmatch(digest):
            self.faults.append(f"{digest!r} is not a sha256 digest")
            return None
        path = self._blobs / digest.removeprefix("sha256:")
        self._used.add(path.name)
        if not path.is_file():
            self.faults.append(f"{digest}: missing")
            return None
        return path

    def _fits(self, digest: str, size: int, descriptor: Mapping[str, Any]) -> None:
        """Compare digest and size of a blob with what leads to it."""
        expected = descriptor.get("digest"), descriptor.get("size")
        if (f"sha256:{digest}", size) != expected:
            self.faults.append(f"{expected[0]}: has sha256:{digest} and {size} bytes, expected {expected[1]} bytes")

    def _json(self, path: Path) -> dict[str, Any]:
        try:
            found = read_json(path.read_bytes())
        except (OSError, ValueError) as error:
            self.faults.append(f"{path.relative_to(self._directory)}: failed to read: {error}")
            return {}
        return found if isinstance(found, dict) else {}


def _config_faults(config: Mapping[str, Any], layers: list[Any], platform: Mapping[str, str] | None) -> Iterator[str]:
    """Compare a configuration with what leads to it."""
    if config.get("rootfs", {}).get("type") != "layers":
        yield "config: `rootfs.type` is not `layers`"
    diff_ids = config.get("rootfs", {}).get("diff_ids", [])
    if len(diff_ids) != len(layers):
        yield f"config: {len(diff_ids)} DiffIDs, expected {len(layers)}"
    full = [entry for entry in config.get("history", ()) if not entry.get("empty_layer")]
    if config.get("history") and len(full) != len(layers):
        yield f"config: history of {len(full)} layers, expected {len(layers)}"
    for key in ("architecture", "os"):
        if not config.get(key) or (platform and config[key] != platform.get(key)):
            yield f"config: {key} is {config.get(key)!r}, expected {(platform or {}).get(key)!r}"
