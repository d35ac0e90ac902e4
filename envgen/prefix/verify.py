"""Does a prefix hold what its records say? Every file read again."""

from __future__ import annotations

import os
import stat
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from envgen.digest import Sha256
from envgen.prefix.conda_meta import META, load, paths_of, record_files
from envgen.prefix.kernel import KERNEL
from envgen.prefix.removal import PYCACHE

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from envgen.events import Reporter

_UNSAFE = stat.S_IWGRP | stat.S_IWOTH | stat.S_ISUID | stat.S_ISGID
_ENTRY_POINT = 0o775

_LARGE = 16 << 20
"""Bytes of a file that is read before the small ones."""

_BATCH, _MOST = 8 << 20, 100
"""Bytes and files that one thread checks at a time."""


def verify_prefix(prefix: Path, *, compiled: bool = False) -> tuple[str, ...]:
    """Compare a prefix with its records: missing, changed, foreign and doubly owned files, and records without digest.

    Reads everything (1.8 GB/s a core).

    Args:
        prefix: the environment.
        compiled: whether compiled Python files that no record names count as foreign.

    Returns:
        The faults, sorted; each begins with the path it speaks of.

    Raises:
        IntegrityError: a record cannot be read.
    """
    owners: dict[str, list[str]] = {}
    faults: list[str] = []
    for record, entries in read_records(prefix):
        name = record["name"]
        faults.extend(f"{path}: `files` and `paths_data` of {name} differ" for path in _odd(record, entries))
        for path, entry in entries.items():
            if entry["path_type"] != "directory":
                owners.setdefault(path, []).append(name)
            faults.extend(faults_of(prefix, path, entry))
    faults.extend(f"{path}: owned by {' and '.join(names)}" for path, names in owners.items() if len(names) > 1)
    faults.extend(f"{path}: not owned by any package" for path in unowned(prefix, owners, compiled=compiled))
    return tuple(sorted(faults))


def damaged(prefix: Path, reporter: Reporter) -> dict[str, tuple[str, ...]]:
    """Find packages with files that are missing or changed, by the records of the prefix; see `differences`.

    Raises:
        IntegrityError: a record cannot be read.
    """
    return differences(prefix, {record["name"]: entries for record, entries in read_records(prefix)}, reporter)


def differences(
    prefix: Path, expected: Mapping[str, Mapping[str, Mapping[str, Any]]], reporter: Reporter
) -> dict[str, tuple[str, ...]]:
    """Find the files that are missing or changed.

    Every file is read once, on all cores: the large ones first, so that none of them is what all wait for in the end,
    and then the others in the order of their inodes, which is nearly how a disk has them.

    Args:
        prefix: the environment.
        expected: name of a package -> path -> entry, as records have it.
        reporter: gets a bar of bytes.

    Returns:
        Name of the package -> its faults; each begins with the path it speaks of.
    """
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415  takes 5 ms, and mostly nothing is read

    files: list[_PathCheck] = []
    links: list[_PathCheck] = []
    for package, entries in expected.items():
        for path, entry in entries.items():
            job = _PathCheck(package=package, path=path, entry=entry, inode=_inode(f"{prefix}/{path}"))
            (links if entry["path_type"] == "softlink" else files).append(job)
    files.sort(key=lambda job: (-job.size if job.size >= _LARGE else 0, job.inode))
    total = sum(job.size for job in files)
    known: dict[str, str] = {}
    with (
        reporter.progress(f"checking {len(files)} files", total=total) as bar,
        ThreadPoolExecutor(os.cpu_count() or 1) as pool,
    ):
        faults = list(pool.map(partial(_check_files, prefix, known, bar.advance), _batches(files)))
    faults.append(_check_links(prefix, known, links))
    found: dict[str, list[str]] = {}
    for package, fault in sorted(fault for batch in faults for fault in batch):
        found.setdefault(package, []).append(fault)
    return {package: tuple(texts) for package, texts in found.items()}


class _PathCheck(Struct, frozen=True, kw_only=True):
    """One path to be checked."""

    package: str
    path: str
    entry: Mapping[str, Any]
    inode: int

    @property
    def size(self) -> int:
        """Bytes to read, as the record says."""
        return int(self.entry.get("size_in_bytes") or 0)


def _inode(path: str) -> int:
    try:
        return os.lstat(path).st_ino
    except OSError:
        return 0


def _batches(jobs: Iterable[_PathCheck]) -> Iterator[list[_PathCheck]]:
    """Split jobs into batches of a few MB or a hundred files: a future for each small file would cost more than it."""
    batch: list[_PathCheck] = []
    size = 0
    for job in jobs:
        batch.append(job)
        size += job.size
        if size >= _BATCH or len(batch) == _MOST:
            yield batch
            batch, size = [], 0
    yield batch


