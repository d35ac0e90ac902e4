from __future__ import annotations

import threading

from envgen.cli import main


def test_a_thread_that_was_never_started_is_not_waited_for() -> None:
    thread = threading.Thread(target=print)
    threading._limbo[thread] = thread  # type: ignore[attr-defined]  # as an interrupt in `start` leaves it
    try:
        assert thread in main._others()
        main._wait_for_threads(130)
    finally:
        del threading._limbo[thread]  # type: ignore[attr-defined]
