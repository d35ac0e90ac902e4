"""The bound of a store: what goes first, and what never goes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from envgen.digest import Sha256
from envgen.system.fs import file_lock
from envgen.system.store import Store, StoreKind
from envgen.system.trim import trim

if TYPE_CHECKING:
    from pathlib import Path

NOW = 2_000_000.0


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def artifact(store: Store, number: int, *, size: int = 1000, used: float) -> Path:
    data = bytes([number]) * size
    with store.new_artifact(Sha256.of(data)) as out:
        out.write(data)
    path = store.artifact(Sha256.of(data))
    assert path
    os.utime(path, (used, used))
    return path


def package(store: Store, key: str, *, used: float, linked_at: Path | None = None) -> Path:
    folder = store.ensure_package(key, lambda dest: (dest / "file").write_bytes(bytes(1000)))
    if linked_at:
        (linked_at / key).hardlink_to(folder / "file")
    os.utime(folder, (used, used))
    return folder


def test_what_was_unused_for_longest_goes_first(store: Store) -> None:
    first, second, third = (artifact(store, number, used=float(number)) for number in (1, 2, 3))
    done = trim(store.root, limit=2500, unused_since=NOW)
    assert done
    assert (done.removed.entries[StoreKind.ARTIFACTS], done.removed.freed, done.left) == (1, 1000, 2000)
    assert [path.exists() for path in (first, second, third)] == [False, True, True]
    assert trim(store.root, limit=2500, unused_since=NOW) is None


def test_what_environments_link_and_what_was_used_just_now_stays(store: Store, tmp_path: Path) -> None:
    linked = package(store, "linked-1-0", used=1.0, linked_at=tmp_path)
    old = package(store, "old-1-0", used=2.0)
    recent = artifact(store, 1, used=NOW + 1)
    done = trim(store.root, limit=100, unused_since=NOW)
    assert done
    assert [path.exists() for path in (linked, old, recent)] == [True, False, True]
    assert done.left > 100


def test_a_store_in_use_is_left_alone(store: Store) -> None:
    path = artifact(store, 1, used=1.0)
    with file_lock(store.root / "locks/store", timeout=0, shared=True):
        assert trim(store.root, limit=1, unused_since=NOW) is None
    assert path.exists()
    assert trim(store.root / "nowhere", limit=1, unused_since=NOW) is None
