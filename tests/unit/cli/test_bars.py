"""What a progress bar says, given a clock that a test moves."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from envgen.cli.bars import new_bars


def said(unit: str, *, total: int | None, steps: int, amount: int) -> str:
    """Draw a bar after some steps of a second each."""
    now = [0.0]
    out = io.StringIO()
    shown = new_bars(Console(file=out, force_terminal=True, width=200))
    shown.get_time = lambda: now[0]
    task = shown.add_task("downloading", total=total, unit=unit)
    for _ in range(steps):
        now[0] += 1
        shown.advance(task, amount)
    console = Console(file=(text := io.StringIO()), width=200)
    console.print(shown.get_renderable())
    return text.getvalue()


@pytest.mark.parametrize(
    ("steps", "expected"), [(5, "10.0 MB/s, 0:01:35 left"), (50, "10.0 MB/s, 0:00:50 left"), (1, "10.0 MB of 1.0 GB")]
)
def test_rate_and_what_is_left(steps: int, expected: str) -> None:
    assert expected in said("bytes", total=10**9, steps=steps, amount=10**7)


@pytest.mark.parametrize(
    ("still", "expected"), [(10, "6.7 MB/s, 0:01:30 left"), (20, "3.3 MB/s, 0:03:00 left"), (30, "0 B/s")]
)
def test_a_transfer_that_stands_still_shows_a_falling_rate(still: int, expected: str) -> None:
    now = [0.0]
    shown = new_bars(Console(file=io.StringIO(), force_terminal=True, width=200))
    shown.get_time = lambda: now[0]
    task = shown.add_task("downloading", total=10**9, unit="bytes")
    text = ""
    for second in range(40 + still):
        now[0] += 1
        if second < 40:
            shown.advance(task, 10**7)
        with (console := Console(file=io.StringIO(), width=200)).capture() as captured:
            console.print(shown.get_renderable())
        text = captured.get()
    assert expected in text


def test_without_a_total_only_the_rate() -> None:
    text = said("bytes", total=None, steps=5, amount=10**7)
    assert "10.0 MB/s" in text
    assert "left" not in text


def test_packages_have_no_rate() -> None:
    text = said("packages", total=100, steps=5, amount=1)
    assert "5 of 100 packages" in text
    assert "/s" not in text
