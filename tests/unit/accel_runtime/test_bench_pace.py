"""How many rounds a path gets, with and without a limit; the clock is the test's own."""

from __future__ import annotations

from accel_runtime.bench_pace import LEAST, Pace


class Clock:
    """A clock that goes forward when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def path(pace: Pace, clock: Clock, batch: int, *, start: float, each: float) -> int:
    """Measure a path that takes `start` seconds to prepare and `each` seconds a round; its rounds."""
    with pace.timed(batch):
        clock.now += start
        count = 0
        for _ in pace.rounds(batch):
            clock.now += each
            count += 1
    return count


def test_without_a_limit_every_path_gets_all_rounds() -> None:
    clock = Clock()
    pace = Pace((1, 16), 2, most=8, clock=clock)
    assert [path(pace, clock, batch, start=100, each=100) for batch in (1, 1, 16, 16)] == [8] * 4
    assert not pace.late(16)


def test_a_fast_machine_gets_all_rounds_within_the_limit() -> None:
    clock = Clock()
    pace = Pace((1, 16), 11, most=8, limit=110, clock=clock)
    rounds = [path(pace, clock, batch, start=0.5, each=0.1 * batch**0.5) for batch in (1, 16) for _ in range(11)]
    assert set(rounds) == {8}
    assert clock.now < 110


def test_a_slower_machine_gets_fewer_rounds_and_stays_within_the_limit() -> None:
    clock = Clock()
    pace = Pace((1, 16), 11, most=8, limit=110, clock=clock)
    rounds = [path(pace, clock, batch, start=1, each=0.3 * batch**0.5) for batch in (1, 16) for _ in range(11)]
    assert min(rounds) >= LEAST
    assert max(rounds) < 8
    assert clock.now < 110


def test_what_does_not_fit_is_late() -> None:
    clock = Clock()
    pace = Pace((1, 16), 4, most=8, limit=110, clock=clock)
    assert not pace.late(16)  # nothing is known yet
    assert path(pace, clock, 1, start=15, each=5) == LEAST
    assert not pace.late(1)
    assert pace.late(16)  # 25 s with one example are 100 s with sixteen
    assert path(pace, clock, 16, start=60, each=1) == LEAST
    assert pace.late(16)


def test_the_time_left() -> None:
    clock = Clock()
    pace = Pace((1, 16), 11, most=8, clock=clock)
    assert pace.remaining() == ""
    path(pace, clock, 1, start=2, each=0)
    assert pace.remaining() == ", about 2 min left"  # 10 x 2 s, 11 x 8 s
    path(pace, clock, 16, start=5, each=0)
    assert pace.remaining() == ", about 70 s left"


def test_the_time_left_ends_with_the_limit() -> None:
    clock = Clock()
    pace = Pace((1, 16), 11, most=8, limit=110, clock=clock)
    path(pace, clock, 1, start=60, each=0)
    assert pace.remaining() == ", about 50 s left"
