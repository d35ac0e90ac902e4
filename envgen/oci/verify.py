"""Verify an OCI image layout: read every byte again, recompute every digest and size.

Nothing of the code that writes layouts is used here: what both misunderstand, neither would see.
"""

from __future__ import annotations

import re
import tarfile
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import zstandard

from envgen.digest import Sha256
from envgen.documents import read_json
from envgen.oci.verify_layer import Tree, read_layer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    LayoutSeer = Callable[[str, tarfile.TarInfo, str | None], object]

_INDEX = "application/vnd.oci.image.index.v1+json"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_SHOWN = len("sha256:") + 12
"""Characters of a digest in a message."""

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_MISSHAPEN = (AttributeError, TypeError, LookupError, ValueError)
"""What looking into a document raises that has values of other types than OCI says."""

_UNREADABLE = (OSError, ValueError, EOFError, tarfile.TarError, zlib.error, zstandard.ZstdError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What an image must keep.

    Attributes:
        layers: at most so many.
        size: bytes of the largest layer, before compression.
    """

    layers: int
    size: int


def check_layout(directory: Path, *, limits: Limits, see: LayoutSeer | None = None) -> tuple[str, ...]:
    """Read a layout as a runtime would, and everything in it.

    Args:
        directory: of the layout.
        limits: what its images must keep.
        see: told each entry of each layer: digest of the layer's blob, entry, sha256 of a file.

    Returns:
        The faults, in the order in which they were met; none for a layout that is as it should be.
    """
    check = _Check(directory, limits, see)
    check.run()
    return tuple(check.faults)


class _Check:
    """A layout that is being read."""

    def __init__(self, directory: Path, limits: Limits, see: LayoutSeer | None = None) -> None:
        self._blobs = directory / "blobs" / "sha256"
        self._directory = directory
        self._limits = limits
        self._see = see
        self._used: set[str] = set()
        self.faults: list[str] = []

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

    def _layers(self, layers: list[Mapping[str, Any]], diff_ids: list[str], image: str) -> None:
        tree = Tree()
        for number, layer in enumerate(layers):
            name = f"{image}: layer {number} ({str(layer.get('digest'))[:19]})"
            if not self._blob(layer):
                continue
            try:
                blob = self._path(layer)
                see = partial(self._see, blob.name) if self._see else None
                read = read_layer(blob, str(layer.get("mediaType")), name=name, tree=tree, see=see)
            except _UNREADABLE as error:
                self.faults.append(f"{name}: failed to read: {error}")
                continue
            if diff_ids[number : number + 1] != [f"sha256:{read.diff_id}"]:
                self.faults.append(f"{name}: DiffID is sha256:{read.diff_id}, expected {diff_ids[number : number + 1]}")
            if read.unpacked > self._limits.size:
                self.faults.append(f"{name}: {read.unpacked} bytes, expected {self._limits.size} at most")
        self.faults.extend(tree.faults)
        if len(tree.times) > 1:
            self.faults.append(f"{image}: {len(tree.times)} different modification times, expected one")

    def _document(self, descriptor: Mapping[str, Any]) -> dict[str, Any]:
        return self._json(self._path(descriptor)) if self._blob(descriptor) else {}

    def _path(self, descriptor: Mapping[str, Any]) -> Path:
        return self._blobs / str(descriptor["digest"]).removeprefix("sha256:")

    def _blob(self, descriptor: Mapping[str, Any]) -> bool:
        """Verify digest and size of a blob; return whether it exists."""
        digest = str(descriptor.get("digest"))
        if not _DIGEST.fullmatch(digest):
            self.faults.append(f"{digest!r} is not a sha256 digest")
            return False
        path = self._path(descriptor)
        self._used.add(path.name)
        if not path.is_file():
            self.faults.append(f"{digest}: missing")
            return False
        with path.open("rb") as stream:
            got = Sha256.of_stream(stream)
        if got != path.name or path.stat().st_size != descriptor.get("size"):
            self.faults.append(
                f"{digest}: has sha256:{got} and {path.stat().st_size} bytes, expected {descriptor.get('size')} bytes"
            )
        return True

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
