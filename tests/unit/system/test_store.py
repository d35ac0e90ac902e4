from __future__ import annotations

import datetime as dt
import errno
import multiprocessing
import os
import stat
import threading
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import pytest

from envgen.digest import Sha256
from envgen.errors import DigestMismatchError, HostError, UserError
from envgen.system.fs import TEMPORARY
from envgen.system.seal import SEAL
from envgen.system.store import Store, StoreKind, store_root
from envgen.system.store_trust import MARK
from tests.unit.system.nobody import as_nobody

if TYPE_CHECKING:
    from multiprocessing.synchronize import Barrier

DATA = b"some wheel"
SHA = Sha256.of(DATA)
NOW = dt.datetime(2030, 1, 31, tzinfo=dt.UTC)
KEY = "numpy-2.1.0-py311_h1234abcd_0-0123456789abcdef"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def names(store: Store) -> list[str]:
    """List the files and links of a store but its locks, its mark and the seals of packages."""
    every = (path for path in store.root.rglob("*") if not path.is_dir() or path.is_symlink())
    found = sorted(str(path.relative_to(store.root)) for path in every)
    return [name for name in found if not name.startswith("locks/") and name != MARK and not name.endswith(SEAL)]


def add_artifact(store: Store, data: bytes = DATA) -> Path:
    with store.new_artifact(Sha256.of(data)) as out:
        out.write(data)
    found = store.artifact(Sha256.of(data))
    assert found
    return found


def add_package(store: Store, key: str = KEY, data: bytes = b"12345") -> Path:
    with store.new_package(key) as folder:
        (folder / "lib").mkdir()
        (folder / "lib/file").write_bytes(data)
    found = store.package(key)
    assert found
    return found


def age(path: Path, days: int) -> None:
    then = (NOW - dt.timedelta(days=days)).timestamp()
    os.utime(path, (then, then))


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, "/home/me/.cache/envgen"),
        ({"XDG_CACHE_HOME": "/var/cache/me"}, "/var/cache/me/envgen"),
        ({"XDG_CACHE_HOME": "relative"}, "/home/me/.cache/envgen"),
        ({"XDG_CACHE_HOME": "/var/cache/me", "ENVGEN_CACHE": "/big"}, "/big"),
    ],
)
def test_where_the_store_is(environment: dict[str, str], expected: str) -> None:
    assert store_root(environment, Path("/home/me")) == Path(expected)


class TestArtifacts:
    def test_are_named_by_their_digest_and_read_only(self, store: Store) -> None:
        assert store.artifact(SHA) is None
        path = add_artifact(store)
        assert path == store.root / "artifacts" / SHA[:2] / SHA
        assert path.read_bytes() == DATA
        assert stat.S_IMODE(path.stat().st_mode) == 0o444

    def test_with_other_bytes_are_refused_and_leave_nothing(self, store: Store) -> None:
        with pytest.raises(DigestMismatchError) as caught, store.new_artifact(SHA) as out:
            out.write(b"other bytes")
        assert (caught.value.expected, caught.value.got) == (SHA, Sha256.of(b"other bytes"))
        assert names(store) == []

    def test_half_written_leave_nothing(self, store: Store) -> None:
        def fetch(out: BinaryIO) -> None:
            out.write(DATA[:3])
            raise KeyError(SHA)

        with pytest.raises(KeyError):
            store.ensure_artifact(SHA, fetch)
        assert names(store) == []

    def test_are_made_once(self, store: Store) -> None:
        calls: list[int] = []

        def fetch(out: BinaryIO) -> None:
            calls.append(out.write(DATA))

        assert store.ensure_artifact(SHA, fetch) == store.ensure_artifact(SHA, fetch) == store.artifact(SHA)
        assert calls == [len(DATA)]

    def test_written_twice_at_once_are_harmless(self, store: Store) -> None:
        with store.new_artifact(SHA) as first, store.new_artifact(SHA) as second:
            first.write(DATA)
            second.write(DATA)
        assert add_artifact(store).read_bytes() == DATA
        assert len(names(store)) == 1

    def test_on_a_full_disk(self, store: Store) -> None:
        with pytest.raises(UserError, match="no space left on the disk") as caught, store.new_artifact(SHA):
            raise OSError(errno.ENOSPC, "No space left on device")
        assert str(store.root) in str(caught.value)
        assert names(store) == []

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
    def test_of_a_device_that_is_full(self, store: Store) -> None:
        with (
            pytest.raises(UserError, match="no space left"),
            store.new_artifact(SHA),
            Path("/dev/full").open("wb") as f,
        ):
            f.write(DATA)


