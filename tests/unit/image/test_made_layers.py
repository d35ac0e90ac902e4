from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from envgen.digest import Sha256
from envgen.image.made_layers import MadeLayer, change, made_from, recall, remember
from envgen.system.store import Store

if TYPE_CHECKING:
    from pathlib import Path


def layer(name: str, size: int) -> MadeLayer:
    return MadeLayer(digest=Sha256.of(f"{name}{size}".encode()), size=size, title=name)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def test_what_was_made_last_is_remembered_for_each_compression(store: Store) -> None:
    made = made_from("a lock", None)
    assert recall(store, made) == {}
    for size in (1, 2):
        remember(store, made, [layer("base", size)], compression="gzip")
    remember(store, made, [layer("base", 3)], compression="zstd")
    assert recall(store, made) == {"gzip": (layer("base", 2),), "zstd": (layer("base", 3),)}


def test_both_locks_count() -> None:
    names = {made_from(lock, debian) for lock in ("one", "other") for debian in (None, Sha256.of(b"debian"))}
    assert len(names) == 4


def test_what_changes() -> None:
    old = (layer("base", 10), layer("torch", 50), layer("rest", 5))
    new = (layer("base", 10), layer("torch", 60), layer("rest", 5), layer("setup", 1))
    found = change({"gzip": old}, {"gzip": new, "zstd": ()})
    assert found
    assert (found.before, found.after, found.kept) == (65, 76, 2)
    assert found.gone == (layer("torch", 50),)
    assert found.new == (layer("torch", 60), layer("setup", 1))


def test_images_of_different_compression_are_not_compared() -> None:
    assert change({"gzip": ()}, {"zstd": ()}) is None
    assert change({}, {"zstd": ()}) is None
