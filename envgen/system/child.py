"""A function in a process of its own: work in Python that would keep all other threads of this one waiting.

The child imports from where this process does, and nothing from the working directory; it ends with this process.
"""

from __future__ import annotations

import os
import pickle
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from envgen.errors import EnvgenError
from envgen.system.process import Partner, run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_MAIN = "import sys; sys.path[:] = {path!r}; from envgen.system.child import serve; serve()"


class ChildError(EnvgenError):
    """A function failed in a child; a caller that needs its exception runs it in this process."""


def has_room() -> bool:
    """Return whether a child would run beside this process, and not in place of it."""
    return len(os.sched_getaffinity(0)) > 1 if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1) > 1


class Child:
    """A child that runs one function as often as it is asked, and imports its module meanwhile.

    Args:
        function: of a module; its arguments and results can be pickled.

    Raises:
        ChildError: no child could be started.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._what = function.__qualname__
        with self._failing():
            self._partner = Partner(_command())
            self._write(function)

    def ask(self, *arguments: object) -> None:
        """Begin a call; its result is the next `answer`.

        Raises:
            ChildError: the child has ended.
        """
        with self._failing():
            self._write(arguments)

    def answer(self) -> Any:
        """Wait for what the function returned.

        Raises:
            ChildError: it failed.
        """
        with self._failing():
            return pickle.load(self._partner.output)  # noqa: S301  of our own child

    def close(self) -> None:
        """End the child."""
        self._partner.close()

    def _write(self, what: object) -> None:
        pickle.dump(what, self._partner.input)
        self._partner.input.flush()

    @contextmanager
    def _failing(self) -> Iterator[None]:
        try:
            yield
        except (EnvgenError, pickle.PickleError, EOFError, OSError) as error:
            raise ChildError(f"{self._what} failed in a child: {error}") from error


def call(function: Callable[..., Any], *arguments: object, timeout: float | None = None) -> Any:
    """Run a function of a module in a child, and return what it returns.

    Args:
        function: one that prints nothing.
        arguments: for it; they and its result can be pickled.
        timeout: seconds.

    Raises:
        ChildError: it failed or took too long, or no child could be started; `__cause__` tells which.
    """
    try:
        done = run(_command(), stdin=pickle.dumps(function) + pickle.dumps(arguments), timeout=timeout)
        return pickle.loads(done.stdout)  # noqa: S301  of our own child
    except (EnvgenError, pickle.PickleError, EOFError) as error:
        raise ChildError(f"{function.__qualname__} failed in a child: {error}") from error


def serve() -> None:
    """Run the child: read a function, then arguments as often as they come, and write what it returns for each."""
    function = pickle.load(sys.stdin.buffer)  # noqa: S301  of our own parent
    with suppress(EOFError):
        while True:
            arguments = pickle.load(sys.stdin.buffer)  # noqa: S301  as above
            sys.stdout.buffer.write(pickle.dumps(function(*arguments)))
            sys.stdout.buffer.flush()


def _command() -> list[str]:
    flags = [f"-Xpycache_prefix={sys.pycache_prefix}"] if sys.pycache_prefix else []
    flags += ["-B"] if sys.dont_write_bytecode else []
    return [sys.executable, "-P", *flags, "-c", _MAIN.format(path=sys.path)]
