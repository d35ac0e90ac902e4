from __future__ import annotations

import fcntl
import multiprocessing
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from envgen.digest import Sha256
from envgen.errors import UserError
from envgen.system import fs
from envgen.system.fs import folds_case
from tests.unit.system.nobody import NOBODY, as_nobody

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(params=[0o022, 0o077, 0o000])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    old = os.umask(request.param)
    yield request.param
    os.umask(old)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.usefixtures("umask")
def test_modes_do_not_depend_on_the_umask(tmp_path: Path) -> None:
    fs.atomic_write(tmp_path / "a", "text")
    fs.atomic_write(tmp_path / "b", b"\0", mode=0o444, sync=False)
    with fs.atomic_dir(tmp_path / "c"):
        pass
    assert [mode(tmp_path / name) for name in "abc"] == [0o644, 0o444, 0o755]
    assert (tmp_path / "a").read_text() == "text"
    assert (tmp_path / "b").read_bytes() == b"\0"


def test_folders_above_are_made(tmp_path: Path) -> None:
    fs.atomic_write(tmp_path / "x/y/z", "é")
    assert (tmp_path / "x/y/z").read_bytes() == "é".encode()


def write_and_fail(path: Path) -> None:
    with fs.atomic_path(path) as temporary:
        temporary.write_text("new")
        raise KeyError(path)


def fill_and_fail(path: Path) -> None:
    with fs.atomic_dir(path) as temporary:
        (temporary / "half").touch()
        raise KeyError(path)


def test_other_names_of_a_file_keep_its_bytes(tmp_path: Path) -> None:
    path, other = tmp_path / "a", tmp_path / "b"
    for data in (b"old", b"new"):
        fs.write_anew(str(path), data, mode=0o666)
        if not other.exists():
            other.hardlink_to(path)
    assert (path.read_bytes(), other.read_bytes()) == (b"new", b"old")
    assert stat.S_IMODE(path.stat().st_mode) == 0o666


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file"
    fs.atomic_write(path, "old")
    with pytest.raises(KeyError):
        write_and_fail(path)
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
    assert path.read_text() == "old"


def test_a_temporary_file_is_a_sibling_and_bears_the_mark(tmp_path: Path) -> None:
    with fs.atomic_path(tmp_path / "file") as temporary:
        assert temporary.parent == tmp_path
        assert temporary.name.startswith(fs.TEMPORARY)


def test_a_failed_folder_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        fill_and_fail(tmp_path / "folder")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("theirs", [[], ["theirs"]])
def test_who_comes_second_drops_his_folder(tmp_path: Path, theirs: list[str]) -> None:
    path = tmp_path / "folder"
    with fs.atomic_dir(path) as temporary:
        (temporary / "ours").touch()
        path.mkdir()
        for name in theirs:
            (path / name).touch()
    assert [p.name for p in path.iterdir()] == theirs
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]


