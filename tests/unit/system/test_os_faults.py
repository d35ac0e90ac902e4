"""What the machine refuses, in words: which error, which path, and what to do."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from envgen.errors import UserError
from envgen.system.os_faults import explained, refusal


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "no space left"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "no space left"),
        (OSError(errno.ENOLCK, "No locks available"), "the file system of `/cache` does not support file locks"),
        (
            PermissionError(errno.EACCES, "Permission denied", "/cache/a/b"),
            "failed to write `/cache/a/b`: Permission denied",
        ),
        (OSError(errno.EROFS, "Read-only file system"), "failed to write `/cache`: Read-only file system"),
    ],
)
def test_refusals_of_the_file_system_are_told(error: OSError, said: str) -> None:
    with pytest.raises(UserError, match=said) as caught, explained(Path("/cache")):
        raise error
    assert caught.value.hint
    assert "/cache" in str(caught.value)


@pytest.mark.parametrize(
    "error",
    [
        PermissionError(errno.EACCES, "Permission denied", "/elsewhere"),
        ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"),
    ],
)
def test_other_faults_pass(error: OSError) -> None:
    with pytest.raises(type(error)), explained(Path("/cache")):
        raise error


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/disk/file"), "no space left on the disk of `/disk/file`"),
        (OSError(errno.ENOSPC, "No space left on device"), "failed to read or write a file: No space left on device"),
        (OSError(errno.EMFILE, "Too many open files", "/a"), "too many open files: this process may open "),
        (OSError(errno.EMFILE, "Too many open files"), "too many open files: this process may open "),
        (OSError(errno.EFBIG, "File too large"), "failed to write a file: it is larger than the file size limit"),
        (OSError(errno.EIO, "Input/output error", b"/disk/file"), "the disk or file system of `/disk/file` failed"),
        (OSError(errno.EROFS, "Read-only file system", "/disk/file"), "no access to `/disk/file`: Read-only"),
        (FileNotFoundError(errno.ENOENT, "No such file", "/proc/x"), "failed to use the path `/proc/x`: No such file"),
        (OSError(errno.ENAMETOOLONG, "File name too long", "/x"), "failed to use the path `/x`: File name too long"),
        (BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable"), "may not start another thread or process"),
        (RuntimeError("can't start new thread"), "may not start another thread or process"),
        (
            OSError("failed to read `x`: Input/output error (os error 5)"),
            "failed to read or write a file: Input/output",
        ),
        (MemoryError(), "out of memory"),
        (RuntimeError("cache: Allocation error : not enough memory"), "out of memory"),
        (ImportError("x.so: failed to map segment from shared object"), "out of memory"),
    ],
)
def test_what_stops_a_process_is_told_wherever_it_comes(error: Exception, said: str) -> None:
    fault = refusal(error)
    assert fault is not None
    assert said in str(fault)
    assert fault.exit_code == 1


@pytest.mark.parametrize("error", [KeyError("x"), RuntimeError("other"), FileNotFoundError(errno.ENOENT, "No", "/x")])
def test_what_is_a_bug_stays_one(error: Exception) -> None:
    assert refusal(error) is None
