"""What the files of a prefix were when they were linked: one file, by which each later run notices changes.

`conda-meta/.envgen-state` holds for each package what its record says, size and time of that record, and size, time
and mode of each of its files. A run compares 30,000 files with it in 0.1 s, and reads no record but those that
changed. It is a convenience: where it is missing or damaged, `drift` reads the environment once and writes it again.
Conda and other tools read `*.json` only.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct, field

from envgen.paths import check_prefix_paths, parse_file_name
from envgen.prefix.conda_meta import META, record_path
from envgen.prefix.installed import InstalledPackage
from envgen.system.fs import atomic_write
from envgen.system.seal import status_numbers

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from pathlib import Path

    from envgen.system.seal import Statuses

STATE = ".envgen-state"

_FORMAT = 1
_MALFORMED = (ValueError, KeyError, TypeError, AttributeError, RecursionError)
"""What taking a damaged document apart raises."""

FIELDS = 3
"""Numbers of each file: size in bytes, time of its last change in nanoseconds since 1970, mode with the type."""

MISSING = (-1, 0, 0)

RecordStatus = tuple[int, int]
"""Size and time of a record's file."""


class PackageState(Struct, frozen=True, kw_only=True):
    """One package as it was linked.

    Attributes:
        installed: what its record says.
        record: size and time of the record; another one, and the package is not what is told here.
        status: `FIELDS` numbers for each of `installed.files`, in their order.
    """

    installed: InstalledPackage
    record: RecordStatus
    status: list[int]


class PrefixState(Struct, frozen=True, kw_only=True):
    """All packages of a prefix as they were linked.

    Attributes:
        prefix: where the prefix was then, as text: files hold that path.
        packages: `name-version-build` -> package.
    """

    prefix: str
    packages: Mapping[str, PackageState] = field(default_factory=dict)

    def fitting(self, dist: str, record: RecordStatus) -> PackageState | None:
        """Return a package whose record is still the one that it was."""
        found = self.packages.get(dist)
        return found if found and found.record == record else None


def read_state(prefix: Path) -> PrefixState | None:
    """Read what `write_state` wrote; None where there is nothing that can be used."""
    try:
        document = msgspec.json.decode((prefix / META / STATE).read_bytes())
        if document["format"] != _FORMAT:
            return None
        packages = [_package(entry) for entry in document["packages"]]
        check_prefix_paths([path for package in packages for path in package.installed.files])
        return PrefixState(prefix=str(document["prefix"]), packages={p.installed.dist: p for p in packages})
    except (OSError, *_MALFORMED):
        return None


def write_state(prefix: Path, packages: Iterable[PackageState]) -> None:
    """Write the state of a prefix; nobody else may be changing it."""
    entries = [_entry(package) for package in packages]
    document = {"format": _FORMAT, "prefix": str(prefix), "packages": entries}
    atomic_write(prefix / META / STATE, msgspec.json.encode(document), sync=False)


def record_state(
    prefix: Path,
    installed: Iterable[InstalledPackage],
    known: PrefixState | None,
    *,
    changed: Collection[str],
    shared: Mapping[str, Statuses] | None = None,
) -> None:
    """Write the state of a prefix whose `changed` packages were linked just now.

    What is known of the others is kept, so that a change of them is still noticed; where a record was rewritten and
    its files were not, only the record is new.

    Args:
        prefix: the environment.
        installed: its packages.
        known: what was recorded before.
        changed: names of packages that were linked just now.
        shared: name of a package -> path -> status of the file of the store that was linked there, where it is known:
            it is the same file, so that it is not asked for again.
    """
    before = known.packages if known else {}
    entries = []
    for have in installed:
        was = before.get(have.dist)
        if was is None or have.name in changed or was.installed.files != have.files:
            entries.append(current(prefix, have, (shared or {}).get(have.name, {})))
        else:
            record = record_status(record_path(prefix, have.dist))
            entries.append(PackageState(installed=have, record=record, status=was.status))
    if known != PrefixState(prefix=str(prefix), packages={entry.installed.dist: entry for entry in entries}):
        write_state(prefix, entries)


def current(prefix: Path, installed: InstalledPackage, shared: Statuses | None = None) -> PackageState:
    """Return the state of a package as it is now, which must be what was linked; see `record_state` for `shared`."""
    record = record_status(record_path(prefix, installed.dist))
    return PackageState(installed=installed, record=record, status=status_of(prefix, installed.files, shared))


def record_status(path: Path) -> RecordStatus:
    """Return size and time of a record's file."""
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def status_of(prefix: Path, paths: Iterable[str], shared: Statuses | None = None) -> list[int]:
    """Return `FIELDS` numbers for each path, `MISSING` where there is none.

    Compiled Python files always count as missing: Python writes them again as it likes.
    """
    start, found, known = f"{prefix}/", list[int](), shared or {}
    # tens of thousands of paths: text is five times as fast as `Path` here
    for path in paths:
        if path.endswith(".pyc"):
            found += MISSING
            continue
        try:
            found += known.get(path) or status_numbers(os.lstat(start + path))
        except (FileNotFoundError, NotADirectoryError):
            found += MISSING
    return found


def _entry(package: PackageState) -> dict[str, Any]:
    have = package.installed
    return {
        "name": have.name,
        "version": have.version,
        "build": have.build,
        "key": have.key,
        "requested": have.requested,
        "record": package.record,
        "files": have.files,
        "status": package.status,
    }


def _package(entry: dict[str, Any]) -> PackageState:
    size, time = map(int, entry["record"])
    status = entry["status"]
    files = tuple(entry["files"])
    if len(status) != FIELDS * len(files):
        raise ValueError("not a status of each file")
    key = entry["key"]
    installed = InstalledPackage(
        name=str(entry["name"]),
        version=str(entry["version"]),
        build=str(entry["build"]),
        key=None if key is None else parse_file_name(key),
        files=files,
        requested=str(entry["requested"]),
    )
    parse_file_name(installed.dist)
    return PackageState(installed=installed, record=(size, time), status=status)
