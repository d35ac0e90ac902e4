"""The user's home directory, where there is one: processes of containers often have neither `HOME` nor an account."""

from __future__ import annotations

import os
import pwd
from pathlib import Path
from typing import TYPE_CHECKING

from envgen.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping

NO_HOME = Path("/dev/null/home")
"""Stands for the home of a user who has none: nothing is there, and not even root can make anything there."""


def find_home(environment: Mapping[str, str], uid: int) -> Path:
    """Return `HOME`, else what the account of the user says, else `NO_HOME`.

    A `HOME` that is empty or relative counts as not set: what is kept there would land in the working directory.
    """
    home = Path(environment.get("HOME", ""))
    if home.is_absolute():
        return home
    try:
        home = Path(pwd.getpwuid(uid).pw_dir)
    except KeyError:
        return NO_HOME
    return home if home.is_absolute() else NO_HOME


def cache_home(environment: Mapping[str, str], home: Path) -> Path:
    """Return where programs keep caches: `XDG_CACHE_HOME`, or `~/.cache`.

    Raises:
        UserError: no variable says it, and the user has no home.
    """
    base = Path(environment.get("XDG_CACHE_HOME", ""))  # the XDG specification ignores relative ones
    if not base.is_absolute() and home == NO_HOME:
        what = f"no folder for envgen's cache: HOME is not set, and user {os.geteuid()} has no account"
        raise UserError(what, hint="set ENVGEN_CACHE or HOME to a writable folder")
    return base if base.is_absolute() else home / ".cache"


def expand(text: str | Path, home: Path) -> Path:
    """Replace `~` at the beginning of a path by `home`, and `~user` by that user's; unknown users stay as they are."""
    first, slash, rest = str(text).partition("/")
    return home / rest if first == "~" else Path(os.path.expanduser(first) + slash + rest)  # noqa: PTH111  raises
