"""What a path inside a prefix may be: one rule for wheels, archives, `.deb`s, recipes, and for records read back.

A path is relative, has forward slashes, and no empty, `.` or `..` part, backslash or control character. It is not
`conda-meta` nor below it, whatever the case of letters: what lies there decides which files the next run removes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

RESERVED = "conda-meta"
"""The folder of a prefix that holds the records, and the marks by which envgen finishes an interrupted change."""

LONGEST_NAME = 255
"""Bytes of one part of a path, in all file systems of Linux and macOS."""

_SHORT = LONGEST_NAME // 4
"""Characters that cannot be more bytes than that, as UTF-8 has at most four for one."""

_USUAL = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9_.+-]{0,200}/)*[A-Za-z0-9_][A-Za-z0-9_.+-]{0,200}")
"""A relative path in its simplest form, as nearly all are; others are judged by the rules one by one."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
"""Control characters (C0, DEL, C1), and halves of surrogate pairs: names that are not UTF-8."""

_IGNORED = re.compile(r"[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]")
"""Characters that HFS+ passes over when it compares names (CVE-2014-9390 of Git)."""

_DRIVE = re.compile(r"[A-Za-z]:")
_UNUSUAL = bytes({*range(32), 127, *b"\\:"} - {*b"\n"})
"""ASCII that few paths have: control characters but newline, backslashes, colons."""


def parse_relative_path(text: object) -> str:
    """Return a path that stays below the folder it is relative to.

    Raises:
        ValueError: it may leave the folder, or is not in its simplest form; says why.
    """
    if not isinstance(text, str):
        raise ValueError(f"expected a path, got {text!r}")  # noqa: TRY004 - one error for all that a document may hold
    if text.startswith("/"):
        raise ValueError(f"expected a relative path, got {text!r}")
    if not {"", ".", ".."}.isdisjoint(text.split("/")):
        raise ValueError(f"expected a path without an empty, `.` or `..` part, got {text!r}")
    if _CONTROL.search(text):
        raise ValueError(f"expected a path without control characters, got {text!r}")
    if len(text) > _SHORT and (longest := max(len(part.encode()) for part in text.split("/"))) > LONGEST_NAME:
        raise ValueError(f"expected a path whose parts have at most {LONGEST_NAME} bytes, got one of {longest}")
    return text


def parse_prefix_path(text: object) -> str:
    """Return a path at which a package may have a file or a link in a prefix.

    Raises:
        ValueError: it may leave the prefix, or belongs to envgen and conda; says why.
    """
    if isinstance(text, str) and _USUAL.fullmatch(text) and text[: len(RESERVED)].lower() != RESERVED:
        return text
    path = parse_relative_path(text)
    if "\\" in path or _DRIVE.match(path):
        raise ValueError(f"expected a path with forward slashes and no drive, got {path!r}")
    if _IGNORED.sub("", path.partition("/")[0]).lower() == RESERVED:
        raise ValueError(f"expected a path outside `{RESERVED}/`, got {path!r}")
    return path


def parse_file_name(text: object) -> str:
    """Return a name that is one part of a path: it holds no slash.

    Raises:
        ValueError: it is none; says why.
    """
    name = parse_prefix_path(text)
    if "/" in name:
        raise ValueError(f"expected a name without a slash, got {name!r}")
    return name


def check_prefix_paths(paths: Sequence[object]) -> None:
    """Check many paths as `parse_prefix_path` does: 30,000 in 6 ms, as long as all are allowed and ASCII.

    Raises:
        ValueError: names the first path that is not allowed.
    """
    if not are_plain(paths):
        for path in paths:
            parse_prefix_path(path)


def folders_above(path: str) -> Iterator[str]:
    """Yield the folders above a path, innermost first; not the root."""
    while path := path.rpartition("/")[0]:
        yield path


def folders_of(paths: Iterable[str]) -> dict[str, str]:
    """Return every folder above some paths, each with the first of the paths that is below it."""
    found: dict[str, str] = {}
    for path in paths:
        above = path.rpartition("/")[0]
        while above and above not in found:  # what is in it has those above it there, too
            found[above] = path
            above = above.rpartition("/")[0]
    return found


def are_plain(paths: Sequence[object]) -> bool:
    """Return whether no path is suspicious, by searching all of them at once; False may be wrong, True never is."""
    try:
        parts = "/" + "/\n/".join(paths) + "/"  # type: ignore[arg-type]  # what is not text is found here
    except TypeError:
        return False
    return (
        parts.isascii()
        and parts.count("\n") == max(len(paths) - 1, 0)
        and len(parts.encode().translate(None, _UNUSUAL)) == len(parts)
        and "//" not in parts
        and max(map(len, paths), default=0) <= LONGEST_NAME  # type: ignore[arg-type]  # as above
        and not ("/." in parts and ("/./" in parts or "/../" in parts))
        and f"/{RESERVED}/" not in parts.lower()
    )
