"""Ctrl-C: one line and exit code 130, at whatever moment it comes. Imported before everything else, so it is light."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
"""Known to type checkers; `typing` itself takes 5 ms, in which nobody would hear the signal."""

if TYPE_CHECKING:
    import signal
    from types import FrameType
    from typing import NoReturn
else:
    import _signal as signal  # `signal` itself imports `enum`, which takes 4 to 15 ms

INTERRUPTED = 130
"""Exit code: 128 + SIGINT, as shells report it."""

TOLD = "interrupted; run the same command again to continue"

_PATIENCE = 1.2
"""Seconds for work to throw away what it has begun; a thread that waits for a server may take a minute."""

_SHOW_CURSOR = b"\x1b[?25h"


class Interrupt:
    """The handler of SIGINT.

    Before work begins, nothing has to be cleaned up: the process ends in the handler, since many modules do not expect
    an exception while they are imported. Later the first signal raises `KeyboardInterrupt`, and the process ends when
    that has come through, at the latest after `_PATIENCE`; a second signal ends it at once.

    Attributes:
        working: whether work has begun that has to be cleaned up.
        seen: whether a signal has come during work.
        told: whether the user was told.
    """

    def __init__(self) -> None:
        self.working = False
        self.seen = False
        self.told = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Handle the signal.

        Raises:
            KeyboardInterrupt: work has begun.
        """
        del number, frame
        if self.seen or not self.working:
            self.leave()
        self.seen = True
        _silence()
        self._limit()
        raise KeyboardInterrupt

    def leave(self) -> NoReturn:
        """End the process without waiting for anything."""
        try:
            if not self.told:
                cursor = _SHOW_CURSOR if os.isatty(2) else b""  # a progress bar hides it
                _write(cursor + TOLD.encode() + b"\n")
            end_children()
        finally:
            os._exit(INTERRUPTED)

    def _limit(self) -> None:
        import threading  # noqa: PLC0415  takes 2 ms, which is for those who interrupt
        import time  # noqa: PLC0415

        def watch() -> None:
            time.sleep(_PATIENCE)
            self.leave()

        try:
            threading.Thread(target=watch, daemon=True).start()
        except RuntimeError:  # no thread can be started while the interpreter ends
            self.leave()


def install() -> None:
    """Handle SIGINT from now on; one that is ignored, as in `nohup envgen ... &`, stays so."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, Interrupt())


def current() -> Interrupt:
    """Return the handler in use, or one that never hears anything where the process has another one."""
    handler = signal.getsignal(signal.SIGINT)
    return handler if isinstance(handler, Interrupt) else Interrupt()


def end_children() -> None:
    """End the programs that run for us, if any were started."""
    end_all = getattr(sys.modules.get("envgen.system.process"), "end_all", None)  # it may be half imported
    if end_all:
        end_all()


def _silence() -> None:
    """Keep threads, destructors and event loops from telling how the interrupt ended them."""
    sys.unraisablehook = lambda _: None
    if "threading" in sys.modules:
        import threading  # noqa: PLC0415

        threading.excepthook = lambda _: None
    if logging := sys.modules.get("logging"):
        logging.disable()
    if warnings := sys.modules.get("warnings"):
        warnings.simplefilter("ignore")


def _write(text: bytes) -> None:
    try:
        os.write(2, text)
    except OSError:
        return  # nobody listens
