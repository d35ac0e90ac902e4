"""A change of a prefix that was cut short leaves a mark by which the next run cleans up behind it.

`rattler.install` writes a package's record after its files. Killed between, it leaves files that no record names; a
later change would overwrite or keep them. So the paths that a change will touch are written down before anything
moves: `conda-meta/.envgen-unfinished`, whose name no conda tool reads. It goes when all is done. Where it is found,
every path in it is removed, with the records of the packages in question; then the change is made again from the
packages in the store. No path in it belongs to a package that was to stay: `with_paths` links such a one again.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from envgen.errors import IntegrityError, UserError
from envgen.paths import check_prefix_paths, parse_file_name
from envgen.prefix.conda_meta import META, record_files, record_path
from envgen.prefix.removal import remove_paths
from envgen.prefix.settled import CONFLICTS
from envgen.prefix.state import STATE
from envgen.system.fs import atomic_write, file_lock, remove_tree, sync_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from envgen.events import Reporter

UNFINISHED = ".envgen-unfinished"
LOCK = ".envgen-lock"
ORIGIN = ".envgen-origin"
PRIVATE = frozenset(f"{META}/{name}" for name in (UNFINISHED, LOCK, CONFLICTS, STATE, ORIGIN))
"""Files of a prefix that are envgen's own business: they belong to no package and not into an image."""

_PATIENCE = 3600.0
"""Seconds to wait for another process that changes the same prefix."""

_FORMAT = 1
_ANEW = "remove the environment and create it again"
_PROBES = ("symtest_*", ".refprobe-*", f"{META}/prefix_record_*", f"{META}/.tmp-*")
"""What a killed `rattler.install` (seen in strace, py-rattler 0.28) or `atomic_write` leaves."""


class Touched(Struct, frozen=True, kw_only=True):
    """What a change will touch.

    Attributes:
        records: `name-version-build` of packages that go or come.
        paths: of their files, relative to the prefix.
    """

    records: tuple[str, ...]
    paths: tuple[str, ...]


@contextmanager
def alone(prefix: Path, reporter: Reporter) -> Iterator[None]:
    """Keep every other process from changing the prefix while the block lasts; wait for one that does.

    Raises:
        UserError: it takes more than an hour.
    """
    lock = prefix / META / LOCK
    with ExitStack() as stack:
        try:
            stack.enter_context(file_lock(lock, timeout=0))
        except UserError:
            reporter.note(f"waiting for another process to finish with `{prefix}`")
            stack.enter_context(file_lock(lock, timeout=_PATIENCE))
        yield


@contextmanager
def transaction(prefix: Path, touched: Touched, *, is_new: bool = False) -> Iterator[None]:
    """Mark the prefix as being changed until the block ends well, and its records are on the disk.

    Args:
        prefix: the environment.
        touched: what the block may change.
        is_new: whether no package is in the prefix. Then nothing waits for the mark: a power failure can take it, and
            leaves no package that is half of the one and half of the other.
    """
    mark = prefix / META / UNFINISHED
    document = {"format": _FORMAT, "records": touched.records, "paths": touched.paths}
    atomic_write(mark, msgspec.json.encode(document), sync=not is_new)
    yield
    sync_files(record_path(prefix, dist) for dist in touched.records)
    mark.unlink()


def unfinished(prefix: Path) -> Touched | None:
    """Read what an interrupted change was to touch; None where the last change was finished.

    Raises:
        IntegrityError: the mark cannot be read, or names paths outside the prefix.
    """
    mark = prefix / META / UNFINISHED
    try:
        raw = mark.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    if not raw.strip(b"\0") and not record_files(prefix):
        return None  # a new environment does not wait for its mark: a power failure took it
    return _parse(raw, mark)


def clean_up(prefix: Path, touched: Touched) -> None:
    """Remove what an interrupted change left; nobody else must be changing the prefix.

    Args:
        prefix: the environment.
        touched: from `unfinished`.
    """
    remove_paths(prefix, touched.paths)
    for record in touched.records:
        record_path(prefix, record).unlink(missing_ok=True)
    for pattern in _PROBES:
        for left in prefix.glob(pattern):
            remove_tree(left)
    (prefix / META / UNFINISHED).unlink()


def _parse(raw: bytes, mark: Path) -> Touched:
    try:
        document = msgspec.json.decode(raw)
        records, paths = map(str, document["records"]), map(str, document["paths"])
        found, touched = document["format"], Touched(records=tuple(records), paths=tuple(paths))
        check_prefix_paths(touched.paths)
        for record in touched.records:
            parse_file_name(record)
    except (ValueError, KeyError, TypeError) as error:
        raise IntegrityError(f"failed to read `{mark}`: {error!r}", hint=_ANEW) from error
    if found != _FORMAT:
        raise IntegrityError(f"`{mark}` has format {found!r}, expected {_FORMAT}", hint=_ANEW)
    return touched