class TestPackages:
    def test_are_folders(self, store: Store) -> None:
        assert store.package(KEY) is None
        path = add_package(store)
        assert path == store.root / "packages" / KEY
        assert (path / "lib/file").read_bytes() == b"12345"
        assert stat.S_IMODE(path.stat().st_mode) == 0o755

    def test_the_first_stays(self, store: Store) -> None:
        add_package(store, data=b"first")
        assert (add_package(store, data=b"second") / "lib/file").read_bytes() == b"first"
        assert names(store) == [f"packages/{KEY}/lib/file"]

    def test_half_made_leave_nothing(self, store: Store) -> None:
        def make(folder: Path) -> None:
            (folder / "file").touch()
            raise KeyError(KEY)

        with pytest.raises(KeyError):
            store.ensure_package(KEY, make)
        assert store.package(KEY) is None
        assert names(store) == []

    def test_are_made_once_by_many_threads(self, store: Store) -> None:
        calls: list[Path] = []
        threads = [threading.Thread(target=store.ensure_package, args=(KEY, calls.append)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert len(calls) == 1

    @pytest.mark.parametrize("key", ["", "../x", "a/b", ".hidden", "a" * 300, "a\n"])
    def test_bad_keys(self, store: Store, key: str) -> None:
        with pytest.raises(ValueError, match="not a store key"):
            store.package(key)


def make_in_process(root: Path, barrier: Barrier, log: Path) -> None:
    def make(folder: Path) -> None:
        with log.open("a") as out:
            out.write("made\n")
        (folder / "file").write_bytes(b"x" * 1000)

    barrier.wait(20)
    store = Store(root)
    assert (store.ensure_package(KEY, make) / "file").read_bytes() == b"x" * 1000
    with store.new_artifact(SHA) as out:
        out.write(DATA)


def test_processes_at_once_make_a_package_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(3)
    arguments = (tmp_path / "store", barrier, tmp_path / "log")
    processes = [context.Process(target=make_in_process, args=arguments) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(40)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert (tmp_path / "log").read_text() == "made\n"
    assert names(Store(tmp_path / "store")) == [f"artifacts/{SHA[:2]}/{SHA}", f"packages/{KEY}/file"]


def test_a_package_that_was_edited_is_made_again(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")

    def make(folder: Path) -> None:
        (folder / "info").mkdir()
        (folder / "code.py").write_text("x = 1")
        os.utime(folder / "code.py", (4e9, 4e9))  # as an archive may say

    package = store.ensure_package(KEY, make)
    assert not store.altered(KEY)
    os.link(package / "code.py", tmp_path / "environment.py")
    assert store.ensure_package(KEY, lambda _: pytest.fail("it is there")) == package
    (tmp_path / "environment.py").write_text("x = 2")
    os.utime(tmp_path / "environment.py", (5e9, 5e9))
    assert store.altered(KEY)
    assert (store.ensure_package(KEY, make) / "code.py").read_text() == "x = 1"
    assert (tmp_path / "environment.py").read_text() == "x = 2"
    assert not store.altered(KEY)
    assert not store.altered("never-made-1-0")


class TestFacts:
    def test_are_kept(self, store: Store) -> None:
        assert store.cached("metadata", SHA) is None
        store.put("metadata", SHA, b"Name: x")
        assert store.cached("metadata", SHA) == b"Name: x"
        assert names(store) == [f"cache/metadata/{SHA[:2]}/{SHA}"]

    @pytest.mark.parametrize("damage", [b"", b"\0" * 39, b"short"])
    def test_that_are_spoilt_are_not_there(self, store: Store, damage: bytes) -> None:
        store.put("metadata", SHA, b"Name: x")
        (store.root / names(store)[0]).write_bytes(damage)
        assert store.cached("metadata", SHA) is None

    @pytest.mark.parametrize(("kind", "key"), [("..", "x"), ("metadata", "../../x"), ("a/b", "x")])
    def test_bad_keys(self, store: Store, kind: str, key: str) -> None:
        with pytest.raises(ValueError, match="not a store key"):
            store.put(kind, key, b"")


def test_views_go(store: Store) -> None:
    add_package(store)
    with store.view() as view:
        (view / "link").symlink_to(store.root / "packages" / KEY)
        assert view.parent == store.root / "views"
    assert names(store) == [f"packages/{KEY}/lib/file"]


def test_a_view_that_something_still_writes_to_hides_no_fault(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next run that has the store for itself removes it."""

    def refuse(path: Path) -> None:
        raise OSError(errno.ENOTEMPTY, "Directory not empty", str(path))

    def fail() -> None:
        with store.view() as view:
            (view / "link").touch()
            raise HostError("failed to link packages")

    with monkeypatch.context() as patch:
        patch.setattr("envgen.system.store.remove_tree", refuse)
        with pytest.raises(HostError, match="failed to link"):
            fail()
    assert [Path(name).name for name in names(store)] == ["link"]
    store.sweep()
    assert names(store) == []


class TestClean:
    def test_by_kind(self, store: Store) -> None:
        add_artifact(store)
        add_package(store)
        store.put("metadata", SHA, b"Name: x")
        cleaned = store.clean(kinds=[StoreKind.ARTIFACTS, StoreKind.CACHE], older_than=None, now=NOW)
        assert cleaned.entries == {StoreKind.ARTIFACTS: 1, StoreKind.CACHE: 1}
        assert cleaned.freed == len(DATA) + 32 + 7
        assert names(store) == [f"packages/{KEY}/lib/file"]

    def test_by_last_use(self, store: Store) -> None:
        age(add_artifact(store, b"old"), days=31)
        age(add_artifact(store, b"older, but used"), days=400)
        store.artifact(Sha256.of(b"older, but used"))
        age(add_package(store), days=31)
        age(add_package(store, "new-1-0"), days=29)
        cleaned = store.clean(kinds=list(StoreKind), older_than=dt.timedelta(days=30), now=NOW)
        assert (cleaned.entries[StoreKind.ARTIFACTS], cleaned.entries[StoreKind.PACKAGES]) == (2, 1)
        assert names(store) == ["packages/new-1-0/lib/file"]

    def test_leftovers_of_the_dead_are_swept_away(self, store: Store) -> None:
        add_artifact(store), add_package(store)
        whole = names(store)
        for name in (f"packages/{TEMPORARY}c", "views/d"):
            (store.root / name / "folder").mkdir(parents=True)
        (store.root / f"artifacts/{SHA[:2]}/{TEMPORARY}a").touch()
        with store.in_use():
            store.sweep()
            assert (store.root / "views/d").is_dir(), "whoever uses the store may be at work there"
        store.sweep()
        assert names(store) == whole

    def test_leftovers_of_the_dead(self, store: Store) -> None:
        add_artifact(store)
        (add_package(store) / f"{TEMPORARY}e").touch()
        leftovers = [f"artifacts/{SHA[:2]}/{TEMPORARY}a", f"cache/metadata/ab/{TEMPORARY}b"]
        for name in leftovers:
            (store.root / name).parent.mkdir(parents=True, exist_ok=True)
            (store.root / name).write_bytes(b"123")
        for name in (f"packages/{TEMPORARY}c", "views/d"):
            (store.root / name / "deep").mkdir(parents=True)
            (store.root / name / "deep/file").write_bytes(b"123")
        assert {usage.kind: usage.entries for usage in store.usage()} == {
            StoreKind.ARTIFACTS: 1,
            StoreKind.PACKAGES: 1,
            StoreKind.BLOBS: 0,
            StoreKind.CACHE: 0,
            StoreKind.REPODATA: 0,
            StoreKind.CHANNEL: 0,
            StoreKind.TEMPORARY: 4,
        }
        cleaned = store.clean(kinds=[StoreKind.TEMPORARY], older_than=dt.timedelta(days=30), now=NOW)
        assert cleaned.freed == 12
        assert names(store) == [
            f"artifacts/{SHA[:2]}/{SHA}",
            f"packages/{KEY}/{TEMPORARY}e",
            f"packages/{KEY}/lib/file",
        ]

    def test_does_not_count_what_environments_hold(self, store: Store, tmp_path: Path) -> None:
        package = add_package(store)
        (package / "lib/other").write_bytes(b"123")
        (tmp_path / "prefix").hardlink_to(package / "lib/file")
        usage = {usage.kind: usage for usage in store.usage()}[StoreKind.PACKAGES]
        seal = (package / SEAL).stat().st_size
        assert (usage.entries, usage.size, usage.shared) == (1, 8 + seal, 5)
        assert store.clean(kinds=[StoreKind.PACKAGES], older_than=None, now=NOW).freed == 3 + seal
        assert (tmp_path / "prefix").read_bytes() == b"12345"

    def test_waits_for_nobody_and_disturbs_nobody(self, store: Store) -> None:
        add_artifact(store)
        with store.in_use(), pytest.raises(UserError, match="another process"):
            store.clean(kinds=list(StoreKind), older_than=None, now=NOW)
        assert store.artifact(SHA)

    def test_nothing(self, store: Store) -> None:
        assert store.clean(kinds=list(StoreKind), older_than=None, now=NOW).freed == 0
        assert not store.root.exists()
        assert sum(usage.size for usage in store.usage()) == 0

    def test_removes_locks_of_single_things(self, store: Store) -> None:
        store.ensure_package(KEY, lambda _: None)
        store.clean(kinds=[], older_than=None, now=NOW)
        assert [path.name for path in (store.root / "locks").iterdir()] == ["store"]


class TestOtherUsers:
    def test_use_stores_of_their_own(self, shared_folder: Path) -> None:
        def work() -> None:
            store = Store(shared_folder / "store")
            add_artifact(store)
            size = 5 + (add_package(store) / SEAL).stat().st_size
            assert len(store.usage()) == len(StoreKind)
            assert store.clean(kinds=list(StoreKind), older_than=None, now=NOW).freed == len(DATA) + size

        as_nobody(work)

    def test_do_not_share_them(self, shared_folder: Path) -> None:
        as_nobody((shared_folder / "store").mkdir)
        with pytest.raises(UserError, match="belongs to user 65534") as caught:
            Store(shared_folder / "store")
        assert "ENVGEN_CACHE" in str(caught.value.hint)

    def test_are_told_what_they_may_not_write(self, shared_folder: Path) -> None:
        def work() -> None:
            store = Store(shared_folder / "store")
            add_artifact(store)
            for path in (store.root / "artifacts", store.root):
                path.chmod(0o555)
            assert store.artifact(SHA)
            with pytest.raises(UserError, match=r"failed to write `.*store/cache`: Permission denied"):
                store.put("metadata", SHA, b"")

        as_nobody(work)

    def test_cannot_make_one_in_a_foreign_folder(self, shared_folder: Path) -> None:
        foreign = shared_folder / "foreign"
        foreign.mkdir(mode=0o755)

        def work() -> None:
            with pytest.raises(UserError, match="failed to write"):
                add_artifact(Store(foreign / "store"))

        as_nobody(work)

    def test_a_file_is_no_store(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(UserError, match="not a folder"):
            Store(tmp_path / "file")
