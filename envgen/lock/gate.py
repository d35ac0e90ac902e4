"""The last gate before a lock is written: nothing of this machine, its user or their secrets may stand in it."""

from __future__ import annotations

import re

from envgen.errors import LockError

_LEAKS = (
    (re.compile(r"://[^/\s'\"]*@"), "credentials in a URL"),
    (re.compile(r"/t/[^/\s'\"$]+/"), "a token in a URL"),
    (re.compile(r"(?<![\w.])(?:/|file:/+)(?:home|Users|root)/"), "a path of somebody's home"),
    (re.compile(r"\b[A-Za-z]:\\"), "a path of Windows"),
)
"""What must not stand in a lock. Tokens are conda's form, `https://host/t/<token>/channel`; `${X}` is a placeholder."""


def refuse_leaks(text: str, *, where: str) -> None:
    """Check the text of a lock.

    Raises:
        LockError: it holds a secret or the path of a home; the message names the line, never the secret.
    """
    for number, line in enumerate(text.splitlines(), start=1):
        for pattern, what in _LEAKS:
            if pattern.search(line):
                raise LockError(
                    f"{where}: line {number} would hold {what}, so the lock is not written",
                    hint="write channels without credentials, and local ones as paths relative to the project",
                )
