"""An environment gets another path: files that hold the old one are rewritten, and their records with them.

Which files these are, the records say (`prefix_placeholder`, entry points); scripts in `bin` that pip wrote beside the
lock are found by their first line. Cut short, the next `create` links the packages in question again.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from envgen.digest import Sha256
from envgen.errors import UserError
from envgen.prefix.conda_meta import load, paths_of, record_files, render
from envgen.prefix.state import read_state, record_state
from envgen.prefix.transaction import Touched, transaction
from envgen.system.fs import atomic_write
from envgen.system.os_faults import explained

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_LONGEST_SHEBANG = 127
"""Bytes of a first line that every Linux reads; rattler writes a script of `/bin/sh` beyond (`BINPRM_BUF_SIZE`)."""

_ENTRY_POINT = "unix_python_entry_point"


def check_relocation(prefix: Path, new: Path) -> None:
    """Raise where an environment could not have another path; changes nothing.

    Raises:
        UserError: it was moved by other means; or the new path is too long for a program that holds it, or for the
            first line of a script.
        IntegrityError: a record cannot be read.
    """
    state = read_state(prefix)
    if state and state.prefix != str(prefix):
        raise UserError(
            f"the environment `{prefix}` was moved from `{state.prefix}`, and its files still contain that path",
            hint="run `envgen create` with its name or prefix first",
        )
    is_short = len(f"#!{new}/bin/python3.99") <= _LONGEST_SHEBANG and " " not in str(new)
    if not is_short:
        raise UserError(
            f"`{new}` cannot be in the first line of a script: expected no space and at most "
            f"{_LONGEST_SHEBANG - len('#!/bin/python3.99')} characters",
            hint="choose a shorter path, or make the environment there with `envgen create --prefix`",
        )
    for file in record_files(prefix):
        for path, _entry in _holding(prefix, load(file)):
            replaced(path.read_bytes(), str(prefix), str(new), what=str(path))


def relocate(prefix: Path, new: Path) -> None:
    """Move an environment, and rewrite what holds its path; nobody else must be changing it.

    Args:
        prefix: the environment, absolute; `check_relocation` has passed.
        new: where it goes; nothing is there, on the same file system.

    Raises:
        UserError: it cannot be moved or written.
    """
    with explained(new.parent):
        new.parent.mkdir(parents=True, exist_ok=True)
        prefix.rename(new)
        state, records = read_state(new), {file: load(file) for file in record_files(new)}
        changing = {file: record for file, record in records.items() if any(_holding(new, record))}
        touched = Touched(
            records=tuple(file.stem for file in changing),
            paths=tuple(sorted(entry["_path"] for record in changing.values() for entry in paths_of(record))),
        )
        with transaction(new, touched):
            for file, record in changing.items():
                _rewrite(new, record, old=str(prefix))
                atomic_write(file, render(record), sync=False)
            _rewrite_scripts(new, old=str(prefix))
            if state:
                names = {record["name"] for record in changing.values()}
                record_state(new, [package.installed for package in state.packages.values()], state, changed=names)


def replaced(data: bytes, old: str, new: str, *, what: str) -> bytes:
    """Replace a path in the content of a file; text of a program keeps its length, filled up with zeros.

    Raises:
        UserError: the program has no room for the new path.
    """
    before, after = os.fsencode(old), os.fsencode(new)
    if b"\0" not in data:
        return data.replace(before, after)

    def fitted(match: re.Match[bytes]) -> bytes:
        text = match[1].replace(before, after)
        if len(text) >= len(match[0]):
            raise UserError(f"`{new}` is too long for the placeholder in `{what}`", hint="choose a shorter path")
        return text + bytes(len(match[0]) - len(text))

    return re.sub(re.escape(before).join((b"(", b"[^\\0]*)\\0+")), fitted, data)


def _holding(prefix: Path, record: Mapping[str, Any]) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield the files of a package that hold the path of the environment, with their entries."""
    for entry in paths_of(record):
        if entry.get("prefix_placeholder") or entry.get("path_type") == _ENTRY_POINT:
            path = prefix / entry["_path"]
            if path.is_file() and not path.is_symlink():
                yield path, entry


def _rewrite(prefix: Path, record: Mapping[str, Any], *, old: str) -> None:
    for path, entry in _holding(prefix, record):
        data = replaced(path.read_bytes(), old, str(prefix), what=str(path))
        atomic_write(path, data, mode=path.stat().st_mode & 0o7777, sync=False)
        entry["sha256_in_prefix"] = Sha256.of(data)


def _rewrite_scripts(prefix: Path, *, old: str) -> None:
    first = os.fsencode(f"#!{old}/bin/")
    for path in sorted((prefix / "bin").glob("*")):
        if path.is_file() and not path.is_symlink():
            with path.open("rb") as stream:
                is_script = stream.read(len(first)) == first
            if is_script:
                data = replaced(path.read_bytes(), old, str(prefix), what=str(path))
                atomic_write(path, data, mode=path.stat().st_mode & 0o7777, sync=False)
