"""`exclude-newer: 7 days`: an age in the spec, and a date in the lock, so that a lock does not depend on the day."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envgen.structs import replace

if TYPE_CHECKING:
    import datetime as dt

    from envgen.lock.model import Lock
    from envgen.manifest.env_spec import EnvSpec


def dated(spec: EnvSpec, lock: Lock | None, *, now: dt.datetime) -> EnvSpec:
    """Return a spec whose age is a date: the one that a lock was solved with, or else the one of a solve today.

    Args:
        spec: any; one without an age stays as it is.
        lock: that is compared with the spec; None for a new solve.
        now: aware. Dates begin at midnight in UTC, so that locks of one day have one.
    """
    if spec.cooldown is None:
        return spec
    today = (now - spec.cooldown).replace(hour=0, minute=0, second=0, microsecond=0)
    return replace(spec, exclude_newer=(lock.exclude_newer if lock else None) or today)
