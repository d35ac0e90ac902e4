"""Layers in the store: found again as long as nothing that determines them changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from envgen.errors import EnvgenError
from envgen.image.blobs import LayerCache
from envgen.image.entries import Directory, file
from envgen.image.layer_plan import LayerGroup, PlannedLayer, Share
from envgen.oci.compress import Compression
from envgen.structs import replace
from envgen.system.store import StoreKind

if TYPE_CHECKING:
    from envgen.system.store import Store

ENTRIES = (file("opt/env/a", "1"),)
PLANNED = PlannedLayer(stage=LayerGroup.REST, shares=(Share(part="a", key="1"),), size=1)


@pytest.fixture
def cache(store: Store) -> LayerCache:
    return LayerCache(store=store, compression=Compression.GZIP, special={})


def test_a_layer_is_made_once(cache: LayerCache) -> None:
    assert cache.find(PLANNED) is None
    made = cache.make(PLANNED, ENTRIES)
    assert cache.find(PLANNED) == made
    assert cache.store.need_blob(made.digest).stat().st_size == made.size
    assert [usage.entries for usage in cache.store.usage() if usage.kind is StoreKind.BLOBS] == [1]


def test_what_determines_a_layer_tells_it_from_others(cache: LayerCache) -> None:
    cache.make(PLANNED, ENTRIES)
    assert replace(cache, compression=Compression.ZSTD).find(PLANNED) is None
    assert replace(cache, special={"opt": Directory(path="opt", uid=7)}).find(PLANNED) is None
    assert cache.find(replace(PLANNED, shares=(Share(part="a", key="2"),))) is None
    assert cache.find(replace(PLANNED, shares=(Share(part="a", key="1", first="opt/env/b"),))) is None
    assert cache.find(replace(PLANNED, size=2)) is not None


@pytest.mark.parametrize("damage", [b"", b"short"])
def test_a_blob_that_is_cut_short_is_made_again(cache: LayerCache, damage: bytes) -> None:
    made = cache.make(PLANNED, ENTRIES)
    blob = cache.store.need_blob(made.digest)
    blob.chmod(0o644)
    blob.write_bytes(damage)
    assert cache.find(PLANNED) is None
    assert cache.make(PLANNED, ENTRIES) == made
    assert cache.find(PLANNED) == made


def test_a_layer_that_fails_leaves_nothing(cache: LayerCache) -> None:

    with pytest.raises(EnvgenError):
        cache.make(PLANNED, (*ENTRIES, *ENTRIES))
    assert cache.find(PLANNED) is None
    assert [usage.entries for usage in cache.store.usage() if usage.kind is StoreKind.BLOBS] == [0]
    assert not list((cache.store.root / "views").iterdir())
