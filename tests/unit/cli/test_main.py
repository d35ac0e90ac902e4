from __future__ import annotations

import subprocess
import sys
import threading
from typing import TYPE_CHECKING

from envgen.cli import group, main

if TYPE_CHECKING:
    import pytest


def test_a_thread_that_was_never_started_is_not_waited_for() -> None:
    thread = threading.Thread(target=print)
    threading._limbo[thread] = thread  # type: ignore[attr-defined]  # as an interrupt in `start` leaves it
    try:
        assert thread in main._others()
        main._wait_for_threads(130)
    finally:
        del threading._limbo[thread]  # type: ignore[attr-defined]


def test_a_thread_that_died_of_memory_ends_the_process() -> None:
    """`Thread.start` would wait for it for ever."""
    code = (
        "import sys, threading\n"
        "from envgen.cli import main\n"
        "sys.unraisablehook = main._unraisable\n"
        "def fail(self):\n"
        "    raise MemoryError\n"
        "threading.Thread._bootstrap = fail\n"
        "threading.Thread(target=print).start()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr.splitlines()[0]) == (1, "error: out of memory")


def test_a_panic_of_a_library_is_an_internal_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class PanicException(BaseException):
        """As those of libraries in Rust, which are no `Exception`."""

    def panic(*_: object, **__: object) -> None:
        raise PanicException("index out of bounds")

    monkeypatch.setattr(group._envgen, "main", panic)
    assert group.invoke([]) == 70
    assert capsys.readouterr().err.splitlines()[-1] == "error: internal error: please report it with the lines above"
