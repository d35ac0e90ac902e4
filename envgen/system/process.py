"""Other programs: run one to its end, or become one."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NoReturn, cast

from msgspec import Struct, field

from envgen.errors import EnvgenError, UserError
from envgen.urls import without_secrets_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_TAIL = 4000
"""Characters of a failed program's last words that an error carries."""

_LOOK = 5.0
"""Seconds between two looks at what a program has moved."""

_GLANCE = 0.5
"""Seconds between two looks at the size of its output."""

_RUNNING: set[subprocess.Popen[bytes]] = set()
"""Programs that were started and have not ended; module state, as the process has one set of children."""


class ProcessError(EnvgenError):
    """A program could not be started, failed, or did not end in time.

    Attributes:
        status: its exit status, negative for a signal; None where it did not start or took too long.
        tail: the end of what it said on stderr, or on stdout where it said nothing there.
    """

    def __init__(self, message: str, *, status: int | None = None, tail: str = "", hint: str | None = None) -> None:
        super().__init__(f"{message}:\n{tail}" if tail else message, hint=hint)
        self.status = status
        self.tail = tail


class OutputError(ProcessError):
    """A program wrote more than it may, and was ended."""


class StuckError(ProcessError):
    """A program waited for something that did not come, and was ended."""


class Completed(Struct, frozen=True, kw_only=True):
    """What a program that ended well has written."""

    stdout: bytes
    stderr: bytes


def run(
    argv: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: bytes | None = None,
    timeout: float | None = None,
    patience: float | None = None,
    output: BinaryIO | None = None,
    most: int | None = None,
) -> Completed:
    """Run a program to its end, without a shell and without a terminal.

    It leads a process group of its own, which goes with it when time is up or this process is interrupted.

    Args:
        argv: the program and its arguments.
        cwd: where; here by default.
        env: its whole environment; ours by default.
        stdin: what it reads; nothing by default.
        timeout: seconds.
        patience: seconds in which it has to read or write something; not watched where there is no `/proc`.
        output: a file that gets what it writes, in place of the result.
        most: bytes that `output` may have, as far as a look every half second can tell.

    Raises:
        OutputError: it wrote more than `most`.
        StuckError: it read and wrote nothing for longer than `patience`.
        ProcessError: it cannot be started, ends with a status other than 0, or takes longer than `timeout`.
    """
    with _started(argv, cwd=cwd, env=env, output=output) as process:
        _RUNNING.add(process)
        try:
            with _watched(process, patience) as watch, _bounded(process, output, most) as bound:
                stdout, stderr = process.communicate(stdin or b"", timeout=timeout)
        except subprocess.TimeoutExpired as error:
            _end(process)
            raise ProcessError(
                f"`{shown(argv)}` did not finish within {timeout} s", tail=_tail(error.stderr)
            ) from error
        except BaseException:
            _end(process)
            raise
        finally:
            _RUNNING.discard(process)
    if bound.exceeded:
        raise OutputError(f"`{shown(argv)}` wrote more than {(most or 0) >> 20} MB of output, and was ended")
    if watch.stuck:
        raise StuckError(f"`{shown(argv)}` read and wrote nothing for {patience:.0f} s")
    if process.returncode:
        raise _failure(argv, process.returncode, _tail(stderr) or _tail(stdout))
    return Completed(stdout=stdout, stderr=stderr)


class Partner:
    """A program that answers on its standard output what it reads on its standard input.

    It leads a process group of its own, and ends with this process or with `close`.

    Args:
        argv: the program and its arguments.
        env: its whole environment; ours by default.

    Raises:
        ProcessError: it cannot be started.
    """

    def __init__(self, argv: Sequence[str | Path], *, env: Mapping[str, str] | None = None) -> None:
        self._argv = argv
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  open as long as the program; nobody would empty a pipe
        try:
            self._process = _started(argv, env=env, errors=self._said)
        except ProcessError:
            self._said.close()
            raise
        self.input, self.output = cast("BinaryIO", self._process.stdin), cast("BinaryIO", self._process.stdout)
        _RUNNING.add(self._process)

    def failure(self) -> ProcessError:
        """Return what became of a program that no longer answers, when it has ended."""
        status = self._process.wait()
        self._said.seek(0)
        return _failure(self._argv, status, _tail(self._said.read()))

    def close(self) -> None:
        """End the program."""
        _end(self._process)
        _RUNNING.discard(self._process)
        self._said.close()
        for stream in (self.input, self.output):
            with suppress(BrokenPipeError):
                stream.close()