def _check_files(
    prefix: Path, known: dict[str, str], advance: Callable[[int], object], jobs: Iterable[_PathCheck]
) -> list[tuple[str, str]]:
    found = []
    for job in jobs:
        if _is_sound(f"{prefix}/{job.path}", job.entry):
            known[job.path] = job.entry["sha256_in_prefix"]
        else:
            found += [(job.package, fault) for fault in faults_of(prefix, job.path, job.entry)]
        advance(job.size)
    return found


def _is_sound(path: str, entry: Mapping[str, Any]) -> bool:
    """Return whether a path is a file with the bytes of its entry; what else it is, `faults_of` says."""
    if entry["path_type"] == "directory" or not (entry.get("sha256") and entry.get("sha256_in_prefix")):
        return False
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        is_file = stat.S_ISREG(os.fstat(descriptor).st_mode)
        return is_file and Sha256.of_file(descriptor) == entry["sha256_in_prefix"]
    except OSError:
        return False
    finally:
        os.close(descriptor)


def _check_links(prefix: Path, known: Mapping[str, str], jobs: Iterable[_PathCheck]) -> list[tuple[str, str]]:
    """Check links by the digests of the files that they lead to, which were read already."""
    root = os.path.realpath(prefix)

    def digest(file: Path) -> str:
        target = os.path.realpath(file).removeprefix(f"{root}/")
        return known.get(target) or _digest(file)

    return [(job.package, fault) for job in jobs for fault in faults_of(prefix, job.path, job.entry, digest)]


def read_records(prefix: Path) -> Iterator[tuple[dict[str, Any], dict[str, Mapping[str, Any]]]]:
    """Yield the records of a prefix, each with its entries by path.

    Raises:
        IntegrityError: one cannot be read.
    """
    for file in record_files(prefix):
        record = load(file)
        yield record, {entry["_path"]: entry for entry in paths_of(record)}


def _odd(record: Mapping[str, Any], entries: Mapping[str, object]) -> set[str]:
    return set(record.get("files", ())) ^ set(entries)


def faults_of(
    prefix: Path, path: str, entry: Mapping[str, Any], digest: Callable[[Path], str] | None = None
) -> Iterator[str]:
    """Yield how a file differs from the entry of its record, in words that begin with the path.

    Args:
        prefix: the environment.
        path: of the file.
        entry: of the record.
        digest: returns the sha256 of a file, "none" where it is not a file; reads it, without.
    """
    file, kind = prefix / path, entry["path_type"]
    if kind == "directory":
        if not file.is_dir():
            yield f"{path}: missing"
        return
    if not os.path.lexists(file):
        yield f"{path}: missing"
        return
    if (kind == "softlink") != file.is_symlink():
        yield f"{path}: is{'' if file.is_symlink() else ' not'} a link"
        return
    expected = entry.get("sha256_in_prefix")
    if kind != "softlink" and not (expected and entry.get("sha256")):
        yield f"{path}: no digest"
    elif expected and expected != (got := (digest or _digest)(file)):
        yield f"{path}: modified: expected sha256 {expected}, got {got}"


def _digest(file: Path) -> str:
    if not file.is_file():
        return "none"
    with file.open("rb", buffering=0) as stream:
        return Sha256.of_file(stream.fileno())


def unowned(prefix: Path, owned: Collection[str], *, compiled: bool = False) -> Iterator[str]:
    """Yield the files and links of a prefix that are not in `owned`; `conda-meta` and the kernel do not count.

    Args:
        prefix: the environment.
        owned: paths of packages.
        compiled: whether compiled Python files count.
    """
    for path in _files(prefix):
        if path not in owned and path != KERNEL and (compiled or not is_compiled(path)):
            yield path


def unsafe_modes(prefix: Path, entries: Iterable[tuple[str, Mapping[str, Any]]]) -> Iterator[tuple[str, int]]:
    """Yield path and mode of files that others may write to, or that run as their owner; no linked file is so.

    Rattler gives the scripts that it makes for entry points mode 0775.
    """
    for path, entry in entries:
        mode, made = mode_of(f"{prefix}/{path}"), entry["path_type"].endswith("entry_point")
        if mode & _UNSAFE and not (made and mode == _ENTRY_POINT):
            yield path, mode


def mode_of(path: str) -> int:
    """Return the permissions of a file; 0 of a link, and where there is none."""
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        return 0
    return stat.S_IMODE(mode) if stat.S_ISREG(mode) else 0


def _files(prefix: Path) -> Iterator[str]:
    for folder, folders, names in os.walk(prefix):
        below = Path(folder).relative_to(prefix).as_posix()
        start = "" if below == "." else f"{below}/"
        if below == META:  # records, conda's own notes and envgen's are no package's files
            continue
        links = (name for name in folders if os.path.islink(f"{folder}/{name}"))  # noqa: PTH114  thousands of them
        yield from (f"{start}{name}" for name in (*names, *links))


def is_compiled(path: str) -> bool:
    """Return whether Python writes a file when its source is imported."""
    return path.endswith(".pyc") and path.split("/")[-2:-1] == [PYCACHE]
