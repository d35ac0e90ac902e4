"""Layers in the store: made once, found again by what determines them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import asdict

from envgen.digest import Sha256
from envgen.image.layer import FORMAT, write_layer
from envgen.oci.compress import COMPRESSORS, Compression
from envgen.oci.layer import Layer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import BinaryIO

    from envgen.image.entries import Directory, Entry
    from envgen.image.layer_plan import PlannedLayer
    from envgen.system.store import Store

_KIND = "layer"


class LayerCache(Struct, frozen=True, kw_only=True):
    """The layers that a store has of images of one kind.

    Attributes:
        store: keeps blobs, and which blob a plan became.
        compression: of the layers.
        special: folders of the image that are not 0755 and root's.
    """

    store: Store
    compression: Compression
    special: Mapping[str, Directory]

    def find(self, planned: PlannedLayer) -> Layer | None:
        """Find a layer that was made before."""
        raw = self.store.cached(_KIND, self._key(planned))
        if raw is None:
            return None
        facts = json.loads(raw)
        layer = Layer(
            digest=Sha256(facts["digest"]),
            size=facts["size"],
            diff_id=Sha256(facts["diff_id"]),
            unpacked=facts["unpacked"],
            compression=Compression(facts["compression"]),
        )
        blob = self.store.blob(layer.digest)
        return layer if blob and blob.stat().st_size == layer.size else None

    def make(
        self, planned: PlannedLayer, entries: Iterable[Entry], *, advance: Callable[[int], None] | None = None
    ) -> Layer:
        """Write a layer into the store.

        Args:
            planned: names what determines the layer.
            entries: of all its shares.
            advance: told the bytes of content that were written.

        Raises:
            IntegrityError, ArtifactError: see `write_layer`.
            UserError: the disk is full or the store not writable.
        """
        made: list[Layer] = []

        def write(out: BinaryIO) -> Sha256:
            layer = write_layer(entries, out, compression=self.compression, special=self.special, advance=advance)
            made.append(layer)
            return layer.digest

        self.store.add_blob(write)
        self.store.put(_KIND, self._key(planned), json.dumps(asdict(made[0])).encode())
        return made[0]

    def _key(self, planned: PlannedLayer) -> str:
        special = sorted((folder.path, folder.mode, folder.uid, folder.gid) for folder in self.special.values())
        facts = [FORMAT, COMPRESSORS[self.compression], planned.key, special]
        return Sha256.of(json.dumps(facts).encode())
