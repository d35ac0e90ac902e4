"""How many rounds each path of `accel bench` gets, what is left out, and how long the rest takes.

Without a limit every path gets the same number of rounds. With one (`--quick`) the paths that are left share the time
that is left, so that a slow machine gets fewer rounds and not a longer wait. Standard library only.
"""

from __future__ import annotations

import contextlib
import math
import statistics
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

LEAST = 2
"""Rounds that every path gets: one round shows no spread."""

_PLANNED = 0.9
"""Share of the limit that is planned for: what a path needs is known only afterwards."""

_MINUTES_FROM = 90


class Pace:
    """The pace of one run.

    Args:
        batches: examples in a call, in the order of measuring.
        paths: besides plain torch, for each batch.
        most: rounds of a path.
        limit: seconds for everything; None for no limit.
        clock: seconds that only go forward.
    """

    def __init__(
        self,
        batches: Sequence[int],
        paths: int,
        *,
        most: int,
        limit: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._left = dict.fromkeys(batches, paths)
        self._weights = {batch: math.sqrt(batch) for batch in batches}  # a call grows with its batch, a start does not
        self._most = most
        self._limit = limit
        self._clock = clock
        self._started = self._begun = clock()
        self._took: dict[int, list[float]] = {batch: [] for batch in batches}

    @property
    def limit(self) -> float | None:
        """Seconds for everything; None for no limit."""
        return self._limit

    def late(self, batch: int) -> bool:
        """Return whether another path with this batch would go beyond the limit, by what paths needed so far."""
        return self._limit is not None and self._elapsed() + self._needs(batch) > self._limit

    def rounds(self, batch: int) -> Iterator[int]:
        """Yield the numbers of the rounds of one path, from 0: `LEAST` at least, then as many as its time allows."""
        end = self._begun + self._share(batch)
        for number in range(self._most):
            if number >= LEAST and self._clock() >= end:
                return
            yield number

    @contextlib.contextmanager
    def timed(self, batch: int) -> Iterator[None]:
        """Count the time of a path with this batch, its start and preparation included."""
        self._begun = self._clock()
        try:
            yield
        finally:
            self._took[batch].append(self._clock() - self._begun)
            self.skip(batch)

    def skip(self, batch: int) -> None:
        """Count a path with this batch as done."""
        self._left[batch] -= 1

    def remaining(self) -> str:
        """Return `, about 40 s left` or `, about 7 min left`; empty before the first path is done."""
        if not any(self._took.values()):
            return ""
        seconds = sum(count * self._needs(batch) for batch, count in self._left.items())
        if self._limit is not None:
            seconds = min(seconds, max(0.0, self._limit - self._elapsed()))
        minutes = seconds >= _MINUTES_FROM
        return f", about {seconds / 60:.0f} min left" if minutes else f", about {seconds:.0f} s left"

    def _elapsed(self) -> float:
        return self._clock() - self._started

    def _needs(self, batch: int) -> float:
        """Return the seconds of one path, the median so far; of another batch, scaled, where this one has none."""
        if known := self._took[batch]:
            return statistics.median(known)
        known_too = [
            statistics.median(seconds) * self._weights[batch] / self._weights[other]
            for other, seconds in self._took.items()
            if seconds
        ]
        return max(known_too, default=0.0)

    def _share(self, batch: int) -> float:
        """Return the seconds that the path that was begun may take: its part of what was left then."""
        if self._limit is None:
            return math.inf
        whole = sum(self._left[other] * weight for other, weight in self._weights.items())
        left = _PLANNED * self._limit - (self._begun - self._started)
        return max(0.0, left) * self._weights[batch] / whole