def end_all() -> None:
    """End every program that still runs for this process, which is about to end without waiting."""
    for process in tuple(_RUNNING):
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)


def replace(argv: Sequence[str | Path], env: Mapping[str, str]) -> NoReturn:
    """Replace this process by a program, looked up in the `PATH` of `env`.

    Raises:
        UserError: there is no such program, or it cannot be executed.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    # Python ignores these, and what is ignored stays so in the new program
    before = {number: signal.signal(number, signal.SIG_DFL) for number in (signal.SIGPIPE, signal.SIGXFSZ)}
    try:
        os.execvpe(argv[0], [str(part) for part in argv], dict(env))  # noqa: S606  no shell is what is wanted
    except OSError as error:
        for number, handler in before.items():
            signal.signal(number, handler)
        raise UserError(f"failed to run `{argv[0]}`: {error.strerror}") from error


def shown(argv: Sequence[str | Path]) -> str:
    """Render a command line for people, passwords in URLs masked."""
    return shlex.join(without_secrets_in(text) for text in map(str, argv))


class _Watch(Struct, kw_only=True):
    """Ends a program that moves no byte, from a thread of its own."""

    process: subprocess.Popen[bytes]
    ended: threading.Event = field(default_factory=threading.Event)
    stuck: bool = False

    def run(self, patience: float) -> None:
        before, since = _moved(self.process.pid), time.monotonic()
        while before is not None and not self.ended.wait(min(_LOOK, patience / 4)):
            if (now := _moved(self.process.pid)) != before:
                before, since = now, time.monotonic()
            elif time.monotonic() - since >= patience:
                self.stuck = True
                with suppress(OSError):
                    os.killpg(self.process.pid, signal.SIGKILL)
                return


@contextmanager
def _watched(process: subprocess.Popen[bytes], patience: float | None) -> Iterator[_Watch]:
    watch = _Watch(process=process)
    if patience is None:
        yield watch
        return
    thread = threading.Thread(target=watch.run, args=(patience,), daemon=True)
    thread.start()
    try:
        yield watch
    finally:
        watch.ended.set()
        thread.join()


class _Bound(Struct, kw_only=True):
    """Ends a program that fills the disk with its output, from a thread of its own."""

    process: subprocess.Popen[bytes]
    ended: threading.Event = field(default_factory=threading.Event)
    exceeded: bool = False

    def run(self, output: BinaryIO, most: int) -> None:
        while not self.ended.wait(_GLANCE):
            if os.fstat(output.fileno()).st_size > most:
                self.exceeded = True
                with suppress(OSError):
                    os.killpg(self.process.pid, signal.SIGKILL)
                return


@contextmanager
def _bounded(process: subprocess.Popen[bytes], output: BinaryIO | None, most: int | None) -> Iterator[_Bound]:
    bound = _Bound(process=process)
    if output is None or most is None:
        yield bound
        return
    thread = threading.Thread(target=bound.run, args=(output, most), daemon=True)
    thread.start()
    try:
        yield bound
    finally:
        bound.ended.set()
        thread.join()
    if bound.exceeded:
        os.truncate(output.fileno(), most)


def _moved(pid: int) -> tuple[bytes, ...] | None:
    """Return what a process has read and written so far, sockets included; None where that is not told (proc(5))."""
    try:
        return tuple(Path(f"/proc/{pid}/io").read_bytes().splitlines()[:2])  # `rchar` and `wchar`
    except OSError:
        return None


def _started(
    argv: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    output: BinaryIO | None = None,
    errors: BinaryIO | None = None,
) -> subprocess.Popen[bytes]:
    pipe = subprocess.PIPE
    try:
        return subprocess.Popen(
            [str(part) for part in argv],
            cwd=cwd,
            env=dict(env) if env is not None else None,
            stdin=pipe,
            stdout=output or pipe,
            stderr=output or errors or pipe,
            start_new_session=True,
        )
    except OSError as error:
        raise ProcessError(f"failed to start `{shown(argv)}`: {error.strerror}") from error


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.returncode is not None:  # its number may be another one's by now
        return
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    process.wait()


def _failure(argv: Sequence[str | Path], status: int, tail: str) -> ProcessError:
    return ProcessError(f"`{shown(argv)}` {_ending(status)}", status=status, tail=tail)


def _ending(status: int) -> str:
    return f"was terminated by {signal.Signals(-status).name}" if status < 0 else f"failed with status {status}"


def _tail(output: bytes | None) -> str:
    return (output or b"").decode(errors="replace").strip()[-_TAIL:]
