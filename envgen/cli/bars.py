"""Progress bars on a terminal."""

from __future__ import annotations

import datetime as dt
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


class _Amount(bars.ProgressColumn):
    """`1.2/4.6 GB` for bytes, `12/130 packages` for the rest."""

    def render(self, task: bars.Task) -> rich.console.RenderableType:
        unit = task.fields["unit"]
        if unit == "bytes":
            done, total = human_size(int(task.completed)), "?" if task.total is None else human_size(int(task.total))
            return f"{done} of {total}"
        return f"{int(task.completed)} of {'?' if task.total is None else int(task.total)} {unit}"


class _Rate(bars.ProgressColumn):
    """`12.3 MB/s, 0:05:10 left` for bytes, by the last half minute; nothing before there is anything to go by."""

    def render(self, task: bars.Task) -> rich.console.RenderableType:
        if task.fields["unit"] != "bytes" or task.speed is None or (task.elapsed or 0) < _ENOUGH:
            return ""
        left = task.time_remaining
        rate = f"{human_size(int(task.speed))}/s"
        return rate if left is None else f"{rate}, {dt.timedelta(seconds=round(left))} left"
