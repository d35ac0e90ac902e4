"""Whether the weights that went into a program are still the model's weights.

A program has a model's weights converted and frozen, so it must not run once they changed. Three signs are checked: the
tensor is another one or its memory is elsewhere; its version counter changed, as it does with every in-place operation
(`load_state_dict`, an optimiser's step, `weight.mul_(2)`); a sample of its values changed, for writes that torch does
not count (`weight.data.mul_(0.9)` of a moving average, writes through numpy). Small writes through `Parameter.data`
are found by `DataTrap` where it is set. Not found: a write to a few single elements through numpy or
`data_ptr`, which torch does not notice either.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, ClassVar

import torch

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_SAMPLE = 8
"""Elements of each tensor that are compared on every call: 0.1 ms for the 267 tensors of ResNet-50."""


class StaleError(Exception):
    """The model's weights are no longer those of the program."""


class Weights:
    """The weights of a program as they were when it was made.

    Args:
        tensors: position among the program's inputs -> the model's own tensor.
    """

    def __init__(self, tensors: Mapping[int, torch.Tensor]) -> None:
        self._known = [(index, tensor, tensor._version, tensor.data_ptr()) for index, tensor in tensors.items()]
        self._views = [_sample(tensor) for tensor in tensors.values() if tensor.numel()]
        self._values = self._look()
        self._numbers = tuple(map(id, tensors.values()))
        self._touched = DataTrap.touched
        self._touches = self._count()

    def check(self, inputs: Sequence[Any]) -> None:
        """Raise if the weights that a call was given are others.

        Raises:
            StaleError: something changed.
        """
        if self._touched != (touched := DataTrap.touched):
            if self._touches != self._count():
                raise StaleError
            self._touched = touched  # those were other models' parameters
        for index, tensor, version, pointer in self._known:
            if inputs[index] is not tensor or tensor._version != version or tensor.data_ptr() != pointer:
                raise StaleError
        if not torch.equal(self._look(), self._values):
            raise StaleError

    def _count(self) -> int:
        return sum(DataTrap.touches[number] for number in self._numbers)

    def _look(self) -> torch.Tensor:
        if not self._views:
            return torch.empty(0, dtype=torch.uint8)
        return torch.cat(self._views).view(torch.uint8)  # bits, so that a NaN equals itself


class DataTrap:
    """Notices the use of `Parameter.data`, whose writes no version counter sees.

    While it is set, `torch.nn.Parameter.data` is a Python property in front of torch's own.

    Attributes:
        touched: how often any parameter's `data` was asked for.
        touches: the same for each `id`.
    """

    touched: ClassVar[int] = 0
    touches: ClassVar[Counter[int]] = Counter()

    @classmethod
    def set(cls) -> None:
        """Install the property."""
        own: Any = torch.Tensor.data

        def read(parameter: torch.nn.Parameter) -> Any:
            cls._count(parameter)
            return own.__get__(parameter)

        def write(parameter: torch.nn.Parameter, value: torch.Tensor) -> None:
            cls._count(parameter)
            own.__set__(parameter, value)

        torch.nn.Parameter.data = property(read, write)

    @classmethod
    def _count(cls, parameter: torch.nn.Parameter) -> None:
        cls.touched += 1
        cls.touches[id(parameter)] += 1

    @classmethod
    def release(cls) -> None:
        """Remove the property."""
        if "data" in vars(torch.nn.Parameter):
            del torch.nn.Parameter.data


def _sample(tensor: torch.Tensor) -> torch.Tensor:
    """Return a view of some elements of a tensor's memory, evenly spread; it shows later writes."""
    plain = tensor.detach()
    if plain.is_contiguous() or plain.is_contiguous(memory_format=_layout(plain)):
        count = min(_SAMPLE, plain.numel())
        return plain.as_strided((count,), (plain.numel() // count,), plain.storage_offset())
    return plain[(slice(0, 1),) * plain.dim()].reshape(-1)[:1]


def _layout(tensor: torch.Tensor) -> torch.memory_format:
    """Return the layout besides the usual one that a tensor of its rank may have."""
    planes, volumes = 4, 5
    if tensor.dim() == planes:
        return torch.channels_last
    return torch.channels_last_3d if tensor.dim() == volumes else torch.contiguous_format
