"""Progress bars on a terminal."""

from __future__ import annotations

import datetime as dt
from collections import deque
from typing import TYPE_CHECKING

from rich import progress as bars

from envgen.cli.sizes import human_size

if TYPE_CHECKING:
    import rich.console


def new_bars(talk: rich.console.Console) -> bars.Progress:
    """Return an empty set of bars, which is drawn only on a terminal."""
    return bars.Progress(
        bars.SpinnerColumn(),
        bars.TextColumn("{task.description}", markup=False),
        bars.BarColumn(bar_width=30),
        _Amount(),
        _Rate(),
        bars.TimeElapsedColumn(),
        console=talk,
        transient=True,
        disable=not talk.is_terminal,
    )


_ENOUGH = 2.0
"""Seconds after which a rate means something; the first bytes come slowly."""


_WINDOW = 30.0
"""Seconds that a rate is the mean of."""


class _Amount(bars.ProgressColumn):
    """`1.2/4.6 GB` for bytes, `12/130 packages` for the rest."""

    def render(self, task: bars.Task) -> rich.console.RenderableType:
        unit = task.fields["unit"]
        if unit == "bytes":
            return f"{human_size(int(task.completed))} of {human_size(int(task.total)) if task.total else '?'}"
        return f"{int(task.completed)} of {'?' if task.total is None else int(task.total)} {unit}"


class _Rate(bars.ProgressColumn):
    """`12.3 MB/s, 0:05:10 left` for bytes, by the last half minute; nothing before there is anything to go by.

    rich's own speed is that of the time until the last bytes came: a transfer that stands still would seem to go on.
    """

    def __init__(self) -> None:
        super().__init__()
        self._seen: dict[bars.TaskID, deque[tuple[float, float]]] = {}

    def render(self, task: bars.Task) -> rich.console.RenderableType:
        if task.fields["unit"] != "bytes" or task.start_time is None or (task.elapsed or 0) < _ENOUGH:
            return ""
        speed = self._speed(task, since=task.start_time)
        rate = f"{human_size(int(speed))}/s"
        if speed <= 0 or task.remaining is None:
            return rate
        return f"{rate}, {dt.timedelta(seconds=round(task.remaining / speed))} left"

    def _speed(self, task: bars.Task, *, since: float) -> float:
        """Return bytes a second over the last `_WINDOW` seconds, whether or not something came in them."""
        now = task.get_time()
        seen = self._seen.setdefault(task.id, deque([(since, 0.0)]))
        if now - seen[-1][0] >= 1:
            seen.append((now, task.completed))
        while len(seen) > 1 and now - seen[1][0] >= _WINDOW:
            seen.popleft()
        then, before = seen[0]
        return (task.completed - before) / (now - then)
