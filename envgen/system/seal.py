"""The seal of an extracted package: later runs compare the status of its files with it, and read none of them.

Environments hold links to the files of a package, so that an edit there is one here, and after a power failure a file
may be shorter than what was written. Inode, size and time of every file are recorded when the package is complete.
Where they differ, the bytes decide: a store that was copied to another disk has other inodes and the same files.

This finds accidents. Who may write to the store can also write a seal that fits.
"""

from __future__ import annotations

import json
import os
import stat
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import asdict

from envgen.digest import Sha256
from envgen.errors import ArtifactError
from envgen.structs import replace
from envgen.system.fs import atomic_write

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from envgen.system.boots import BootTime

    _File = tuple[str, os.stat_result]

    Statuses = Mapping[str, tuple[int, int, int]]
    """Path of a file -> its `status_numbers`."""

SEAL = "info/envgen-seal.json"
"""Where the seal is in a package; no environment links to anything in `info`, and no archive takes the seal."""

_LISTED = "info/paths.json"
_FORMAT = 1
_UNREADABLE = (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError)
"""What taking a damaged document apart raises."""

_WRITABLE = stat.S_IWGRP | stat.S_IWOTH


class Seal(Struct, frozen=True, kw_only=True):
    """What is recorded of a complete package.

    Attributes:
        boot: id of the boot in which the files were written; empty where they were read from the disk since.
        at: when the seal was written, in nanoseconds since that boot.
        status: digest of path, inode, size and time of every file and link.
        unlisted: digest of the content of what `info/paths.json` has no sha256 of, `info` itself and links included.
    """

    boot: str
    at: int
    status: str
    unlisted: str


def write_seal(package: Path, moment: BootTime, *, replace_seal: bool = False) -> None:
    """Seal a package that is complete, after taking from group and others what an archive or umask lets them write.

    Args:
        package: the folder.
        moment: when its files were written.
        replace_seal: whether it may have a seal already.

    Raises:
        ArtifactError: the package has a file of the seal's name, or a link in place of its `info`.
    """
    info = (package / SEAL).parent
    for path in (info, package / SEAL):
        if path.is_symlink() or (path != info and path.exists() and not replace_seal):
            raise ArtifactError(f"the package contains `{path.relative_to(package)}`, where envgen puts its seal")
    if not info.is_dir():
        info.mkdir()
        info.chmod(0o755)
    folders: list[str] = []
    files = list(_files(package, folders))
    _close(package, folders, files)
    unlisted = _unlisted(package, files, _listed(package))
    seal = Seal(boot=moment.boot, at=moment.at, status=_status(files), unlisted=unlisted)
    atomic_write(package / SEAL, _render(seal), sync=False)


def confirm_seal(package: Path, seal: Seal, *, boot: str) -> None:
    """Record the files of a package as they are, after all were read and found right; waits for the disk.

    Args:
        package: the folder.
        seal: of the package.
        boot: id of this boot: what was written in an earlier one came from the disk.
    """
    known = replace(seal, boot=seal.boot if seal.boot == boot else "", status=_status(_files(package)))
    if known != seal:
        atomic_write(package / SEAL, _render(known))


def read_seal(package: Path, *, owners: frozenset[int] | None = None) -> Seal | None:
    """Read the seal of a package; None where there is none that can be read, or another user made it or the package.

    Args:
        package: the folder.
        owners: user IDs whose seals count; this user's alone without.
    """
    trusted = {os.geteuid()} if owners is None else owners
    try:
        if not all(path.stat().st_uid in trusted for path in (package, package / SEAL)):
            return None
        document = json.loads((package / SEAL).read_bytes())
        if document.pop("format") != _FORMAT:
            return None
        seal = Seal(**document)
    except _UNREADABLE:
        return None
    return seal


def observe(package: Path) -> tuple[Statuses, str]:
    """Read the status of every file and link of a package but its seal.

    Packages have tens of thousands of files, so that no `Path` is made of any: 30,000 take 0.5 s on a slow disk,
    nearly all of it the system's.

    Returns:
        Statuses, and the digest that `Seal.status` has of the same files.
    """
    files = list(_files(package))
    return {path: status_numbers(status) for path, status in files}, _status(files)


def listed_bytes(package: Path) -> int:
    """Return how long the list of a package's files is, as a measure of how many there are; 0 without one."""
    try:
        return (package / _LISTED).stat().st_size
    except OSError:
        return 0


