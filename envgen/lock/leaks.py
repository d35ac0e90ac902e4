"""The last gate before a lock is written: nothing of this machine, its user or their secrets may stand in it."""

from __future__ import annotations

from envgen.errors import LockError
from envgen.urls import leak


def refuse_leaks(text: str, *, where: str) -> None:
    """Check the text of a lock.

    Raises:
        LockError: it holds a secret or the path of a home; the message names the line, never the secret.
    """
    for number, line in enumerate(text.splitlines(), start=1):
        if what := leak(line):
            raise LockError(
                f"{where}: line {number} would hold {what}, so the lock is not written",
                hint="write channels without credentials, and local ones as paths relative to the project",
            )
