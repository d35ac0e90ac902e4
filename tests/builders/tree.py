"""Trees of files that packages are made from, and tars of them whose bytes depend on nothing else."""

from __future__ import annotations

import datetime as dt
import io
import tarfile
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Mapping

MOMENT = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
"""When everything was made, unless a test says otherwise."""


class File(Struct, frozen=True):
    """A regular file of a package."""

    data: bytes
    mode: int = 0o644


class Link(Struct, frozen=True):
    """A symbolic link of a package; `hard` makes it a hard link to another member."""

    target: str
    hard: bool = False


def make_tar(files: Mapping[str, File | Link], *, folders: bool = True) -> bytes:
    """Write a tar; with `folders` as dpkg does: every folder first, every name below `./`."""
    start = "./" if folders else ""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for folder in sorted({"", *(p for path in files for p in _parents(path))}) if folders else ():
            tar.addfile(_info(f"{start}{folder}", tarfile.DIRTYPE, 0o755))
        for path, entry in sorted(files.items()):
            if isinstance(entry, Link):
                info = _info(f"{start}{path}", tarfile.LNKTYPE if entry.hard else tarfile.SYMTYPE, 0o777)
                info.linkname = f"{start}{entry.target}" if entry.hard else entry.target
                tar.addfile(info)
            else:
                info = _info(f"{start}{path}", tarfile.REGTYPE, entry.mode)
                info.size = len(entry.data)
                tar.addfile(info, io.BytesIO(entry.data))
    return out.getvalue()


def _info(name: str, kind: bytes, mode: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = kind
    info.mode = mode
    info.mtime = int(MOMENT.timestamp())
    info.uname = info.gname = "root"
    return info


def _parents(path: str) -> list[str]:
    parts = path.split("/")[:-1]
    return ["/".join(parts[: n + 1]) for n in range(len(parts))]
