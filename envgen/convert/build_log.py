"""Logs of builds: their end, and what in it says that memory ran out."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from envgen import limits
from envgen.urls import without_secrets_in

if TYPE_CHECKING:
    from pathlib import Path

TIMEOUT = "ENVGEN_BUILD_TIMEOUT"
"""Variable with the seconds that one step of a build may take."""

_NO_MEMORY = re.compile(
    r"^MemoryError\b|std::bad_alloc|Cannot allocate memory|Killed signal terminated program"
    r"|terminated by signal 9|Signals\.SIGKILL|\bout of memory\b|Killed\s*$|\bstatus 137\b",
    re.MULTILINE | re.IGNORECASE,
)
"""What backends, compilers, linkers and shells say where the kernel gave them no memory, or ended them for it."""


def lacks_memory(log: str, how: str) -> bool:
    """Return whether a build ended since memory ran out, as far as its log and the words for its end show it."""
    return how.endswith(("SIGKILL", "status 137")) or _NO_MEMORY.search(log) is not None


def tail(log: Path) -> list[str]:
    """Return the end of a log, with secrets in URLs masked."""
    try:
        with log.open("rb") as stream:
            stream.seek(0, 2)
            stream.seek(max(0, stream.tell() - (1 << 16)))
            text = stream.read().decode(errors="replace")
    except OSError:
        return []
    lines = without_secrets_in(text).splitlines()[-limits.BUILD_LOG_LINES :]
    return [line if len(line) <= limits.BUILD_LOG_LINE else f"{line[: limits.BUILD_LOG_LINE]} …" for line in lines]
