"""Models for the tests of the module hook, and the hook itself for the length of a block. Needs torch."""

from __future__ import annotations

import copy
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch

from accel_runtime import hook as hooks
from accel_runtime.settings import Engine, Precision

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from accel_runtime.hook import Hook
    from accel_runtime.report import Entry

from torch import nn

WIDTH = 256


class Net(nn.Module):
    """Large enough to be optimised; what it does besides computing is up to the test."""

    def __init__(self, extra: Callable[[Net, Any], Any] | None = None) -> None:
        super().__init__()
        self.first = nn.Linear(WIDTH, 512)
        self.norm = nn.BatchNorm1d(512)
        self.last = nn.Linear(512, WIDTH)
        self.extra = extra
        self.scale = 2.0
        self.seen: list[int] = []
        self.latest: Any = None
        self.register_buffer("calls", torch.zeros(1))

    def forward(self, x: Any) -> Any:
        hidden = self.last(torch.relu(self.norm(self.first(x)))) * self.scale
        return self.extra(self, hidden) if self.extra else hidden  # noqa: S610 - not Django's


@contextmanager
def installed(precision: Precision = Precision.FP32, engine: Engine = Engine.ONEDNN) -> Iterator[Hook]:
    hook = hooks.Hook(precision=precision, engine=engine)
    hook.install()
    try:
        yield hook
    finally:
        hook.remove()


@contextmanager
def unhooked(hook: Hook) -> Iterator[None]:
    hook.remove()
    try:
        yield
    finally:
        hook.install()


def expected(hook: Hook, model: Any, *args: Any, **kwargs: Any) -> Any:
    with unhooked(hook):
        return copy.deepcopy(model)(*args, **kwargs)


def entry(hook: Hook, name: str = "Net") -> Entry:
    return next(e for e in reversed(hook.report.entries) if e.name == name)


def close(got: Any, want: Any, tolerance: float = 1e-5) -> bool:
    assert got.dtype == want.dtype
    assert got.shape == want.shape
    assert got.stride() == want.stride()
    return bool((got - want).norm() <= tolerance * want.norm())


def check(hook: Hook, model: Any, *args: Any, **kwargs: Any) -> None:
    """Call twice, and compare with torch alone."""
    for _ in range(2):
        want = expected(hook, model, *args, **kwargs)
        assert close(model(*args, **kwargs), want)


def data(batch: int = 4) -> Any:
    return torch.randn(batch, WIDTH)


def net(extra: Callable[[Net, Any], Any] | None = None) -> Any:
    return Net(extra).eval()
