"""A function in a process of its own: work in Python that would keep all other threads of this one waiting.

The child imports from where this process does, and nothing from the working directory; it ends with this process.
"""

from __future__ import annotations

import os
import pickle
import sys
from typing import TYPE_CHECKING, Any

from envgen.errors import EnvgenError
from envgen.system.process import run

if TYPE_CHECKING:
    from collections.abc import Callable

_MAIN = "import sys; sys.path[:] = {path!r}; from envgen.system.child import serve; serve()"


class ChildError(EnvgenError):
    """A function failed in a child; a caller that needs its exception runs it in this process."""


def has_room() -> bool:
    """Return whether a child would run beside this process, and not in place of it."""
    return len(os.sched_getaffinity(0)) > 1 if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1) > 1


def call(function: Callable[..., Any], *arguments: object, timeout: float | None = None) -> Any:
    """Run a function of a module in a child, and return what it returns.

    Args:
        function: one that prints nothing.
        arguments: for it; they and its result can be pickled.
        timeout: seconds.

    Raises:
        ChildError: it failed or took too long, or no child could be started; `__cause__` tells which.
    """
    code = _MAIN.format(path=sys.path)
    flags = [f"-Xpycache_prefix={sys.pycache_prefix}"] if sys.pycache_prefix else []
    flags += ["-B"] if sys.dont_write_bytecode else []
    try:
        done = run(
            [sys.executable, "-P", *flags, "-c", code], stdin=pickle.dumps((function, arguments)), timeout=timeout
        )
        return pickle.loads(done.stdout)  # noqa: S301  of our own child
    except (EnvgenError, pickle.PickleError, EOFError) as error:
        raise ChildError(f"{function.__qualname__} failed in a child: {error}") from error


def serve() -> None:
    """Run the child: read a function and its arguments, write what it returns."""
    function, arguments = pickle.load(sys.stdin.buffer)  # noqa: S301  of our own parent
    sys.stdout.buffer.write(pickle.dumps(function(*arguments)))
