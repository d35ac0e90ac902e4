"""How old a release of a suite is: beside what is locked, and beside the clock.

A signature does not say that a release is the current one, and Debian's stable suites never expire. So a mirror can lag
behind, or replay an old state with holes that were closed since.
"""

from __future__ import annotations

import datetime as dt
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from debian.debian_support import Version
from msgspec import Struct, field

from envgen.errors import SignatureError
from envgen.moments import in_bounds

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from envgen.debs import Deb
    from envgen.sources.debian_release import Release

_TOLERANCE = dt.timedelta(days=1)
"""How far clocks may be apart: time zones that are set wrongly differ by less."""


class LockedDebs(Struct, frozen=True, kw_only=True):
    """Packages of Debian that are locked for one recipe, or for the base of an image.

    Attributes:
        debs: all of them.
        dates: suite -> date of the release that they came from, aware, where it is known.
    """

    debs: tuple[Deb, ...] = ()
    dates: Mapping[str, dt.datetime] = field(default_factory=dict)

    def newer_than(self, releases: Iterable[Release]) -> tuple[Release, ...]:
        """Return the releases that are older than the ones these packages came from."""
        return tuple(r for r in releases if r.suite in self.dates and r.date < self.dates[r.suite])

    def lowered(self, debs: Iterable[Deb]) -> tuple[tuple[Deb, Deb], ...]:
        """Pair each locked package with one of `debs` that has its name and an older version."""
        locked = {deb.name: deb for deb in self.debs}
        pairs = ((locked[deb.name], deb) for deb in debs if deb.name in locked)
        return tuple((old, new) for old, new in pairs if Version(new.version) < Version(old.version))


def refuse_rollback(late: Sequence[Release], locked: LockedDebs, debs: Iterable[Deb]) -> None:
    """Refuse packages from older releases than the lock's where one would have an older version.

    Raises:
        SignatureError: one would.
    """
    lowered = locked.lowered(debs)
    if late and lowered:
        raise SignatureError(
            f"{_of(late[0], locked)}, and would downgrade {_listed(lowered)}",
            hint="use another mirror of Debian; to accept the older packages, remove the lock and run `envgen lock`",
        )


def remarks_on_age(late: Iterable[Release], locked: LockedDebs, debs: Iterable[Deb]) -> Iterator[str]:
    """Report which releases are older than the lock's, or else which packages get an older version all the same."""
    said = [f"{_of(one, locked)}: the mirror is behind, locked Debian packages are kept" for one in late]
    yield from said
    lowered = locked.lowered(debs)
    if lowered and not said:
        yield f"Debian now offers older versions than are locked: {_listed(lowered)}"


def remark_on_clock(release: Release, *, headers: Mapping[str, str], where: str, now: dt.datetime) -> str | None:
    """Report that the clock of this machine is not right, by what a server says or by a release from the future.

    Args:
        release: as the server sent it.
        headers: of its answer, lower-case names.
        where: the server, as messages call it.
        now: this machine's time, aware.
    """
    told = _server_time(headers)
    if told and abs(told - now) > _TOLERANCE:
        return (
            f"this machine's clock says {_date(now)}, {where} says {_date(told)}: expiry of releases is judged wrongly"
        )
    if release.date > now + _TOLERANCE:
        return f"`InRelease` of {release.suite} is dated {_date(release.date)}, this machine's clock says {_date(now)}"
    return None


def _server_time(headers: Mapping[str, str]) -> dt.datetime | None:
    """Read when an answer was sent; a cache on the way says how long it had it (RFC 9111, 5.1)."""
    age = headers.get("age", "0")
    seconds = int(age) if age.isdecimal() and len(age) < len("1000000000") else 0
    try:
        sent = in_bounds(parsedate_to_datetime(headers.get("date", "")))
        aware = sent.astimezone(dt.UTC) if sent.tzinfo else sent.replace(tzinfo=dt.UTC)
        return aware + dt.timedelta(seconds=seconds)
    except (ValueError, OverflowError):
        return None


def _of(release: Release, locked: LockedDebs) -> str:
    dates = f"{_date(release.date)}, the lock was made from one of {_date(locked.dates[release.suite])}"
    return f"`InRelease` of {release.suite} is of {dates}"


def _listed(lowered: Iterable[tuple[Deb, Deb]]) -> str:
    return ", ".join(f"`{old.name}` from {old.version} to {new.version}" for old, new in lowered)


def _date(moment: dt.datetime) -> str:
    return f"{moment.astimezone(dt.UTC):%Y-%m-%d %H:%M} UTC"
