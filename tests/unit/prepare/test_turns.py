"""Work is handed out from both ends, so many at once, and more while the machine is idle."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from envgen.prepare.turns import Load, Turns


def test_one_takes_the_smallest_and_all_others_the_largest() -> None:
    turns = Turns([900, 700, 500, 30, 20, 10], at_once=9)
    with ExitStack() as all_of_them:
        with turns.next() as small:
            first = [all_of_them.enter_context(turns.next()) for _ in range(2)]
        with turns.next() as next_small:
            last = all_of_them.enter_context(turns.next())
    assert (small, first, next_small, last) == (10, [900, 700], 20, 500)


def test_each_is_handed_out_once() -> None:
    turns = Turns(range(200), at_once=4)

    def take(_: int) -> int:
        with turns.next() as item:
            return item

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(take, range(200))) == list(range(200))
    with pytest.raises(IndexError), turns.next():
        pass


def test_a_fault_leaves_the_place_to_the_next() -> None:
    turns = Turns([1, 2, 3], at_once=1)
    with pytest.raises(RuntimeError), turns.next():
        raise RuntimeError
    with turns.next() as item:
        assert item == 2  # from the small end again


def test_no_more_than_so_many_at_once_until_it_is_widened() -> None:
    turns, begun, go_on = Turns(range(10), at_once=1), threading.Semaphore(0), threading.Event()

    def work(_: int) -> None:
        with turns.next():
            begun.release()
            assert go_on.wait(10)

    with ThreadPoolExecutor(2) as pool:
        running = [pool.submit(work, number) for number in range(2)]
        try:
            assert begun.acquire(timeout=10)
            assert not begun.acquire(timeout=0.1)
            turns.widen()
            assert begun.acquire(timeout=10)
        finally:
            go_on.set()
        for one in running:
            one.result()


@pytest.mark.parametrize(("spent", "is_low"), [(0.3, True), (1.9, False)])
def test_the_load_is_that_of_all_cores(spent: float, is_low: bool) -> None:
    now = [0.0, 0.0]
    load = Load(2, clock=lambda: now[0], spent=lambda: now[1])
    now[:] = [0.5, 0.0]
    assert not load.is_low(), "half a second says too little"
    now[:] = [1.0, spent]
    assert load.is_low() is is_low
    now[:] = [1.5, spent]
    assert not load.is_low()
