"""Files of the store that are not what was written: edited, cut by a power failure, or hit by a failing disk."""

from __future__ import annotations

import json
import os
import shutil
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

import pytest

from envgen.digest import Sha256
from envgen.errors import ArtifactError
from envgen.events import NullReporter
from envgen.system.boots import BootTime
from envgen.system.seal import SEAL
from envgen.system.store import Store
from tests.unit.system.test_store import DATA, KEY, SHA, add_artifact, names

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


class Told(NullReporter):
    """Keeps what the user is warned of."""

    def __init__(self) -> None:
        self.warnings: list[str] = []
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def warn(self, text: str) -> None:
        self.warnings.append(text)


@dataclass(slots=True)
class Machine:
    """A machine that is switched off and on."""

    boot: int = 1
    seconds: int = 100

    def __call__(self) -> BootTime:
        return BootTime(boot=f"boot-{self.boot}", at=self.seconds * 10**9)


def damage(path: Path, data: bytes = b"") -> None:
    """Change a file and put its time back, as a power failure leaves it."""
    status = path.stat()
    path.chmod(0o644)
    path.write_bytes(data)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


class TestDamagedArtifacts:
    def test_are_fetched_again_once_and_the_user_is_told(self, tmp_path: Path) -> None:
        add_artifact(Store(tmp_path / "store"))
        told = Told()
        store = Store(tmp_path / "store", reporter=told)
        path = store.root / "artifacts" / SHA[:2] / SHA
        damage(path, DATA.swapcase())
        calls: list[int] = []
        for _ in range(2):
            assert store.ensure_artifact(SHA, lambda out: calls.append(out.write(DATA))).read_bytes() == DATA
        assert calls == [len(DATA)]
        assert len(told.warnings) == 1
        assert SHA in told.warnings[0]

    def test_are_not_sound(self, store: Store) -> None:
        assert store.sound_artifact(SHA) is None
        path = add_artifact(store)
        assert store.sound_artifact(SHA) == path
        damage(path)
        assert store.sound_artifact(SHA) is None
        assert names(store) == []

    def test_layers_too(self, store: Store) -> None:
        def write(out: BinaryIO) -> Sha256:
            out.write(DATA)
            return SHA

        store.add_blob(write)
        assert store.sound_blob(SHA)
        damage(store.need_blob(SHA), DATA.swapcase())
        assert Store(store.root).sound_blob(SHA) is None
        assert store.blob(SHA) is None


def make_listed(folder: Path) -> None:
    """Make a package whose paths.json lists its files."""
    (folder / "info").mkdir()
    (folder / "code.py").write_bytes(b"x = 1")
    (folder / "link").symlink_to("code.py")
    entry = {"_path": "code.py", "path_type": "hardlink", "sha256": Sha256.of(b"x = 1")}
    (folder / "info/paths.json").write_text(json.dumps({"paths_version": 1, "paths": [entry]}))
    (folder / "info/index.json").write_text("{}")


