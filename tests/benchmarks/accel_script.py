"""An ordinary inference script, which knows nothing of accel-runtime: what `bench_accel_run` measures.

`python accel_script.py MODEL BATCH` prints the median of a call in milliseconds.
"""

from __future__ import annotations

import statistics
import sys
import time
from typing import Any

import torch

_WARM_UP = 4
_CALLS = {1: 40}
"""Calls that count, by batch; ten where the batch is not named."""


def main(kind: str, batch: int) -> None:
    """Call a model of random weights again and again."""
    torch.manual_seed(0)
    model, data = _made(kind, batch)
    times = []
    with torch.no_grad():
        for _ in range(_WARM_UP):
            model(data)
        for _ in range(_CALLS.get(batch, 10)):
            start = time.perf_counter()
            model(data)
            times.append(time.perf_counter() - start)
    print(f"{statistics.median(times) * 1e3:.3f}")  # noqa: T201


def _made(kind: str, batch: int) -> tuple[Any, torch.Tensor]:
    """Make a model in eval mode and an input."""
    if kind == "resnet50":
        import torchvision

        return torchvision.models.resnet50().eval(), torch.randn(batch, 3, 224, 224)
    if kind == "transformer":
        layer = torch.nn.TransformerEncoderLayer(512, 8, dim_feedforward=2048, batch_first=True)
        return torch.nn.TransformerEncoder(layer, 6).eval(), torch.randn(batch, 128, 512)
    return torch.nn.LSTM(512, 512, num_layers=2, batch_first=True).eval(), torch.randn(batch, 64, 512)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
