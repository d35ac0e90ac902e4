"""What the machine refuses, as errors for people: a full disk, a limit of the process, a disk that fails.

None of it is a fault of envgen, and each can come at any line that opens, writes or starts something.
"""

from __future__ import annotations

import errno
import os
import re
import resource
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from envgen.errors import HostError, UserError

if TYPE_CHECKING:
    from collections.abc import Iterator

_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})
NOT_ALLOWED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
"""What writing ends in where one may not."""

_NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS})
_NO_HANDLES = frozenset({errno.EMFILE, errno.ENFILE})
_NO_MORE_TASKS = frozenset({errno.EAGAIN, errno.ENOMEM})
_BROKEN_DISK = frozenset({errno.EIO, errno.ESTALE, errno.EUCLEAN, errno.ENXIO, errno.ENODEV, errno.EREMOTEIO})
_BAD_PATH = frozenset({errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.EINVAL, errno.EILSEQ})
"""What a path that the file system cannot have, or has as something else, ends in."""

_NO_THREAD = "can't start new thread"
"""The RuntimeError of `threading`, which says nothing else."""

_NOT_LOADED = ("failed to map segment", "annot allocate memory")
"""What the loader says of a library that there is no memory for."""

_NO_MEMORY_FOR_RUST = "Allocation error : not enough memory"
"""What zstd says in exceptions of rattler."""

_RUST = re.compile(r"\(os error (\d+)\)|\bOs \{ code: (\d+)")
"""How libraries in Rust write what the system said, and how panics do; their exceptions have no number."""


_ADDRESSES = 400 << 20
"""Bytes of address space below which libraries in Rust may abort the process: `lock` does so with 200 MB."""


def tight_memory() -> str | None:
    """Return in words that this process may have too little memory to say so when it runs out; None where not."""
    most = resource.getrlimit(resource.RLIMIT_AS)[0]
    if most == resource.RLIM_INFINITY or most >= _ADDRESSES:
        return None
    return (
        f"this process may use {most >> 20} MB of memory (`ulimit -v`): below {_ADDRESSES >> 20} MB it may end without"
        " an explanation"
    )


def os_fault(error: OSError, path: Path) -> UserError | None:
    """Return as an error what the file system refused below `path`; None where the error is not of that kind."""
    if error.errno in _NO_SPACE:
        return UserError(
            f"no space left on the disk of `{path}`", hint="free some space, for example with `envgen clean`"
        )
    if error.errno in _NO_LOCKS:
        return UserError(
            f"the file system of `{path}` does not support file locks ({error.strerror})", hint="use a local disk"
        )
    where = Path(_text(error.filename)) if error.filename else path
    if error.errno in NOT_ALLOWED and where.is_relative_to(path):
        return UserError(
            f"failed to write `{where}`: {error.strerror}", hint=f"make `{path}` writable, or use another folder"
        )
    return _limit(error, path) or _broken(error, where)


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Raise a `UserError` that names `path` for what the file system or a limit refuses inside the block."""
    try:
        yield
    except OSError as error:
        if fault := os_fault(error, path):
            raise fault from error
        raise


def told_by_rust(error: BaseException) -> OSError | None:
    """Return what the system said to a library in Rust, read from the text of its exception; None where it did not."""
    found = _RUST.search(str(error))
    number = int(found[1] or found[2]) if found else None
    return None if number is None else OSError(number, os.strerror(number))


def refusal(error: BaseException) -> UserError | None:
    """Return as an error for people what the machine refused, at any place; None for another error."""
    match error:
        case _ if _is_of_memory(error):
            return _no_memory()
        case RuntimeError() if str(error) == _NO_THREAD:
            return _no_tasks()
        case OSError(filename=None):
            return _unnamed(error if error.errno else told_by_rust(error) or error)
        case OSError():
            return _refused_path(error, Path(_text(error.filename)))
        case _ if not isinstance(error, Exception) and (told := told_by_rust(error)):
            return _unnamed(told)  # a panic
    return None


def _refused_path(error: OSError, path: Path) -> UserError | None:
    if error.errno in NOT_ALLOWED:
        return HostError(f"no access to `{path}`: {error.strerror}", hint=f"check who may read and write `{path}`")
    if error.errno in _BAD_PATH or (error.errno == errno.ENOENT and _takes_no_files(path.parent)):
        return HostError(f"failed to use the path `{path}`: {error.strerror}")
    return _no_tasks() if error.errno in _NO_MORE_TASKS else os_fault(error, path)


def _takes_no_files(folder: Path) -> bool:
    """Return whether a folder is one of the kernel's, such as `/proc`: these have no blocks, and take no new files."""
    return folder.is_dir() and os.statvfs(folder).f_blocks == 0


def _is_of_memory(error: BaseException) -> bool:
    """Return whether memory ran out, in whatever words a library has for it."""
    match error:
        case MemoryError():
            return True
        case ImportError():
            return any(said in str(error) for said in _NOT_LOADED)
        case SystemError():  # CPython's own mistake where an allocation fails inside an import
            return resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY
    return _NO_MEMORY_FOR_RUST in str(error)


def _unnamed(error: OSError) -> UserError | None:
    """Return what stopped a call that names no file, such as a write or the start of a process."""
    if limit := _limit(error, None):
        return limit
    if error.errno in _NO_MORE_TASKS:
        return _no_tasks()
    if error.errno in _NO_SPACE | _BROKEN_DISK:
        return HostError(
            f"failed to read or write a file: {error.strerror}", hint="check the disks of this machine with `df`"
        )
    return None


def _limit(error: OSError, path: Path | None) -> HostError | None:
    """Name the limit of the process that stopped it."""
    if error.errno in _NO_HANDLES:
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        return HostError(
            f"too many open files: this process may open {most}", hint="`ulimit -n 1024`, then run the command again"
        )
    if error.errno == errno.EFBIG:
        what = f"a file below `{path}`" if path else "a file"
        return HostError(
            f"failed to write {what}: it is larger than the file size limit of this process",
            hint="`ulimit -f unlimited`, then run the command again; the limit may also be that of the file system",
        )
    return None


def _broken(error: OSError, where: Path) -> HostError | None:
    if error.errno not in _BROKEN_DISK:
        return None
    what = f"the disk or file system of `{where}` failed: {error.strerror}"
    return HostError(what, hint="check the disk and the kernel's log, or use a folder on another disk")


def _no_memory() -> HostError:
    return HostError(
        "out of memory", hint="free memory, or raise the limits of this process (`ulimit -v`, `ulimit -d`)"
    )


def _no_tasks() -> HostError:
    return HostError(
        "this process may not start another thread or process",
        hint="raise its limits: `ulimit -u` and `ulimit -v`, in a container `--pids-limit` and `--memory`",
    )


def _text(name: object) -> str:
    """Return a file name as text; the system gives bytes where it was asked with bytes, and a handle as a number."""
    return name.decode(errors="surrogateescape") if isinstance(name, bytes) else str(name)
