"""Models to measure with, and inputs that they tell apart. Everything is seeded, nothing is downloaded.

With random weights a classifier gives every input the same class, also where a path is wrong. So inputs differ as
images do, in their content and not in noise that averages out, and the first rows of the last layer are fitted to them:
top-1 classes then change when a path computes something else. The other rows stay random, and show the difference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

_SEED = 20_260_101

CLASSES = 16
"""Inputs that `tell_apart` makes classes of; the models have 1000 classes, as for ImageNet."""

_RIDGE = 1e-3
"""Of ridge regression, in mean squares: small enough that inputs much alike still get classes of their own."""

_LEAD = 2.0
"""Score of an input's own class, over the largest that a random row gives."""

_COLOURS, _IMAGE, _TOKENS, _STEPS, _WIDTH = 3, 224, 128, 64, 512
"""Channels and pixels on a side; tokens of a text; steps of a series; width of the encoder and the LSTM."""


class _Series(torch.nn.Module):
    """Two layers of LSTM and a head on the last step."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = torch.nn.LSTM(_WIDTH, _WIDTH, num_layers=2, batch_first=True)
        self.head = torch.nn.Linear(_WIDTH, 1000)

    def forward(self, series: torch.Tensor) -> torch.Tensor:
        """Return scores (batch, 1000) of (batch, steps, width)."""
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
        """Return scores (batch, 1000) of (batch, tokens, width)."""
        logits: torch.Tensor = self.head(self.encoder(tokens).mean(dim=1))
        return logits


def build(name: str, seed: int = _SEED) -> torch.nn.Module:
    """Build a model in eval mode, fp32 on the CPU.

    Args:
        name: of `NAMES`.
        seed: of its weights.

    Raises:
        ModuleNotFoundError: `resnet50` needs torchvision.
    """
    torch.manual_seed(seed)
    model: torch.nn.Module = _MAKERS[name]().eval()
    return model


def examples(name: str, count: int) -> torch.Tensor:
    """Build inputs for a model: (count, 3, 224, 224) for ResNet-50, else (count, steps, width); fp32 on the CPU.

    Each has patches of its own size and contrast, and a mean of its own in every channel: the inputs of ResNet-50's
    last layer differ by 46 % of its norm from example to example, and by 1 % for white noise.
    """
    if name == "resnet50":
        return torch.stack([_pattern(index, _COLOURS, (_IMAGE, _IMAGE)) for index in range(count)])
    steps = {"transformer": _TOKENS, "lstm": _STEPS}[name]
    return torch.stack([_pattern(index, _WIDTH, (steps,)).T.contiguous() for index in range(count)])


def tell_apart(model: torch.nn.Module, inputs: torch.Tensor) -> None:
    """Write the first rows of the last layer so that input k has class k: by ridge regression on the layer's inputs.

    Nearest centroids would do the same with margins too small for bf16 scores: some inputs are 100 times closer to
    each other than others.

    Args:
        model: of `build`; changed in place.
        inputs: (count, ...), of `examples`; at most 1000.
    """
    last = last_layer(model)
    seen: list[torch.Tensor] = []
    handle = last.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    with torch.no_grad():
        largest = model(inputs).abs().max()
        handle.remove()
        middle = seen[0].mean(dim=0)
        offsets = seen[0] - middle
        gram = offsets @ offsets.T
        gram += _RIDGE * gram.diagonal().mean() * torch.eye(len(inputs))
        rows = _LEAD * largest * torch.linalg.solve(gram, offsets)
        last.weight[: len(inputs)] = rows
        last.bias[: len(inputs)] = -(rows @ middle)


def last_layer(model: torch.nn.Module) -> torch.nn.Linear:
    """Return the layer that gives the classes: in these models the last linear one."""
    return [layer for layer in model.modules() if isinstance(layer, torch.nn.Linear)][-1]


def _pattern(index: int, channels: int, size: tuple[int, ...]) -> torch.Tensor:
    """Build one input, (channels, *size), which depends on its index alone."""
    random = torch.Generator().manual_seed(_SEED + index)
    patches, contrast = 2 + index % 13 * 3, 0.5 + index % 3
    noise = torch.randn(1, channels, *(patches for _ in size), generator=random)
    mean = torch.randn(1, channels, *(1 for _ in size), generator=random)
    return torch.nn.functional.interpolate(contrast * noise + mean, size=size, mode="nearest")[0]


def _resnet50() -> torch.nn.Module:
    import torchvision  # noqa: PLC0415 - the other models do not need it

    model: torch.nn.Module = torchvision.models.resnet50()
    return model


_MAKERS: dict[str, Callable[[], Any]] = {"resnet50": _resnet50, "transformer": _Text, "lstm": _Series}

NAMES = tuple(_MAKERS)
