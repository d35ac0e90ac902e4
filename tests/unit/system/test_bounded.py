from __future__ import annotations

import threading
import time

import pytest

from envgen.system.bounded import Attempt


def test_what_is_done_in_time() -> None:
    assert Attempt(lambda: 42).result(10) == 42


def test_what_hangs_is_left_alone() -> None:
    let_go = threading.Event()
    began = time.monotonic()
    hanging = Attempt(let_go.wait)
    assert hanging.result(0.05) is None
    assert time.monotonic() - began < 5
    let_go.set()
    assert hanging.result(10) is True


def test_what_goes_wrong_is_raised_to_who_waits() -> None:
    def fail() -> int:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        Attempt(fail).result(10)
