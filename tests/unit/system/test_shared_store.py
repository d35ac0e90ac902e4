"""A store of somebody else: whose files are taken, and that every byte is proved."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from envgen.digest import Sha256
from envgen.errors import UserError
from envgen.events import NullReporter
from envgen.system.shared_store import SharedStore
from envgen.system.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DATA = b"wheel" * 1000
SHA = Sha256.of(DATA)


class Warnings(NullReporter):
    """Remembers warnings."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def warn(self, text: str) -> None:
        """Record a warning."""
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
    """Return whether an artifact comes from the shared store; another one would be written by the fallback."""
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
    assert told.said == [f"`{path}` is not used: its owner is not trusted"]


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    source = SharedStore(root=tmp_path / "nowhere", owners=frozenset({0}), reporter=NullReporter())
    with pytest.raises(UserError, match="failed to open"):
        source.check()


KEY = "spam-1.0-py_0"


@pytest.fixture
def package(theirs: Store) -> Path:
    """Store a package with a program, a link and a folder."""
    with theirs.new_package(KEY) as folder:
        for path, text in (("bin/spam", "#!/bin/sh\n"), ("lib/deep/eggs.py", "x = 1\n"), ("info/index.json", "{}")):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
        (folder / "bin/spam").chmod(0o755)
        (folder / "bin/ham").symlink_to("spam")
        os.utime(folder / "lib/deep/eggs.py", ns=(1, 10**9))
    return theirs.root / "packages" / KEY


def copied(source: SharedStore, folder: Path) -> bool:
    """Copy the package to a new folder."""
    folder.mkdir()
    return source.copy_package(KEY, folder)


def test_a_package_is_copied(theirs: Store, package: Path, tmp_path: Path) -> None:
    source, told = shared(theirs)
    assert (source.has_package(KEY), source.has_package("other-1.0-0")) == (True, False)
    target = tmp_path / "mine"
    assert copied(source, target)
    assert told.said == []
    assert (target / "bin/ham").readlink().name == "spam"
    for path in ("bin/spam", "lib/deep/eggs.py", "info/index.json"):
        here, there = (target / path).stat(), (package / path).stat()
        assert (here.st_mode, here.st_mtime_ns) == (there.st_mode, there.st_mtime_ns)
        assert (here.st_ino, here.st_nlink) != (there.st_ino, 2)
        assert (target / path).read_bytes() == (package / path).read_bytes()
    assert not (target / "info/envgen-seal.json").exists()


def edit(package: Path) -> None:
    (package / "lib/deep/eggs.py").write_text("x = 2\n")
    os.utime(package / "lib/deep/eggs.py", ns=(1, 10**9))


def add(package: Path) -> None:
    (package / "lib/evil.py").touch()


def lead_elsewhere(package: Path) -> None:
    (package / "bin/ham").unlink()
    (package / "bin/ham").symlink_to("/bin/sh")


def make_a_pipe(package: Path) -> None:
    (package / "bin/spam").unlink()
    os.mkfifo(package / "bin/spam")


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (edit, "it was changed or damaged (`info`)"),
        (add, "it was changed or damaged (`info`)"),
        (lead_elsewhere, "it was changed or damaged (`info`)"),
        (make_a_pipe, "`spam` is not a file of a trusted owner, or others may write to it"),
        (lambda p: (p / "bin/spam").chmod(0o777), "`spam` is not a file of a trusted owner, or others may write to it"),
        (lambda p: (p / "lib/deep").chmod(0o777), "`lib/deep/` is not of a trusted owner, or others may write to it"),
        (lambda p: p.parent.chmod(0o777), "its folder is not of a trusted owner, or others may write to it"),
        (lambda p: (p / "info/envgen-seal.json").write_text("{"), "it has no seal of a trusted owner"),
    ],
)
def test_a_package_that_is_not_as_sealed_is_not_taken(
    theirs: Store, package: Path, tmp_path: Path, damage: Callable[[Path], object], why: str
) -> None:
    damage(package)
    source, told = shared(theirs)
    assert not copied(source, tmp_path / "mine")
    assert told.said == [f"package `{KEY}` of `shared-cache` is not used: {why}"]


def test_a_package_of_another_user_is_not_taken(theirs: Store, package: Path, tmp_path: Path) -> None:
    source, told = shared(theirs, owner=os.geteuid() + 1)
    assert not copied(source, tmp_path / "mine")
    assert "not of a trusted owner" in told.said[0]


def test_a_package_that_goes_meanwhile_is_not_there(theirs: Store, package: Path, tmp_path: Path) -> None:
    source, told = shared(theirs)
    (package / "lib/deep/eggs.py").unlink()
    (package / "info/envgen-seal.json").unlink()
    assert not source.has_package(KEY)
    shutil.rmtree(package)
    assert not copied(source, tmp_path / "mine")
    assert told.said == [f"package `{KEY}` of `shared-cache` is not used: it has no seal of a trusted owner"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to others")
def test_whose_a_package_is_decides(theirs: Store, package: Path, tmp_path: Path) -> None:
    builder, stranger = 1234, 4321
    for path in (package.parent, package, *package.rglob("*")):
        os.chown(path, builder, builder, follow_symlinks=False)
    assert copied(shared(theirs, owner=builder)[0], tmp_path / "named")
    assert {path.lstat().st_uid for path in (tmp_path / "named").rglob("*")} == {0}
    assert not copied(shared(theirs, owner=stranger)[0], tmp_path / "not-named")
    os.chown(package / "bin/spam", stranger, stranger)
    source, told = shared(theirs, owner=builder)
    assert not copied(source, tmp_path / "mixed")
    assert "`spam` is not a file of a trusted owner" in told.said[0]
