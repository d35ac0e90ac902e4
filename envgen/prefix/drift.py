"""What became of the files of a prefix since they were linked: compared by their status, read only where that differs.

An edit, an `emptied` file, `pip uninstall`, another mode, a folder that was moved: each shows in size, time or mode, or
in the path that the environment has now. Where only the time differs, the bytes decide. Not seen is an edit that keeps
size and time: `verify` reads everything.
"""

from __future__ import annotations

import datetime as dt
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from envgen.prefix.conda_meta import load, paths_of, record_path
from envgen.prefix.state import FIELDS, MISSING, PackageState, PrefixState, current, record_status, status_of
from envgen.prefix.verify import faults_of
from envgen.system.fork import shared

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from envgen.prefix.installed import InstalledPackage

    _Status = tuple[int, int, int]


class Drift(Struct, frozen=True, kw_only=True):
    """What differs from what was linked.

    Attributes:
        damaged: name of a package -> what happened to its files, in words that begin with the path.
        modes: path of a file whose mode was changed -> the mode that it had.
        moved_from: where the environment was when its files were linked, if that was elsewhere.
        state: of the packages that are as they should be.
        unrecorded: whether `state` is not what the prefix has on file.
    """

    damaged: Mapping[str, tuple[str, ...]]
    modes: Mapping[str, int]
    moved_from: str | None
    state: PrefixState
    unrecorded: bool

    def __bool__(self) -> bool:
        return bool(self.damaged or self.modes)


def no_drift(prefix: Path) -> Drift:
    """Return that nothing differs, as of a prefix that holds nothing."""
    return Drift(damaged={}, modes={}, moved_from=None, state=PrefixState(prefix=str(prefix)), unrecorded=False)


def unrecorded(prefix: Path, installed: Iterable[InstalledPackage], state: PrefixState | None) -> int:
    """Count the packages that `find_drift` has to read, for there is no state of their files."""
    known = state or PrefixState(prefix=str(prefix))
    return sum(known.fitting(have.dist, _record(prefix, have)) is None for have in installed)


def find_drift(
    prefix: Path,
    installed: Iterable[InstalledPackage],
    state: PrefixState | None,
    *,
    stored: Callable[[str], Path | None],
    advance: Callable[[int], object] = lambda _amount: None,
) -> Drift:
    """Compare the files of a prefix with what was recorded when they were linked; nothing is changed.

    Args:
        prefix: the environment.
        installed: its packages, by their records.
        state: from `read_state`; packages that it does not have are read.
        stored: returns the extracted package of a key, where it is known to be sound: links to it are not read.
        advance: told after each package that was read.

    Raises:
        IntegrityError: a record cannot be read.
    """
    search = _DriftSearch(prefix=prefix, stored=stored, moved_from=_moved_from(prefix, state))
    known = {have.dist: state.fitting(have.dist, _record(prefix, have)) if state else None for have in installed}
    # files of an environment that was moved are looked at one by one, for some hold its path
    same = set() if search.moved_from else _as_linked(prefix, [package for package in known.values() if package])
    for have in installed:
        package = known[have.dist]
        if package is None:
            search.read(have)
            advance(1)
        elif have.dist in same:
            search.sound[have.dist] = package
        else:
            search.compare(package)
    kept = PrefixState(prefix=str(prefix), packages=search.sound)
    return Drift(
        damaged=search.damaged,
        modes=search.modes,
        moved_from=search.moved_from,
        state=kept,
        unrecorded=kept.packages != (state.packages if state else {}) or search.moved_from is not None,
    )


def _as_linked(prefix: Path, packages: Iterable[PackageState]) -> set[str]:
    """Return which packages (`name-version-build`) have files of the recorded status, asked for in two processes."""
    ordered = sorted(packages, key=lambda package: len(package.status), reverse=True)
    with shared(ordered, lambda package: status_of(prefix, package.installed.files) == package.status) as finish:
        return {package.installed.dist for package, same in zip(ordered, finish(), strict=True) if same}


def _record(prefix: Path, have: InstalledPackage) -> tuple[int, int]:
    return record_status(record_path(prefix, have.dist))


def _moved_from(prefix: Path, state: PrefixState | None) -> str | None:
    """Name the place that the files of the prefix were linked for; None where that is this folder, by any path."""
    if state is None or state.prefix == str(prefix):
        return None
    try:
        same = Path(state.prefix).samefile(prefix)
    except OSError:
        same = False
    return None if same else state.prefix


