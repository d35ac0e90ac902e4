"""The last gate before a lock is written: nothing of this machine, its user or their secrets may stand in it."""

from __future__ import annotations

import re

from envgen.errors import LockError
from envgen.urls import has_token

_LEAKS = (
    (re.compile(r"://[^/\s'\"]*@"), "credentials in a URL"),
    (re.compile(r"(?<![\w.])(?:/|file:/+)(?:home|Users|root)/"), "a path of somebody's home"),
    (re.compile(r"\b[A-Za-z]:\\"), "a path of Windows"),
)
"""What must not stand in a lock, besides tokens in URLs."""

_URL = re.compile(r"\w+://[^\s'\"]+")


def refuse_leaks(text: str, *, where: str) -> None:
    """Check the text of a lock.

    Raises:
        LockError: it holds a secret or the path of a home; the message names the line, never the secret.
    """
    for number, line in enumerate(text.splitlines(), start=1):
        if what := _leak(line):
            raise LockError(
                f"{where}: line {number} would hold {what}, so the lock is not written",
                hint="write channels without credentials, and local ones as paths relative to the project",
            )


def _leak(line: str) -> str | None:
    if any(map(has_token, _URL.findall(line))):
        return "a token in a URL"
    return next((what for pattern, what in _LEAKS if pattern.search(line)), None)
