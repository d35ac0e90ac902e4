"""When what is made from a lock is said to be made: a function of the lock, never of the clock.

The youngest wheel is the earliest moment at which the lock could have been. Locks that do not hold it have
`exclude-newer`, or the dates of the releases of Debian that their packages came from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from envgen.packages import Wheel

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from envgen.lock.debian_lock import DebianLock
    from envgen.lock.model import Lock
    from envgen.packages import Package


def date_of(lock: Lock, debian: DebianLock | None) -> dt.datetime | None:
    """Return when a lock could have been made; None where nothing in it has a date.

    Args:
        lock: for one platform.
        debian: the lock beside it.
    """
    releases = debian.releases.values() if debian else ()
    return lock.newest_upload or lock.exclude_newer or max(releases, default=None)


def newest_upload(found: dt.datetime | None, packages: Sequence[Package], old: Lock | None) -> dt.datetime | None:
    """Return the date that a new lock holds: an index without dates does not remove the one of the same wheels.

    Args:
        found: as the index says.
        packages: of the new lock.
        old: the lock before.
    """
    if found or old is None:
        return found and found.replace(microsecond=0)
    wheels = tuple(package for package in packages if isinstance(package, Wheel))
    return old.newest_upload if {w.sha256 for w in wheels} == {w.sha256 for w in old.wheels} else None
