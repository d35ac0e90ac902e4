"""The entry of the `envgen` command: what has to be in place before anything else is imported, and the way out."""

from __future__ import annotations

import gc
import os
import sys

from envgen.cli import interrupt

TYPE_CHECKING = False  # see `interrupt`
if TYPE_CHECKING:
    from collections.abc import Sequence
    from threading import Thread
    from typing import NoReturn

_GRACE = 0.5
"""Seconds that threads have to end after a failure."""

_ALLOCATIONS = 1_000_000
"""New objects between two searches for unreachable cycles.

With 700, as Python has it, linking takes a sixth longer; with 100,000, a lock of 240 packages a twentieth.
"""

_TURN = 0.0005
"""Seconds that a thread may keep the interpreter from others that want it.

With 5 ms, as Python has it, threads that inflate and digest stand still while another one reads a zip directory: of
`create` with nothing cached, a tenth of the time.
"""

_UNWRITTEN = _REFUSED = 1
"""Exit code where the end of the output could not be written, or there is no memory."""


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and leave with an exit code of the table in `envgen.errors`."""
    interrupt.install()
    sys.unraisablehook = _unraisable
    _open_streams()
    gc.set_threshold(_ALLOCATIONS)
    sys.setswitchinterval(_TURN)
    code = run(argv)
    interrupt.current().working = False  # from here on, a signal ends the process in its handler
    code = _flush(code)
    _wait_for_threads(code)
    # Not `sys.exit`: threads of rattler's runtime outlive the requests that they did, and one that lets go of the
    # interpreter's lock while the interpreter ends aborts the process (`Fatal Python error: PyGILState_Release`).
    # To take every object of a lock apart takes 20 ms besides.
    interrupt.end_children()
    os._exit(code)


def _unraisable(fault: sys.UnraisableHookArgs) -> None:
    """End the process where a thread died of too little memory before it ran; else print the fault as Python does.

    `Thread.start` waits until the thread says that it runs, which it never does then.
    """
    if issubclass(fault.exc_type, MemoryError):
        try:
            os.write(
                2, b"error: out of memory\nhint: free memory, or raise the limit of this process with `ulimit -v`\n"
            )
            interrupt.end_children()
        finally:
            os._exit(_REFUSED)
    sys.__unraisablehook__(fault)


def _open_streams() -> None:
    """Open the standard streams that the parent process has closed.

    Else the next file that is opened would take the number of one, and what a program prints would be written to it.
    Standard input and output are opened the wrong way round, so that using them is an error as before.
    """
    for number, way in enumerate((os.O_WRONLY, os.O_RDONLY, os.O_RDWR)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, way)  # takes the lowest number that is free
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)


def run(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    from envgen.cli.group import invoke  # noqa: PLC0415  takes 100 ms, in which Ctrl-C has to be heard already

    return invoke(argv)


def _wait_for_threads(code: int) -> None:
    """Wait for threads as the interpreter does; after a failure not for long: one may wait for a server.

    Whatever lands in the store or an environment lands by rename, so nothing half done bears a real name.
    """
    import time  # noqa: PLC0415

    until = time.monotonic() + _GRACE
    for thread in _others():
        if thread.ident is not None:  # an interrupt can come while one is started
            thread.join(max(0.0, until - time.monotonic()) if code else None)


def _others() -> list[Thread]:
    if "threading" not in sys.modules:
        return []
    import threading  # noqa: PLC0415

    return [t for t in threading.enumerate() if not t.daemon and t is not threading.main_thread()]


def _flush(code: int) -> int:
    """Write what is still in buffers; output that cannot be written is a failure, unless its reader left."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        if not code:
            sys.stderr.write(f"error: cannot write to standard output: {error.strerror}\n")
        code = code or _UNWRITTEN
    sys.stderr.flush()
    if logging := sys.modules.get("logging"):
        logging.shutdown()
    return code
