from __future__ import annotations

import pytest

from accel_runtime.gpu import Build
from accel_runtime.machine import parse_build

VERSION = """\
from typing import Optional

__all__ = ['__version__', 'debug', 'cuda', 'git_version', 'hip', 'xpu']
__version__ = '2.8.0+cu128'
debug = False
cuda: Optional[str] = '12.8'
git_version = 'a1cb3cc05d46d198467bebbb6e8fba50a325d4e7'
hip: Optional[str] = None
xpu: Optional[str] = None
"""


@pytest.mark.parametrize(
    ("text", "cuda"),
    [(VERSION, (12, 8)), (VERSION.replace("'12.8'", "None"), None), ("cuda = '13.0'\n", (13, 0)), ("", None)],
)
def test_build(text: str, cuda: tuple[int, int] | None) -> None:
    assert parse_build(text) == Build(cuda=cuda)