def status_numbers(status: os.stat_result) -> tuple[int, int, int]:
    """Return size in bytes, time of the last change in nanoseconds since 1970, and mode with the type of a file."""
    return status.st_size, status.st_mtime_ns, status.st_mode


def first_fault(package: Path, seal: Seal) -> str | None:
    """Read every file of a package, and name the first that is not what it was; None where all are."""
    listed = _listed(package)
    if listed is None or _unlisted(package, _files(package), listed) != seal.unlisted:
        return "info"
    return _first_other(package, listed)


def is_unsealed(package: Path) -> bool:
    """Return whether a package has no seal, or one of another format: an earlier or later envgen stored it."""
    try:
        found = json.loads((package / SEAL).read_bytes())["format"]
    except FileNotFoundError:
        return True
    except _UNREADABLE:
        return False
    return isinstance(found, int) and found != _FORMAT


def is_own(package: Path) -> bool:
    """Return whether all files of a package are this user's, which they are unless others could write to the store."""
    return all(_is_own(status) for status in (package.stat(), *(status for _, status in _files(package))))


def _is_own(status: os.stat_result) -> bool:
    return status.st_uid == os.geteuid()


def _render(seal: Seal) -> str:
    return json.dumps({"format": _FORMAT, **asdict(seal)})


def _close(package: Path, folders: Iterable[str], files: Iterable[_File]) -> None:
    """Remove write permission of group and others; names may be links, whose mode means nothing."""
    modes = [(path, (package / path).stat().st_mode) for path in folders]
    modes += [(path, status.st_mode) for path, status in files if not stat.S_ISLNK(status.st_mode)]
    for path, mode in modes:
        if mode & _WRITABLE:
            (package / path).chmod(stat.S_IMODE(mode) & ~_WRITABLE)


def _status(files: Iterable[_File]) -> str:
    lines = [f"{path}\0{s.st_ino} {s.st_size} {s.st_mtime_ns}\n" for path, s in files]
    return Sha256.of("".join(sorted(lines)).encode("utf-8", "surrogateescape"))


def _files(package: Path, found: list[str] | None = None) -> Iterator[_File]:
    """Yield path and status of each file and link of a package, in no order; folders are added to `found`."""
    waiting = [("", str(package))]
    while waiting:
        below, folder = waiting.pop()
        if found is not None:
            found.append(below)
        with suppress(FileNotFoundError), _opened(folder) as entries:  # another process may be making it again
            for entry in entries:
                path = below + entry.name
                if entry.is_dir(follow_symlinks=False):
                    waiting.append((f"{path}/", f"{folder}/{entry.name}"))
                elif path != SEAL:
                    yield path, entry.stat(follow_symlinks=False)


@contextmanager
def _opened(folder: str) -> Iterator[Iterator[os.DirEntry[str]]]:
    """List an open folder: the system need not find it again for each of its files."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with os.scandir(handle) as entries:
            yield entries
    finally:
        os.close(handle)


def _listed(package: Path) -> dict[str, str] | None:
    """Read which files `info/paths.json` has a sha256 of; None where it cannot be read, nothing where it is missing."""
    try:
        entries = json.loads((package / _LISTED).read_bytes())["paths"]
        return {e["_path"]: e["sha256"] for e in entries if e.get("path_type") == "hardlink" and e.get("sha256")}
    except FileNotFoundError:
        return {}
    except _UNREADABLE:
        return None


def _unlisted(package: Path, files: Iterable[_File], listed: Mapping[str, str] | None) -> str:
    """Digest the content of all that `listed` does not name; for a link, its text."""
    lines = []
    for path, status in files:
        if stat.S_ISLNK(status.st_mode):
            lines.append(f"{path}\0-> {(package / path).readlink()}\n")
        elif path not in (listed or {}):
            lines.append(f"{path}\0{_digest(package / path)}\n")
    return Sha256.of("".join(sorted(lines)).encode("utf-8", "surrogateescape"))


def _first_other(package: Path, listed: Mapping[str, str]) -> str | None:
    return next((path for path in sorted(listed) if _digest(package / path) != listed[path]), None)


def _digest(file: Path) -> str | None:
    """Digest a file; None where it is a link or a device, or is gone."""
    try:
        if not stat.S_ISREG(file.lstat().st_mode):
            return None
        with file.open("rb", buffering=0) as stream:
            return Sha256.of_file(stream.fileno())
    except OSError:
        return None
