"""A store of somebody else: whose files are taken, and that every byte is proved."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from envgen.digest import Sha256
from envgen.errors import UserError
from envgen.events import NullReporter
from envgen.system.shared_store import SharedStore
from envgen.system.store import Store

if TYPE_CHECKING:
    from pathlib import Path

DATA = b"wheel" * 1000
SHA = Sha256.of(DATA)


class Warnings(NullReporter):
    """Remembers warnings."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def warn(self, text: str) -> None:
        """Remember a warning."""
        self.said.append(text)


@pytest.fixture
def theirs(tmp_path: Path) -> Store:
    found = Store(tmp_path / "theirs")
    with found.new_artifact(SHA) as out:
        out.write(DATA)
    return found


def shared(theirs: Store, *, owner: int | None = None) -> tuple[SharedStore, Warnings]:
    told = Warnings()
    owners = frozenset({os.geteuid() if owner is None else owner})
    return SharedStore(root=theirs.root, owners=owners, reporter=told), told


def taken(mine: Store, source: SharedStore) -> bool:
    """Whether an artifact comes from the shared store; another one would be written by the fallback."""
    found: list[bool] = []

    def write(out: object) -> None:
        found.append(source.copy(SHA, out))  # type: ignore[arg-type]
        if not found[0]:
            out.write(DATA)  # type: ignore[attr-defined]

    assert mine.ensure_artifact(SHA, write).read_bytes() == DATA
    return found[0]


def test_an_artifact_is_copied(theirs: Store, tmp_path: Path) -> None:
    source, told = shared(theirs)
    source.check()
    assert source.has(SHA)
    assert not source.has(Sha256("0" * 64))
    mine = Store(tmp_path / "mine")
    assert taken(mine, source)
    assert told.said == []
    own = mine.artifact(SHA)
    assert own
    assert own.stat().st_nlink == 1


def test_damaged_bytes_are_not_taken(theirs: Store, tmp_path: Path) -> None:
    path = theirs.artifact(SHA)
    assert path
    path.chmod(0o644)
    path.write_bytes(DATA[:-1] + b"!")
    source, told = shared(theirs)
    assert not taken(Store(tmp_path / "mine"), source)
    assert told.said == [f"`{path}` is damaged, and is not used"]


def test_files_that_others_own_or_may_write_are_not_taken(theirs: Store, tmp_path: Path) -> None:
    source, told = shared(theirs, owner=os.geteuid() + 1)
    assert not taken(Store(tmp_path / "mine"), source)
    with pytest.raises(UserError, match="belongs to user"):
        source.check()
    path = theirs.artifact(SHA)
    assert path
    path.chmod(0o666)
    source, told = shared(theirs)
    assert not taken(Store(tmp_path / "other"), source)
    assert told.said == [f"`{path}` is not used: it is not of a trusted owner"]


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    source = SharedStore(root=tmp_path / "nowhere", owners=frozenset({0}), reporter=NullReporter())
    with pytest.raises(UserError, match="failed to open"):
        source.check()
