"""Files that appear whole or not at all, locks between processes, and trees that go away even when read-only."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import stat
import tempfile
import time
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING

from envgen.digest import Digest, Sha256
from envgen.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from _typeshed import ReadableBuffer

TEMPORARY = ".tmp-"
"""Start of every name that is not yet real; a file with it may be removed when nobody holds a lock on it."""

_LOCK_POLL = 0.05
"""Seconds between two tries for a lock."""

_SYNCS = 16
"""Files to sync at once."""


def is_special(path: Path) -> bool:
    """Return whether a path leads to a device, a pipe or a socket."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def atomic_write(path: Path, data: bytes | str, *, mode: int = 0o644, sync: bool = True) -> None:
    """Write a small file so that others see the old one or the new one, never half of it; text becomes UTF-8.

    Args:
        path: the file; folders above are made.
        data: all of it.
        mode: of the file, whatever the umask.
        sync: wait until the disk has it, and its name. Without, a power failure can leave a file of the right name
            and wrong bytes.
    """
    with atomic_path(path, mode=mode, sync=sync) as temporary:
        temporary.write_bytes(data.encode() if isinstance(data, str) else data)


def write_anew(path: str, data: bytes, *, mode: int) -> None:
    """Write a file in place of what is there, which keeps its bytes where it has other names.

    Nothing is atomic, so that it takes half the time: for files that are made again if the process is killed.

    Args:
        path: the file, in a folder that is there.
        data: all of it.
        mode: of the file, whatever the umask.
    """
    with suppress(FileNotFoundError):
        os.unlink(path)  # noqa: PTH108  thousands of them
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as out:  # noqa: PTH123
        os.fchmod(out.fileno(), mode)
        out.write(data)


@contextmanager
def atomic_path(path: Path, *, mode: int = 0o644, sync: bool = True) -> Iterator[Path]:
    """Yield an empty sibling of `path` to write to; it takes `path`'s name when the block ends well.

    Folders above are made. The mode does not depend on the umask.

    Raises:
        UserError: a device or a pipe has that name, which the file would replace.
    """
    if is_special(path):
        raise UserError(f"`{path}` is not a regular file", hint="choose another path for the output")
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=TEMPORARY, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(mode)
        if sync:
            _sync(temporary)
        temporary.replace(path)
        if sync:
            _sync_folder(path.parent)
    except OSError as error:
        if error.filename is None:  # a write that fails names no file
            error.filename = str(path)
        raise
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_dir(path: Path) -> Iterator[Path]:
    """Yield an empty sibling folder; it takes `path`'s name when the block ends well.

    Where `path` is there by then, somebody else was faster and ours is dropped.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=TEMPORARY, dir=path.parent))
    try:
        yield temporary
        temporary.chmod(0o755)
        _take_name(temporary, path)
    finally:
        if temporary.exists():
            remove_tree(temporary)


def _take_name(temporary: Path, path: Path) -> None:
    if path.exists():  # rename(2) would replace an empty folder
        return
    try:
        temporary.rename(path)
    except OSError as error:
        if error.errno not in {errno.EEXIST, errno.ENOTEMPTY}:
            raise


def sync_files(paths: Iterable[Path]) -> None:
    """Wait until the disk has some files of one folder, and their names; side by side, so that it is asked once."""
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415  takes 20 ms to import, and few verbs need it

    every = [path for path in paths if path.is_file()]
    with ThreadPoolExecutor(_SYNCS) as pool:
        list(pool.map(_sync, every))
    for folder in {path.parent for path in every}:
        _sync_folder(folder)


def _sync_folder(folder: Path) -> None:
    with suppress(OSError):  # some network file systems sync no folders
        _sync(folder)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def file_lock(
    path: Path, *, timeout: float, shared: bool = False, sleep: Callable[[float], None] = time.sleep
) -> Iterator[None]:
    """Acquire a lock between processes (and threads) on `path`, an empty file that is made and left there.

    The kernel drops it when the holder dies, however that happens.

    Args:
        path: the file; its folder is made.
        timeout: seconds to wait for another holder; 0 tries once.
        shared: others may hold it too, if they also share.
        sleep: waits that many seconds.

    Raises:
        UserError: somebody else holds it for longer than `timeout`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    handle = _acquire(path, kind, tries=1 + int(timeout / _LOCK_POLL), sleep=sleep)
    try:
        yield
    finally:
        os.close(handle)


