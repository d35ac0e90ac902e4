from __future__ import annotations

import asyncio

import pytest

from envgen.together import together


async def after(seconds: float, answer: str) -> str:
    await asyncio.sleep(seconds)
    return answer


def test_results_come_in_order() -> None:
    assert asyncio.run(together(after(wait, text) for wait, text in ((0.02, "a"), (0, "b")))) == ["a", "b"]


def test_nothing_runs_when_the_first_error_leaves() -> None:
    ended: list[str] = []

    async def long(name: str) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(name)

    async def fail(wait: float, what: str) -> None:
        await asyncio.sleep(wait)
        raise LookupError(what)

    async def whole() -> list[str]:
        with pytest.raises(LookupError, match="first"):
            await together([long("a"), fail(0.01, "first"), long("b"), fail(0.02, "second")])
        return list(ended)

    assert sorted(asyncio.run(whole())) == ["a", "b"]
