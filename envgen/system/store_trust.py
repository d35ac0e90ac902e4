"""Which folder may be a store: one that is this user's alone to write, and that holds nothing but a store.

What the store has is believed by its name. So nobody else may put anything there, and `clean` removes nothing from a
folder that only happens to have folders of the same names.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from envgen.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

MARK = "envgen-store"
"""File that says that a folder is a store."""

_MARK_TEXT = "A store of envgen: what `envgen clean` removes from here can be had again.\n"
_FOLDERS = frozenset({"artifacts", "blobs", "cache", "channel", "locks", "logs", "packages", "repodata", "views"})
_OWN = _FOLDERS | {MARK, "synced.json"}
_BENIGN = frozenset({"lost+found", "CACHEDIR.TAG"})
"""What file systems and backup programs expect at the top of a disk."""

_USED = "locks/store"
"""File that every process that used a store has left there, also before stores had a mark."""

_MODE = 0o755
_PRIVATE = {"repodata": 0o700}
"""Folders in which another program makes files with the umask."""

_BELIEVED = _FOLDERS - {"channel"}
"""Folders whose files are believed by their names; archives of a channel are compared with the lock."""


def check_access(root: Path) -> None:
    """Refuse a store that somebody else owns or may write to; one that is not there yet is fine.

    Raises:
        UserError: it is not a folder, or another user could change what is in it.
    """
    try:
        status = root.stat()
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(status.st_mode):
        raise UserError(f"`{root}` is not a folder", hint="set ENVGEN_CACHE to a folder of your own")
    if status.st_uid != os.geteuid():
        what = f"the store `{root}` belongs to user {status.st_uid}, this process runs as user {os.geteuid()}"
        raise UserError(what, hint=_elsewhere(root) if _is_open(status) else "set ENVGEN_CACHE to a folder of your own")
    for path, found in _statuses(root, status):
        if who := _writers(found):
            raise UserError(
                f"{who} can write to `{path}`, mode {stat.S_IMODE(found.st_mode):04o}: they could put code "
                "into your environments",
                hint=_elsewhere(root) if os.path.ismount(root) else f"`chmod -R go-w {root}`",
            )


def make_folder(root: Path, folder: Path) -> None:
    """Make a folder at or below `root` that only the user can write to, whatever the umask."""
    if folder.is_dir():
        return
    if folder == root:
        root.parent.mkdir(parents=True, exist_ok=True)
    else:
        make_folder(root, folder.parent)
    try:
        folder.mkdir(mode=_MODE)
        folder.chmod(_PRIVATE.get(folder.name, _MODE))
    except FileExistsError:  # another process was faster
        return


def claim(root: Path) -> None:
    """Mark a folder as a store, unless it holds anything that no store has.

    Raises:
        UserError: it does.
    """
    mark = root / MARK
    if mark.exists():
        return
    names = {path.name for path in root.iterdir()} - _BENIGN
    if MARK in names:  # another process was faster
        return
    if foreign := sorted(names - _OWN):
        raise _no_store(root, foreign)
    if names and not (root / _USED).exists():
        raise _no_store(root, sorted(names))
    mark.write_text(_MARK_TEXT, encoding="utf-8")
    mark.chmod(0o644)


def _no_store(root: Path, names: Iterable[str]) -> UserError:
    first, *rest = names
    more = f" and {len(rest)} more" if rest else ""
    return UserError(f"`{root}` is not a store of envgen: it holds `{first}`{more}", hint=_elsewhere(root))


def _elsewhere(root: Path) -> str:
    return f"set ENVGEN_CACHE to a folder below it, such as `{root / 'envgen'}`"


def _statuses(root: Path, status: os.stat_result) -> Iterable[tuple[Path, os.stat_result]]:
    """Yield the folders in which the names are that are believed."""
    yield root, status
    for name in sorted(_BELIEVED):
        path = root / name
        if path.is_dir():
            yield path, path.stat()


def _is_open(status: os.stat_result) -> bool:
    return bool(status.st_mode & stat.S_IWOTH)


def _writers(status: os.stat_result) -> str | None:
    """Return who beside the owner may write."""
    if _is_open(status):
        return "every user of this machine"
    if status.st_mode & stat.S_IWGRP and not _is_private(status.st_gid, status.st_uid):
        return f"the group {_group_name(status.st_gid)}"
    return None


def _is_private(group: int, user: int) -> bool:
    """Return whether a group has one user alone, as distributions make them for a umask of 002: it bears his name."""
    import grp  # noqa: PLC0415  a look-up may ask a directory server, and few stores need one
    import pwd  # noqa: PLC0415

    try:
        found, owner = grp.getgrgid(group), pwd.getpwuid(user)
    except KeyError:  # a container without names: the numbers are equal then
        return group == user
    return found.gr_name == owner.pw_name and set(found.gr_mem) <= {owner.pw_name}


def _group_name(group: int) -> str:
    import grp  # noqa: PLC0415

    try:
        return f"`{grp.getgrgid(group).gr_name}`"
    except KeyError:
        return str(group)
