"""What was optimised, what was not, and why: counted while a script runs, printed at its end."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_SHOWN = 20
"""Models that a report lists; the rest are counted."""


@dataclass(slots=True, kw_only=True)
class Entry:
    """One model.

    Attributes:
        name: its class.
        weights: its number of parameters.
        programs: how many were made for it, one for each set of shapes and once more when its weights changed.
        seconds: spent on making them.
        optimised: calls that a program served.
        untouched: reason -> calls that ran without this package.
    """

    name: str
    weights: int
    programs: int = 0
    seconds: float = 0.0
    optimised: int = 0
    untouched: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def served(self) -> None:
        """Count a call of a program."""
        with self._lock:
            self.optimised += 1

    def left(self, reason: str) -> None:
        """Count a call that was not optimised."""
        with self._lock:
            self.untouched[reason] += 1

    def made(self, seconds: float) -> None:
        """Count a program."""
        with self._lock:
            self.programs += 1
            self.seconds += seconds


@dataclass(slots=True, kw_only=True)
class Report:
    """The models of this process, in the order in which they were first called."""

    title: str = ""
    entries: list[Entry] = field(default_factory=list)

    def entry(self, name: str, weights: int) -> Entry:
        """Return a new entry for a model."""
        self.entries.append(Entry(name=name, weights=weights))
        return self.entries[-1]

    def lines(self) -> Iterator[str]:
        """Yield the report for people."""
        yield f"accel: {self.title}"
        told = [entry for entry in self.entries if entry.weights]
        if not told:
            yield "  no model was called"
        for entry in told[:_SHOWN]:
            yield from _told(entry)
        if len(told) > _SHOWN:
            yield f"  and {len(told) - _SHOWN} more models"


def _told(entry: Entry) -> Iterator[str]:
    calls = entry.optimised + entry.untouched.total()
    name = f"{entry.name} ({entry.weights / 1e6:.1f} M weights)"
    if entry.optimised:
        made = f"{entry.programs} program{'s' if entry.programs != 1 else ''} made in {entry.seconds:.1f} s"
        yield f"  {name}: {entry.optimised} of {calls} calls optimised; {made}"
    else:
        yield f"  {name}: left alone in all of {calls} calls"
    for reason, count in entry.untouched.most_common():
        yield f"    {count} left alone: {reason}"