class _DriftSearch(Struct, kw_only=True):
    """The comparison as far as it has come; see `Drift`."""

    prefix: Path
    stored: Callable[[str], Path | None]
    moved_from: str | None
    damaged: dict[str, tuple[str, ...]] = field(default_factory=dict)
    modes: dict[str, int] = field(default_factory=dict)
    sound: dict[str, PackageState] = field(default_factory=dict)

    def compare(self, known: PackageState) -> None:
        """Compare a package with its state, from which it differs, or which is of another place."""
        have = known.installed
        now, entries = status_of(self.prefix, have.files), _entries(self.prefix, have)
        faults = list(self._displaced(entries)) if self.moved_from else []
        if now != known.status:
            faults += self._differences(known, now, entries)
        self._note(have, faults, PackageState(installed=have, record=known.record, status=now))

    def read(self, have: InstalledPackage) -> None:
        """Read a package of which no state is known, except for what it shares with the store."""
        folder = self.stored(have.key) if have.key else None
        faults: list[str] = []
        for path, entry in _entries(self.prefix, have).items():
            if not path.endswith(".pyc") and not _is_link_to(self.prefix / path, folder, path):
                faults += faults_of(self.prefix, path, entry)
                faults += self._foreign_place(path, entry)
        self._note(have, faults, None)

    def _note(self, have: InstalledPackage, faults: list[str], state: PackageState | None) -> None:
        if faults:
            self.damaged[have.name] = tuple(f"{fault}{self._when(fault)}" for fault in dict.fromkeys(faults))
        else:
            self.sound[have.dist] = state or current(self.prefix, have)

    def _differences(
        self, known: PackageState, now: list[int], entries: Mapping[str, Mapping[str, Any]]
    ) -> Iterator[str]:
        """Yield what happened to each file that differs; modes are put right in `now`, since they will be restored."""
        for index, path in enumerate(known.installed.files):
            place = slice(FIELDS * index, FIELDS * index + FIELDS)
            (size, time, mode), found = known.status[place], now[place]
            if found == [size, time, mode]:
                continue
            if tuple(found) == MISSING:
                yield f"{path}: missing"
            elif stat.S_IFMT(found[2]) != stat.S_IFMT(mode):
                yield f"{path}: became {_kind(found[2])}"
            else:
                if found[2] != mode:
                    self.modes[path] = stat.S_IMODE(mode)
                    now[place] = [*found[:2], mode]
                if found[0] != size:
                    yield f"{path}: {'emptied' if found[0] == 0 else 'modified'}"
                elif found[1] != time and path in entries:
                    yield from faults_of(self.prefix, path, entries[path])

    def _displaced(self, entries: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
        """Yield the files that hold the path of the environment, which is another one now."""
        for path, entry in entries.items():
            if entry.get("prefix_placeholder") or entry["path_type"].endswith("entry_point"):
                yield f"{path}: made for `{self.moved_from}`"

    def _foreign_place(self, path: str, entry: Mapping[str, Any]) -> Iterator[str]:
        file = self.prefix / path
        if entry.get("prefix_placeholder") and file.is_file() and os.fsencode(self.prefix) not in file.read_bytes():
            yield f"{path}: made for another folder than `{self.prefix}`"

    def _when(self, fault: str) -> str:
        """Return when the file of a fault was changed last, in words."""
        file = self.prefix / fault.partition(": ")[0]
        if "made for" in fault:
            return ""
        while not os.path.lexists(file):
            file = file.parent
        status = file.lstat()
        # a file of several environments has its status changed by each of them
        changed = max(status.st_ctime, status.st_mtime) if status.st_nlink == 1 else status.st_mtime
        try:
            return f" ({dt.datetime.fromtimestamp(changed, tz=dt.UTC):%Y-%m-%d %H:%M} UTC)"
        except (ValueError, OverflowError):  # some file systems keep years that dates have not
            return ""


def _entries(prefix: Path, have: InstalledPackage) -> dict[str, Mapping[str, Any]]:
    record = load(record_path(prefix, have.dist))
    return {entry["_path"]: entry for entry in paths_of(record) if entry["path_type"] != "directory"}


def _is_link_to(file: Path, folder: Path | None, path: str) -> bool:
    """Return whether a file is the very one that a sound package of the store has."""
    if folder is None:
        return False
    try:
        here, there = file.lstat(), (folder / path).lstat()
    except OSError:
        return False
    return stat.S_ISREG(here.st_mode) and os.path.samestat(here, there)


def _kind(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "a folder"
    return "a link" if stat.S_ISLNK(mode) else "a file" if stat.S_ISREG(mode) else "a device"
