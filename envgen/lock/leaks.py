"""The last gate before a lock is written: it must not contain data of this machine, its user or their secrets."""

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
                f"{where}: not written: line {number} would contain {what}",
                hint="write channel URLs without credentials, and local channels as paths relative to the project",
            )
