"""Entries as a fact of the store: what each is, without the file that its bytes are in.

Unpacking the Debian base of an image takes 5 s, most of them for xz. Its entries follow from its key, so they are kept:
comparing an image with its lock needs digests alone.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from envgen.digest import Sha256
from envgen.image.entries import Directory, File, Link, OnDisk

if TYPE_CHECKING:
    from collections.abc import Iterable

    from envgen.image.entries import Entry

_FORMAT = 1
_MALFORMED = (ValueError, TypeError, KeyError, RecursionError)


def render(entries: Iterable[Entry]) -> bytes:
    """Render entries as JSON: a list for each, which begins with its path."""
    return json.dumps([_FORMAT, [_row(entry) for entry in entries]]).encode()


def parse(raw: bytes) -> tuple[Entry, ...] | None:
    """Read entries; the files of their sources do not exist.

    Returns:
        None for what is of another format.
    """
    try:
        form, rows = json.loads(raw)
        return tuple(_entry(*row) for row in rows) if form == _FORMAT else None
    except _MALFORMED:
        return None


def _row(entry: Entry) -> list[str | int]:
    match entry:
        case Link():
            return [entry.path, entry.target]
        case Directory():
            return [entry.path, "", entry.mode, entry.uid, entry.gid]
        case File():
            own = [entry.mode, entry.uid, entry.gid]
            return [entry.path, entry.source.sha256, *own, entry.source.size]


def _entry(path: str, content: str, *numbers: int) -> Entry:
    if not numbers:
        return Link(path=path, target=content)
    mode, uid, gid, *size = numbers
    if not size:
        return Directory(path=path, mode=mode, uid=uid, gid=gid)
    source = OnDisk(on_disk=path, sha256=Sha256.parse(content), size=size[0])
    return File(path=path, source=source, mode=mode, uid=uid, gid=gid)
