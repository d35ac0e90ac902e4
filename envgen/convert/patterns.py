"""Patterns of paths, as `.gitignore` and rattler-build read them: `*` stays within a folder, `**` does not."""

from __future__ import annotations

import difflib
import posixpath
import re
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_TOKEN = re.compile(r"\*\*/|/\*\*$|\*|\?|(?:(?!/\*\*$)[^*?])+")
_MEANING = {"**/": "(?:.*/)?", "/**": "/.*", "*": "[^/]*", "?": "[^/]"}


@lru_cache(maxsize=256)
def compile_pattern(pattern: str) -> re.Pattern[str]:
    """Make a regular expression that matches the whole of each path that is meant.

    `usr/share/man/**` is all below that folder, `**/*.a` any file of that ending, `usr/bin/*` what is right there.
    """
    return re.compile("".join(_MEANING.get(part) or re.escape(part) for part in _TOKEN.findall(pattern)))


def nearest_paths(pattern: str, paths: Iterable[str], *, most: int = 2) -> tuple[str, ...]:
    """Return the paths that a pattern which matches nothing was likely meant for, most likely first.

    They have the pattern's own last name, wherever they are, or are spelled alike.
    """
    every = sorted(paths)
    name = posixpath.basename(pattern.removesuffix("/**"))
    named = [_up_to(path, name) for path in every if name in path.split("/")] if name.strip("*?") else []
    folders = {posixpath.dirname(path) for path in every}
    plain = pattern.rstrip("*/")
    alike = difflib.get_close_matches(plain, [*every, *sorted(folders)], n=most, cutoff=0.6)
    found = dict.fromkeys((*alike, *named))
    return tuple(sorted(found, key=lambda path: -difflib.SequenceMatcher(None, plain, path).ratio()))[:most]


def _up_to(path: str, name: str) -> str:
    parts = path.split("/")
    return "/".join(parts[: parts.index(name) + 1])
