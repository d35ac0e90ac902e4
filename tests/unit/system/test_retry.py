from __future__ import annotations

import pytest

from envgen.errors import NetworkError
from envgen.structs import replace
from envgen.system.retry import RetryPolicy, TransientError, delay


def fault(*, moved: int = 0, hint: str | None = None) -> TransientError:
    error = TransientError("broken", hint=hint)
    error.moved = moved
    return error


class Work:
    def __init__(self, *faults: Exception) -> None:
        self.faults = list(faults)
        self.waits: list[float] = []
        self.notes: list[str] = []
        self.retry = RetryPolicy(sleep=self.waits.append, jitter=lambda: 0.0, note=self.notes.append)

    def once(self) -> str:
        if self.faults:
            raise self.faults.pop(0)
        return "done"


def test_waits_grow() -> None:
    assert [delay(failures, 0.0) for failures in range(1, 8)] == [0.5, 1, 2, 4, 8, 8, 8]
    assert delay(1, 0.5) == 0.375


def test_success_after_failures() -> None:
    work = Work(*(fault() for _ in range(4)))
    assert work.retry.call(work.once, hint="") == "done"
    assert work.waits == [0.5, 1, 2, 4]
    assert work.notes == ["broken; trying again"] * 4


def test_requests_that_fail_alike_are_told_once() -> None:
    work = Work()
    for _ in range(20):
        work.faults = [fault(), fault()]
        work.retry.call(work.once, hint="")
    assert work.notes == ["broken; trying again"] * 2


@pytest.mark.parametrize(("own", "told"), [(None, "general"), ("own", "own")])
def test_giving_up(own: str | None, told: str) -> None:
    work = Work(*(fault(hint=own) for _ in range(5)))
    with pytest.raises(NetworkError, match="broken, after 5 tries") as caught:
        work.retry.call(work.once, hint="general")
    assert caught.value.hint == told
    assert type(caught.value) is NetworkError


def test_progress_counts_as_a_fresh_start() -> None:
    work = Work(*(fault(moved=1 << 20) for _ in range(20)))
    assert work.retry.call(work.once, hint="") == "done"
    assert set(work.waits) == {0.5}


def test_other_faults_pass_at_once() -> None:
    work = Work(NetworkError("refused"))
    with pytest.raises(NetworkError, match=r"^refused$"):
        work.retry.call(work.once, hint="")
    assert work.waits == []


def test_one_attempt_is_not_counted_in_words() -> None:
    work = Work(fault())
    work.retry = replace(work.retry, attempts=1)
    with pytest.raises(NetworkError, match=r"^broken$"):
        work.retry.call(work.once, hint="")
    assert work.waits == []
