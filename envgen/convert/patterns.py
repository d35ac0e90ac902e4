"""Patterns of paths, as `.gitignore` and rattler-build read them: `*` stays within a folder, `**` does not."""

from __future__ import annotations

import re
from functools import lru_cache

_TOKEN = re.compile(r"\*\*/|/\*\*$|\*|\?|(?:(?!/\*\*$)[^*?])+")
_MEANING = {"**/": "(?:.*/)?", "/**": "/.*", "*": "[^/]*", "?": "[^/]"}


@lru_cache(maxsize=256)
def compile_pattern(pattern: str) -> re.Pattern[str]:
    """Make a regular expression that matches the whole of each path that is meant.

    `usr/share/man/**` is all below that folder, `**/*.a` any file of that ending, `usr/bin/*` what is right there.
    """
    return re.compile("".join(_MEANING.get(part) or re.escape(part) for part in _TOKEN.findall(pattern)))
