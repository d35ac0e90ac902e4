"""Models to measure with: random weights, seeded, so that every process has the same ones. No download."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

_SEED = 20_260_101

_IMAGE, _TOKENS, _STEPS, _WIDTH = 224, 128, 64, 512
"""Pixels on a side; tokens of a text; steps of a series; width of the encoder and the LSTM."""


class _Series(torch.nn.Module):
    """Two layers of LSTM and a head on the last step."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = torch.nn.LSTM(_WIDTH, _WIDTH, num_layers=2, batch_first=True)
        self.head = torch.nn.Linear(_WIDTH, 1000)

    def forward(self, series: torch.Tensor) -> torch.Tensor:
        """Classify (batch, steps, width) into (batch, 1000)."""
        states, _ = self.lstm(series)
        logits: torch.Tensor = self.head(states[:, -1])
        return logits


class _Text(torch.nn.Module):
    """Six layers of transformer encoder and a head on the mean."""

    def __init__(self) -> None:
        super().__init__()
        layer = torch.nn.TransformerEncoderLayer(_WIDTH, 8, dim_feedforward=4 * _WIDTH, batch_first=True)
        self.encoder = torch.nn.TransformerEncoder(layer, 6)
        self.head = torch.nn.Linear(_WIDTH, 1000)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Classify (batch, tokens, width) into (batch, 1000)."""
        logits: torch.Tensor = self.head(self.encoder(tokens).mean(dim=1))
        return logits


def build(name: str, batch: int) -> tuple[torch.nn.Module, torch.Tensor]:
    """Make a model in eval mode and an input for it, fp32 on the CPU.

    Args:
        name: of `NAMES`.
        batch: examples.

    Raises:
        ModuleNotFoundError: `resnet50` needs torchvision.
    """
    torch.manual_seed(_SEED)
    model = _MAKERS[name]().eval()
    shape = {"resnet50": (3, _IMAGE, _IMAGE), "transformer": (_TOKENS, _WIDTH), "lstm": (_STEPS, _WIDTH)}[name]
    return model, torch.randn(batch, *shape)


def _resnet50() -> torch.nn.Module:
    import torchvision  # noqa: PLC0415 - the other models do without

    model: torch.nn.Module = torchvision.models.resnet50()
    return model


_MAKERS: dict[str, Callable[[], Any]] = {"resnet50": _resnet50, "transformer": _Text, "lstm": _Series}

NAMES = tuple(_MAKERS)
