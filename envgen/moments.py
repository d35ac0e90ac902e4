"""Moments from outside: aware, and far enough from the ends of what dates can be that one may reckon with them."""

from __future__ import annotations

import datetime as dt

_FIRST, _LAST = 1900, 9000
"""Years. `0001-01-01T00:00:00+14:00` has no counterpart in UTC, and `9999-12-31` no day after it."""


def parse_moment(text: str) -> dt.datetime:
    """Parse a moment as ISO 8601 and RFC 3339 have it; naive where it names no zone.

    Raises:
        ValueError: it is not one, or far from any year that people mean.
    """
    return in_bounds(dt.datetime.fromisoformat(text))


def in_bounds(moment: dt.datetime) -> dt.datetime:
    """Return a moment as it is.

    Raises:
        ValueError: it is far from any year that people mean.
    """
    if not _FIRST <= moment.year <= _LAST:
        raise ValueError(f"the year {moment.year} is not between {_FIRST} and {_LAST}")
    return moment
