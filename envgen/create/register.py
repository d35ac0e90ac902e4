"""`~/.conda/environments.txt`: the list by which `conda env list` finds environments anywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envgen.errors import UserError
from envgen.system.fs import file_lock

if TYPE_CHECKING:
    from pathlib import Path

    from envgen.events import Reporter

_PATIENCE = 10.0
"""Seconds to wait for another process that appends a line."""


def register(prefix: Path, *, home: Path, reporter: Reporter) -> None:
    """Add an environment to the user's list, as conda does: a line each, others left alone.

    A list that cannot be written is no reason to fail: the environment works without, and conda warns only, too.

    Args:
        prefix: the environment, absolute.
        home: the user's home directory.
        reporter: is warned.
    """
    listing = home / ".conda/environments.txt"
    try:
        with file_lock(listing, timeout=_PATIENCE):
            known = listing.read_text(encoding="utf-8")
            if str(prefix) not in known.splitlines():
                gap = "" if known.endswith("\n") or not known else "\n"
                with listing.open("a", encoding="utf-8") as out:
                    out.write(f"{gap}{prefix}\n")
    except (OSError, UserError) as error:
        reporter.warn(f"failed to add `{prefix}` to `{listing}`: {error}")