def test_who_loses_the_race_for_a_name_drops_his_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "folder"
    path.mkdir()
    (path / "theirs").touch()
    monkeypatch.setattr(Path, "exists", lambda self: self != path and os.path.lexists(self))
    with fs.atomic_dir(path) as temporary:
        (temporary / "ours").touch()
    assert [p.name for p in path.iterdir()] == ["theirs"]
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Collect what is synced, by the names that it has at that moment."""
    found: list[Path] = []
    real = os.fsync

    def fsync(handle: int) -> None:
        found.append(Path(f"/proc/self/fd/{handle}").readlink())
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    return found


def test_what_is_written_is_on_the_disk_before_its_name_is(tmp_path: Path, synced: list[Path]) -> None:
    fs.atomic_write(tmp_path / "a", "text")
    assert [path.name.startswith(fs.TEMPORARY) for path in synced] == [True, False]
    assert synced[1] == tmp_path
    synced.clear()
    fs.atomic_write(tmp_path / "b", "text", sync=False)
    assert synced == []


def test_files_are_synced_with_their_folder(tmp_path: Path, synced: list[Path]) -> None:
    files = [tmp_path / str(number) for number in range(20)]
    for file in files:
        file.touch()
    fs.sync_files([*files, tmp_path / "gone"])
    assert sorted(synced[:-1]) == sorted(files)
    assert synced[-1] == tmp_path


def hold(path: str, *, shared: bool, ready: multiprocessing.synchronize.Event) -> None:
    with fs.file_lock(Path(path), timeout=5, shared=shared):
        ready.set()
        multiprocessing.Event().wait(30)


@pytest.mark.parametrize(
    ("theirs", "ours", "gets"), [(False, False, False), (False, True, False), (True, False, False), (True, True, True)]
)
def test_locks_hold_between_processes_until_the_holder_dies(
    tmp_path: Path, *, theirs: bool, ours: bool, gets: bool
) -> None:
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    path = tmp_path / "locks/lock"
    process = context.Process(target=hold, args=(str(path),), kwargs={"shared": theirs, "ready": ready}, daemon=True)
    process.start()
    try:
        assert ready.wait(20)
        if gets:
            with fs.file_lock(path, timeout=0, shared=ours):
                pass
        else:
            with (
                pytest.raises(UserError, match="another process has locked"),
                fs.file_lock(path, timeout=0, shared=ours),
            ):
                pass
    finally:
        process.kill()
        process.join(10)
    with fs.file_lock(path, timeout=5):
        pass


def test_a_lock_is_tried_for_until_time_is_up(tmp_path: Path) -> None:
    waits: list[float] = []
    path = tmp_path / "lock"
    with (
        fs.file_lock(path, timeout=0),
        pytest.raises(UserError),
        fs.file_lock(path, timeout=1, sleep=waits.append),
    ):
        pass
    assert sum(waits) == pytest.approx(1)


def test_a_lock_file_that_was_removed_meanwhile_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "lock"
    flock, removals = fcntl.flock, iter([True, False])

    def remove_first(handle: int, operation: int) -> None:
        flock(handle, operation)
        if next(removals):
            path.unlink()

    monkeypatch.setattr("fcntl.flock", remove_first)
    with fs.file_lock(path, timeout=1):
        assert path.exists()


def test_read_only_trees_go_away(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "a/b").mkdir(parents=True)
    (tree / "a/b/file").touch(mode=0o444)
    (tree / "link").symlink_to(tmp_path)
    (tree / "a/b").chmod(0o555)
    (tree / "a").chmod(0o500)
    fs.remove_tree(tree)
    assert list(tmp_path.iterdir()) == []


def test_read_only_trees_go_away_for_others_than_root(shared_folder: Path) -> None:
    tree = shared_folder / "tree"
    (tree / "a/b").mkdir(parents=True)
    (tree / "a/b/file").touch()
    (tree / "a/c").mkdir()
    for path in (tree / "a/b/file", tree / "a/b", tree / "a/c", tree / "a", tree):
        os.chown(path, *NOBODY)
    for path in (tree / "a/b", tree / "a/c", tree / "a"):
        path.chmod(0o000)
    as_nobody(lambda: fs.remove_tree(tree))
    assert not tree.exists()


def test_a_link_goes_not_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    (tmp_path / "link").symlink_to("target")
    fs.remove_tree(tmp_path / "link")
    fs.remove_tree(tmp_path / "not there")
    assert [p.name for p in tmp_path.iterdir()] == ["target"]


def test_every_name_of_a_file_is_listed_and_no_link_followed(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/one").write_bytes(b"12345")
    (tmp_path / "a/two").hardlink_to(tmp_path / "a/one")
    (tmp_path / "a/up").symlink_to("..")
    (tmp_path / "three").write_bytes(b"123")
    assert sorted((status.st_size, status.st_nlink) for status in fs.tree_files(tmp_path)) == [(3, 1), (5, 2), (5, 2)]
    assert [status.st_size for status in fs.tree_files(tmp_path / "three")] == [3]
    assert list(fs.tree_files(tmp_path / "not there")) == []


class TestHashedFile:
    def test_appending(self, tmp_path: Path) -> None:
        with fs.HashedFile(tmp_path / "file") as out:
            assert out.write(b"abc") == 3
            out.write(memoryview(b"def"))
            assert out.sha256() == Sha256.of(b"abcdef")

    def test_starting_again(self, tmp_path: Path) -> None:
        with fs.HashedFile(tmp_path / "file") as out:
            out.write(b"wrong")
            out.seek(0)
            out.truncate()
            out.write(b"right")
            assert out.sha256() == Sha256.of(b"right")

    @pytest.mark.parametrize(("at", "cut", "expected"), [(0, None, b"XYcdef"), (4, None, b"abcdXY"), (3, 3, b"abcXY")])
    def test_writing_out_of_order(self, tmp_path: Path, at: int, cut: int | None, expected: bytes) -> None:
        with fs.HashedFile(tmp_path / "file") as out:
            out.write(b"abcdef")
            if cut is not None:
                out.truncate(cut)
            out.seek(at)
            out.write(b"XY")
            assert out.sha256() == Sha256.of(expected)
            assert out.tell() == at + 2
        assert (tmp_path / "file").read_bytes() == expected


def test_a_file_system_tells_case_apart(tmp_path: Path) -> None:
    """The other answer needs such a file system: there, `tests/functional` passes below `--basetemp` on it."""
    (tmp_path / "Name").touch()
    assert not folds_case(tmp_path)
    assert not folds_case(tmp_path / "not/yet/there")
