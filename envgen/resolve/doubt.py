"""METADATA that no digest proves may be a passing fault of a server: a solve that fails with it is repeated.

What was read by ranges a short while ago is taken again. What it says of the wheels that are chosen is compared with
their directories, and with their bytes when they are installed; it can keep others from being chosen.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol, TypeVar

from envgen.errors import EnvgenError, NetworkError

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator

    from envgen.sources.indexes import WheelIndexes

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


_TURN = 0.005
"""Seconds that a thread may keep the interpreter from others that want it, as Python has it.

Each of them asks for it again after that time. A solve has dozens of threads that wait for small answers: asking every
half millisecond, as `envgen.cli.main` has it for threads that inflate, they take a twentieth of its processor time.
"""


class Solve(Protocol[T_co]):
    """A solve that may take what is kept and not proved."""

    def __call__(self, *, recent: bool) -> Coroutine[None, None, T_co]:
        """Return the solve, to be awaited."""


class _DoubtfulError(Exception):
    """A solve failed, and METADATA was taken that is not proved."""


def solved(solve: Solve[T]) -> T:
    """Return the result of a solve, which runs a second time where the first one failed with what is not proved."""
    with _turns(_TURN):
        try:
            return asyncio.run(solve(recent=True))
        except _DoubtfulError:
            return asyncio.run(solve(recent=False))


@contextmanager
def _turns(seconds: float) -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(seconds)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


@contextmanager
def doubted(index: WheelIndexes, *, offline: bool) -> Iterator[None]:
    """Mark an error as doubtful for `solved`, if there is a reason and a network to ask again."""
    try:
        yield
    except EnvgenError as error:
        if index.took_recent and not offline and not isinstance(error, NetworkError):
            raise _DoubtfulError from error
        raise
