"""Which layers the images had that were made here, by their locks: what a comparison of locks says of images.

A lock does not know how large its packages are unpacked, nor what their files become, so that layers cannot be told
from it alone; and reading a large environment's packages again would take seconds.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import asdict

from envgen.digest import Sha256

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from envgen.system.store import Store

_KIND = "image-made"
_FORMAT = 1


class MadeLayer(Struct, frozen=True, kw_only=True):
    """A layer of an image that was made.

    Attributes:
        digest: of the blob.
        size: bytes of the blob: what a pull transfers.
        title: what is in it.
    """

    digest: Sha256
    size: int
    title: str


class ImageChange(Struct, frozen=True, kw_only=True):
    """What becomes of the image.

    Attributes:
        before: bytes of all blobs.
        after: likewise.
        kept: how many layers are in both.
        gone: layers of the old image alone, lowest first.
        new: layers of the new image alone, lowest first: what a push sends and a pull fetches.
    """

    before: int
    after: int
    kept: int
    gone: tuple[MadeLayer, ...]
    new: tuple[MadeLayer, ...]


def made_from(lock: str, debian: Sha256 | None) -> str:
    """Name what an image was made from: the text of a lock, and the digest of the text of the Debian lock."""
    return Sha256.of(json.dumps([_FORMAT, Sha256.of(lock.encode()), debian]).encode())


def remember(store: Store, made: str, layers: Iterable[MadeLayer], *, compression: str) -> None:
    """Keep the layers of the image that was made last from a lock, for each compression."""
    known = {name: [asdict(layer) for layer in some] for name, some in recall(store, made).items()}
    known[compression] = [asdict(layer) for layer in layers]
    store.put(_KIND, made, json.dumps(known).encode())


def recall(store: Store, made: str) -> dict[str, tuple[MadeLayer, ...]]:
    """Find the layers of the image that was made last from a lock: compression -> lowest first."""
    raw = store.cached(_KIND, made)
    known = {} if raw is None else json.loads(raw)
    return {
        name: tuple(MadeLayer(digest=Sha256(e["digest"]), size=e["size"], title=e["title"]) for e in some)
        for name, some in known.items()
    }


def change(
    before: Mapping[str, tuple[MadeLayer, ...]], after: Mapping[str, tuple[MadeLayer, ...]]
) -> ImageChange | None:
    """Compare two images as `recall` gives them, of the first compression that both have; None where there is none."""
    both = sorted(before.keys() & after.keys())
    if not both:
        return None
    old, new = before[both[0]], after[both[0]]
    olds, news = {layer.digest for layer in old}, {layer.digest for layer in new}
    return ImageChange(
        before=sum(layer.size for layer in old),
        after=sum(layer.size for layer in new),
        kept=len(olds & news),
        gone=tuple(layer for layer in old if layer.digest not in news),
        new=tuple(layer for layer in new if layer.digest not in olds),
    )