class TestDamagedPackages:
    @pytest.mark.parametrize("path", ["code.py", "info/paths.json", "info/index.json", SEAL])
    @pytest.mark.parametrize("data", [b"", b"\0" * 40, b"{}"])
    def test_are_made_again_once_and_the_user_is_told(self, tmp_path: Path, path: str, data: bytes) -> None:
        told = Told()
        store = Store(tmp_path / "store", reporter=told)
        package = store.ensure_package(KEY, make_listed)
        good = {name: (package / name).read_bytes() for name in ("code.py", "info/paths.json", "info/index.json")}
        if good.get(path) == data:
            return
        damage(package / path, data)
        calls: list[Path] = []

        def make(folder: Path) -> None:
            calls.append(folder)
            make_listed(folder)

        for _ in range(2):
            store.ensure_package(KEY, make)
        assert len(calls) == 1
        assert {name: (package / name).read_bytes() for name in good} == good
        assert len(told.warnings) == 1
        assert KEY in told.warnings[0]

    def test_are_found_by_observing_many_at_once(self, store: Store) -> None:
        keys = [f"p{number}-1.0-0" for number in range(6)]
        packages = [store.ensure_package(key, make_listed) for key in keys]
        for package in packages[:3]:
            damage(package / "code.py")
        with store.packages.observing([*packages, packages[0].with_name("never-made-1-0")]):
            pass
        assert [store.altered(key) for key in keys] == [True] * 3 + [False] * 3
        status = (packages[3] / "code.py").stat()
        assert store.packages.statuses(keys[3])["code.py"] == (status.st_size, status.st_mtime_ns, status.st_mode)
        damage(packages[4] / "code.py")
        assert store.altered(keys[4]), "what was observed counts once"

    def test_with_the_status_of_good_ones_are_found_by_reading(self, store: Store) -> None:
        package = store.ensure_package(KEY, make_listed)
        damage(package / "code.py", b"x = 2")
        assert not store.altered(KEY)
        assert store.altered(KEY, read=True)
        assert (store.ensure_package(KEY, make_listed) / "code.py").read_bytes() == b"x = 1"
        assert not store.altered(KEY, read=True)

    def test_what_another_process_made_again_stays(self, store: Store) -> None:
        package = store.ensure_package(KEY, make_listed)
        damage(package / "code.py")
        other = Store(store.root)
        assert store.altered(KEY)
        other.ensure_package(KEY, make_listed)
        inode = (package / "code.py").stat().st_ino
        store.ensure_package(KEY, make_listed)
        assert (package / "code.py").stat().st_ino == inode

    @pytest.mark.parametrize("seal", [None, b'{"format": 0}', b'{"format": 99, "more": []}'])
    def test_packages_of_another_envgen_are_proven_once(self, tmp_path: Path, seal: bytes | None) -> None:
        told, proven = Told(), list[str]()
        store = Store(tmp_path / "store", reporter=told, prove=lambda folder: proven.append(folder.name))
        package = store.ensure_package(KEY, make_listed)
        (package / SEAL).unlink()
        if seal:
            (package / SEAL).write_bytes(seal)
        for _ in range(2):
            assert not Store(store.root, prove=lambda folder: proven.append(folder.name)).altered(KEY)
        assert proven == [KEY]
        assert told.warnings == []

    def test_they_are_made_again_where_they_cannot_be(self, tmp_path: Path) -> None:
        def refuse(_: Path) -> None:
            raise ArtifactError("`code.py` has other bytes")

        told = Told()
        store = Store(tmp_path / "store", reporter=told, prove=refuse)
        package = store.ensure_package(KEY, make_listed)
        (package / SEAL).unlink()
        assert store.altered(KEY)
        (warning,) = told.warnings
        assert "was stored by another version of envgen and is not as it has to be (`code.py` has other" in warning
        store.ensure_package(KEY, make_listed)
        assert not store.altered(KEY)

    def test_a_pipe_in_place_of_a_file_is_damage(self, store: Store) -> None:
        package = store.ensure_package(KEY, make_listed)
        (package / "code.py").unlink()
        os.mkfifo(package / "code.py")
        assert store.altered(KEY)

    def test_a_link_to_another_place_is_damage(self, store: Store) -> None:
        package = store.ensure_package(KEY, make_listed)
        (package / "link").unlink()
        (package / "link").symlink_to("/etc/passwd")
        assert store.altered(KEY)

    def test_a_store_that_was_copied_is_as_good(self, store: Store, tmp_path: Path) -> None:
        told = Told()
        store.ensure_package(KEY, make_listed)
        shutil.copytree(store.root, tmp_path / "copy", symlinks=True)
        copy = Store(tmp_path / "copy", reporter=told)
        assert not copy.altered(KEY)
        damage(copy.root / "packages" / KEY / "code.py", b"x = 2")
        assert not copy.altered(KEY), "the new inodes are recorded, so that files are not read each time"
        assert told.warnings == []

    def test_none_of_that_is_said_of_what_is_not_there(self, store: Store) -> None:
        assert not store.altered("never-made-1-0", read=True)


class TestPowerFailures:
    def open(self, store: Store, machine: Machine) -> Store:
        return Store(store.root, clock=machine)

    def test_packages_of_another_boot_are_read_once(self, store: Store) -> None:
        machine = Machine()
        package = self.open(store, machine).ensure_package(KEY, make_listed)
        damage(package / "code.py", b"x = 2")
        assert not self.open(store, machine).altered(KEY)
        machine.boot += 1
        told = Told()
        assert Store(store.root, clock=machine, reporter=told).altered(KEY)
        assert [text for text in told.notes if "before this machine was started" in text]
        self.open(store, machine).ensure_package(KEY, make_listed)
        machine.boot += 1
        assert not self.open(store, machine).altered(KEY)
        damage(package / "code.py", b"x = 2")
        machine.boot += 1
        assert not self.open(store, machine).altered(KEY), "it was read after a boot, so it was on the disk"

    def test_packages_that_were_synced_are_not_read(self, store: Store) -> None:
        machine = Machine()
        package = self.open(store, machine).ensure_package(KEY, make_listed)
        machine.seconds += 100
        later = self.open(store, machine)
        assert not later.altered(KEY)
        later.sync()
        damage(package / "code.py", b"x = 2")
        machine.boot += 1
        assert not self.open(store, machine).altered(KEY)

    def test_nothing_waits_for_the_disk_just_after_packages_were_made(self, store: Store) -> None:
        machine = Machine()
        self.open(store, machine).ensure_package(KEY, make_listed)
        machine.seconds += 5
        later = self.open(store, machine)
        assert not later.altered(KEY)
        later.sync()
        assert not (store.root / "synced.json").exists()


class TestSeals:
    def test_close_what_archives_leave_open(self, store: Store) -> None:
        def make(folder: Path) -> None:
            (folder / "lib").mkdir()
            (folder / "lib").chmod(0o777)
            (folder / "lib/code.py").touch()
            (folder / "lib/code.py").chmod(0o666)

        package = store.ensure_package(KEY, make)
        assert [stat.S_IMODE((package / name).stat().st_mode) for name in ("lib", "lib/code.py")] == [0o755, 0o644]
        assert not store.altered(KEY)

    def test_stay_in_the_package(self, store: Store, tmp_path: Path) -> None:
        (tmp_path / "elsewhere").mkdir()

        def make(folder: Path) -> None:
            (folder / "info").symlink_to(tmp_path / "elsewhere")

        with pytest.raises(ArtifactError, match="`info`"):
            store.ensure_package(KEY, make)
        assert list((tmp_path / "elsewhere").iterdir()) == []

    def test_come_from_envgen(self, store: Store) -> None:
        def make(folder: Path) -> None:
            (folder / "info").mkdir()
            (folder / SEAL).touch()

        with pytest.raises(ArtifactError, match="envgen-seal"):
            store.ensure_package(KEY, make)
