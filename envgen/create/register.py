"""`~/.conda/environments.txt`: the list by which `conda env list` finds environments anywhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from envgen.errors import UserError
from envgen.system.fs import file_lock

if TYPE_CHECKING:
    from collections.abc import Collection

    from envgen.events import Reporter

_PATIENCE = 10.0
"""Seconds to wait for another process that appends a line."""


def listing(home: Path) -> Path:
    """Return the path of a user's list."""
    return home / ".conda/environments.txt"


def registered(home: Path) -> tuple[Path, ...]:
    """Return the environments of the list, in its order; none where there is no list."""
    try:
        text = listing(home).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ()
    return tuple(dict.fromkeys(Path(line) for line in text.splitlines() if line.strip()))


def register(prefix: Path, *, home: Path, reporter: Reporter) -> None:
    """Add an environment to the user's list, as conda does: a line each, others left alone.

    A list that cannot be written is no reason to fail: the environment works without, and conda warns only, too.

    Args:
        prefix: the environment, absolute.
        home: the user's home directory.
        reporter: is warned.
    """
    file = listing(home)
    try:
        with file_lock(file, timeout=_PATIENCE):
            known = file.read_text(encoding="utf-8")
            if str(prefix) not in known.splitlines():
                gap = "" if known.endswith("\n") or not known else "\n"
                with file.open("a", encoding="utf-8") as out:
                    out.write(f"{gap}{prefix}\n")
    except (OSError, UserError) as error:
        reporter.warn(f"failed to add `{prefix}` to `{file}`: {error}")


def unregister(prefixes: Collection[Path], *, home: Path, reporter: Reporter) -> None:
    """Remove environments from the user's list; lines of others stay as they are.

    Args:
        prefixes: as the list has them.
        home: the user's home directory.
        reporter: is warned where the list cannot be written.
    """
    file, gone = listing(home), {str(prefix) for prefix in prefixes}
    if not gone or not file.exists():
        return
    try:
        with file_lock(file, timeout=_PATIENCE):
            known = file.read_text(encoding="utf-8")
            kept = [line for line in known.splitlines(keepends=True) if line.strip() not in gone]
            file.write_text("".join(kept), encoding="utf-8")
    except (OSError, UserError) as error:
        reporter.warn(f"failed to remove {len(gone)} entries from `{file}`: {error}")
