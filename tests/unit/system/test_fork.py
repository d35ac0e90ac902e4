"""Two processes share work: each item is done once, and both tell what went wrong."""

from __future__ import annotations

import errno
import gc
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from envgen.system import fork
from envgen.system.fork import shared


@pytest.fixture(autouse=True)
def two_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many this machine has."""
    monkeypatch.setattr(fork, "has_room", lambda: True)


def whose(item: int) -> tuple[int, int]:
    time.sleep(0.01)
    return item, os.getpid()


def test_each_item_is_done_once_by_one_of_two() -> None:
    with shared(range(40), whose) as finish:
        found = finish()
    assert [item for item, _ in found] == list(range(40))
    processes = {process for _, process in found}
    assert len(processes) == 2
    assert os.getpid() in processes


def test_no_item_is_done_twice(tmp_path: Path) -> None:
    """More items than a pipe holds, and so little work that both processes ask for the next one at once."""
    with (tmp_path / "done").open("ab", buffering=0) as done:
        with shared(range(30_000), lambda number: done.write(number.to_bytes(8, "big"))) as finish:
            assert len(finish()) == 30_000
        raw = (tmp_path / "done").read_bytes()
    assert sorted(raw[at : at + 8] for at in range(0, len(raw), 8)) == [n.to_bytes(8, "big") for n in range(30_000)]


def test_the_other_process_works_while_the_block_lasts(tmp_path: Path) -> None:
    with shared([tmp_path / "a", tmp_path / "b"], Path.touch) as finish:
        deadline = time.monotonic() + 10
        while not (tmp_path / "b").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        assert (tmp_path / "b").exists()
        finish()


def test_a_block_that_fails_ends_the_other_process(tmp_path: Path) -> None:
    def write(number: int) -> None:
        time.sleep(0.01)
        (tmp_path / str(number)).touch()

    with pytest.raises(LookupError), shared(range(10_000), write):
        raise LookupError
    before = len(list(tmp_path.iterdir()))
    time.sleep(0.1)
    assert len(list(tmp_path.iterdir())) == before


@pytest.mark.parametrize("item", [0, 1])
def test_what_work_raised_is_raised_whichever_process_it_was_in(item: int) -> None:
    """One process has both items or each has one; the failure is the same."""

    def work(number: int) -> int:
        time.sleep(0.05)
        if number == item:
            raise OSError(errno.ENOSPC, "no space left", "/there")
        return number

    with pytest.raises(OSError, match="no space left") as caught, shared([0, 1], work) as finish:
        finish()
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, "/there")


def test_what_a_process_had_when_it_was_killed_is_done_again() -> None:
    here = os.getpid()

    def work(number: int) -> tuple[int, int]:
        if os.getpid() != here and number > 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return whose(number)

    with shared(range(20), work) as finish:
        time.sleep(0.2)
        assert finish() == [(number, here) for number in range(20)]


def test_progress_counts_all_items() -> None:
    counts: list[int] = []
    with shared(range(30), whose, counts.append) as finish:
        finish()
    assert sum(counts) == 30
    assert len(counts) > 1


@pytest.mark.parametrize("name", ["fork", "memfd_create"])
@pytest.mark.parametrize(
    "reason", [None, BlockingIOError(errno.EAGAIN, "too many processes"), RuntimeError("os.fork is unsafe")], ids=str
)
def test_without_another_process_this_one_does_all(
    name: str, reason: Exception | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: str) -> int:
        assert reason
        raise reason

    monkeypatch.setattr(fork, "has_room", lambda: reason is not None)
    monkeypatch.setattr(os, name, refuse)
    counts: list[int] = []
    with shared(range(3), whose, counts.append) as finish:
        assert finish() == [(number, os.getpid()) for number in range(3)]
    assert sum(counts) == 3


def test_a_thread_does_all_itself() -> None:
    def work() -> list[tuple[int, int]]:
        with shared(range(3), whose) as finish:
            return finish()

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(work).result() == [(number, os.getpid()) for number in range(3)]


def test_no_process_and_no_file_is_left() -> None:
    def held() -> tuple[int, str]:
        return len([*Path("/proc/self/fd").iterdir()]), Path("/proc/thread-self/children").read_text()

    gc.collect()  # what other tests left open is closed now, not below
    before = held()
    for _ in range(3):
        with shared(range(4), whose) as finish:
            finish()
        with shared(range(4), whose):
            pass
    assert held() == before
