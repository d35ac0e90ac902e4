"""A solve is run with longer turns of threads, and leaves the process as it was."""

from __future__ import annotations

import sys

import pytest

from envgen.errors import UnsatisfiableError
from envgen.resolve.doubt import solved


@pytest.mark.parametrize("fails", [False, True])
def test_threads_have_longer_turns_during_a_solve(*, fails: bool) -> None:
    before = sys.getswitchinterval()

    async def solve(*, recent: bool) -> float:
        assert recent
        if fails:
            raise UnsatisfiableError("nothing fits")
        return sys.getswitchinterval()

    try:
        sys.setswitchinterval(0.0005)
        if fails:
            with pytest.raises(UnsatisfiableError):
                solved(solve)
        else:
            assert solved(solve) == pytest.approx(0.005)
        assert sys.getswitchinterval() == pytest.approx(0.0005)
    finally:
        sys.setswitchinterval(before)