def _acquire(path: Path, kind: int, *, tries: int, sleep: Callable[[float], None]) -> int:
    for attempt in range(tries):
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(handle, kind | fcntl.LOCK_NB)
            if _is_at(handle, path):
                return handle
        except BlockingIOError:
            if attempt + 1 < tries:
                sleep(_LOCK_POLL)
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)
    raise UserError(
        f"another process has locked `{path}`", hint="wait until the other envgen has finished, then try again"
    )


def _is_at(handle: int, path: Path) -> bool:
    """Return whether the open file still has its name: cleaning removes lock files while holding them."""
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


def free_space(path: Path) -> int:
    """Return the bytes that this user may still write on the disk of a path, which need not be there yet."""
    nearest = next(folder for folder in (path, *path.parents) if folder.exists())
    return shutil.disk_usage(nearest).free


def remove_tree(path: Path) -> None:
    """Remove a folder with all in it, read-only folders too; a link or file of that name is removed as such.

    A path that is not there is fine, also one that somebody else removes meanwhile.
    """
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
        return
    try:
        shutil.rmtree(path)
    except FileNotFoundError:
        remove_tree(path)
    except PermissionError:
        _open_folders(path)
        shutil.rmtree(path)


def _open_folders(path: Path) -> None:
    path.chmod(0o700)
    for folder, names, _ in os.walk(path):
        for name in names:
            child = Path(folder, name)
            if not child.is_symlink():
                child.chmod(0o700)


def tree_files(path: Path) -> Iterator[os.stat_result]:
    """Yield the status of each regular file at or below `path`, links not followed, in no order.

    Packages have tens of thousands of files, so that no `Path` is made of any.
    """
    try:
        status = path.lstat()
    except FileNotFoundError:
        return
    if stat.S_ISREG(status.st_mode):
        yield status
    folders = [str(path)] if stat.S_ISDIR(status.st_mode) else []
    while folders:
        try:
            entries = list(os.scandir(folders.pop()))
        except FileNotFoundError:  # gone since it was listed
            continue
        folders += [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
        for entry in entries:
            if entry.is_file(follow_symlinks=False):
                with suppress(FileNotFoundError):
                    yield entry.stat(follow_symlinks=False)


class HashedFile(FileIO):
    """A new file that digests what is written to it, at no second reading as long as one only appends.

    Emptying it (`seek(0)`, `truncate()`) starts again. Unbuffered: write large pieces.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, "w+")
        self._digest = Digest()
        self._hashed: int | None = 0

    def write(self, data: ReadableBuffer) -> int:
        """Write all of `data`, however many calls of the system that takes."""
        view = memoryview(data).cast("B")
        if self._hashed is not None:
            appends = self.tell() == self._hashed
            self._hashed = self._hashed + len(view) if appends else None
            self._digest.update(view)
        done = 0
        while done < len(view):
            done += super().write(view[done:])
        return done

    def truncate(self, size: int | None = None) -> int:
        """Cut the file; at zero the digest starts again."""
        length = super().truncate(size)
        if length == 0:
            self._digest, self._hashed = Digest(), 0
        elif self._hashed != length:
            self._hashed = None
        return length

    def sha256(self) -> Sha256:
        """Digest what the file holds; reads it again if it was not written front to back."""
        if self._hashed is None:
            here = self.seek(0, os.SEEK_CUR)
            self.seek(0)
            found = Sha256.of_stream(self)
            self.seek(here)
            return found
        return self._digest.sha256


def folds_case(path: Path) -> bool:
    """Return whether the file system takes names that differ by case only for one, where `path` is or would be made.

    It is asked by the names that are there: nothing is written. Where none has a letter it is taken to tell them apart.
    """
    folder = next((folder for folder in (path, *path.parents) if folder.is_dir()), Path("/"))
    try:
        with os.scandir(folder) as entries:
            name = next((entry.name for entry in entries if entry.name.swapcase() != entry.name), None)
        return name is not None and (folder / name.swapcase()).samefile(folder / name)
    except OSError:
        return False
