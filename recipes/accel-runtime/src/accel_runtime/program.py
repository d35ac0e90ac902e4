"""A captured graph becomes a program: weights frozen in, compiled by the engine, compared with the original.

The graph comes from torch's own capture (`torch.compile` with a backend of ours), so that Python's control flow,
attributes, globals and shapes are guarded by torch. What capture does not promise is checked here, on copies, before
a program is used: that the graph changes neither its inputs nor its weights, draws no random numbers, returns
fresh tensors, and gives the results of the original. A graph that fails one of these stays as it is.
"""

from __future__ import annotations

import contextlib
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from accel_runtime.attention import taken_apart
from accel_runtime.settings import Engine, Precision
from accel_runtime.watch import Weights

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    Run = Callable[..., tuple[torch.Tensor, ...]]

_TOLERANCE = {None: 1e-4, Precision.FP32: 1e-4, Precision.BF16: 5e-2}
"""Largest norm of the difference over the norm of the original. ResNet-50 differs by 4e-7 in fp32, 6e-3 in bf16."""

_RUNS = 3
"""Calls after which TorchScript has profiled and compiled a graph."""

_IMAGE_RANK = 4

_NUMBERS = (torch.SymInt, torch.SymFloat, torch.SymBool)
"""Types in a graph that represent `tensor.item()`, where torch captures that (2.11 does by default, 2.8 when told);
tracing would make it a constant."""


class UnfitError(Exception):
    """A graph must stay as it is; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Type and layout of a result of the original, which a program's results get as well."""

    dtype: torch.dtype
    size: torch.Size
    stride: tuple[int, ...]

    @classmethod
    def of(cls, tensor: torch.Tensor) -> Result:
        """Return the description of a tensor."""
        return cls(dtype=tensor.dtype, size=tensor.size(), stride=tensor.stride())

    def restore(self, tensor: torch.Tensor) -> torch.Tensor:
        """Return a tensor with the dtype and the memory layout of the original."""
        converted = tensor.to(self.dtype)
        pairs = zip(self.size, converted.stride(), self.stride, strict=True)
        if all(got == want for size, got, want in pairs if size > 1):
            return converted
        return torch.empty_strided(self.size, self.stride, dtype=self.dtype).copy_(converted)


class Program:
    """Runs instead of a graph, in the autocast that it was made in.

    Some operations (LSTM, attention with a mask) are traced whole, and compute in bf16 only where autocast is on.
    """

    def __init__(self, run: Run, *, weights: Weights, live: Sequence[int], results: Sequence[Result]) -> None:
        self._run = run
        self._weights = weights
        self._live = tuple(live)
        self._results = tuple(results)

    def __call__(self, *inputs: Any) -> tuple[torch.Tensor, ...]:
        """Return the graph's results for its inputs.

        Raises:
            StaleError: the weights changed since.
        """
        self._weights.check(inputs)
        found = self._run(*(inputs[index] for index in self._live))
        return tuple(result.restore(tensor) for result, tensor in zip(self._results, found, strict=True))


def make(
    graph: torch.fx.GraphModule,
    inputs: Sequence[Any],
    *,
    weights: frozenset[int],
    precision: Precision | None,
    engine: Engine,
) -> Program:
    """Build a program of a graph.

    Args:
        graph: captured under `no_grad`, and in autocast where `precision` is bf16; it returns a tuple of tensors.
        inputs: what it was captured with: the model's own tensors among them, and those of the call.
        weights: `id` of each tensor of the model that may be frozen.
        precision: in what to compute; None for the script's own autocast or the model's dtype.
        engine: what compiles.

    Raises:
        UnfitError: the graph must stay as it is.
    """
    if not all(isinstance(value, torch.Tensor) for value in inputs):
        raise UnfitError("it takes numbers that change from call to call")
    if any(isinstance(node.meta.get("example_value"), _NUMBERS) for node in graph.graph.nodes):
        raise UnfitError("it computes with numbers that it reads from tensors")
    frozen = {index: tensor for index, tensor in enumerate(inputs) if id(tensor) in weights}
    live = [index for index in range(len(inputs)) if index not in frozen]
    if not (live and frozen):
        raise UnfitError("nothing in it depends on both inputs and weights")
    with torch.inference_mode(mode=False), torch.no_grad():
        wanted = _original(graph, inputs, precision)
        given = [_copy(inputs[index]) for index in live]
        bound = _Bound(taken_apart(graph), frozen, len(inputs)).eval()
        run = _compile(bound, given, precision, engine)
        _compare(run, given, wanted, precision)
    results = [Result.of(tensor) for tensor in wanted]
    return Program(run, weights=Weights(frozen), live=live, results=results)


class _Bound(torch.nn.Module):
    """A graph with its weights bound; its inputs are the live ones. Images get the fastest layout for oneDNN."""

    def __init__(self, graph: torch.fx.GraphModule, frozen: dict[int, torch.Tensor], count: int) -> None:
        super().__init__()
        self._graph = graph
        self._places = [(index, f"weight_{index}" if index in frozen else None) for index in range(count)]
        for index, tensor in frozen.items():
            self.register_buffer(f"weight_{index}", tensor.detach())
        self._images = any("conv" in str(node.target) for node in graph.graph.nodes if node.op == "call_function")

    def forward(self, *live: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return the graph's results."""
        given = iter(self._laid_out(tensor) for tensor in live)
        return tuple(self._graph(*(getattr(self, name) if name else next(given) for _, name in self._places)))

    def _laid_out(self, tensor: torch.Tensor) -> torch.Tensor:
        if self._images and tensor.dim() == _IMAGE_RANK and tensor.is_floating_point():
            return tensor.contiguous(memory_format=torch.channels_last)
        return tensor


def _original(
    graph: torch.fx.GraphModule, inputs: Sequence[torch.Tensor], precision: Precision | None
) -> tuple[torch.Tensor, ...]:
    """Return the graph's results on copies, after a check that it does nothing else."""
    copies = [_copy(tensor) for tensor in inputs]
    versions = [tensor._version for tensor in copies]
    before = torch.get_rng_state()
    with _plain(precision):
        results = graph(*copies)
    if not torch.equal(torch.get_rng_state(), before):
        torch.set_rng_state(before)
        raise UnfitError("it draws random numbers")
    if [tensor._version for tensor in copies] != versions:
        raise UnfitError("it changes its inputs or its own state while it runs")
    if not all(isinstance(result, torch.Tensor) for result in results):
        raise UnfitError("it returns something besides tensors")
    if precision is Precision.BF16 and any(result.dtype is torch.bfloat16 for result in results):
        raise UnfitError("in autocast it returns bfloat16, which it would not without")
    if _share_memory([*results, *copies]):
        raise UnfitError("it returns inputs, weights or views of one tensor")
    return tuple(results)


def _compile(bound: _Bound, given: list[torch.Tensor], precision: Precision | None, engine: Engine) -> Run:
    """Return the traced and frozen graph, warmed up."""
    with _compiling(engine), _reduced(precision):
        run = torch.jit.freeze(torch.jit.trace(bound, tuple(given), check_trace=False, strict=False))
    with _compiling(engine), _reduced(precision):
        for _ in range(_RUNS):
            run(*given)
    compiled: Run = run
    return compiled


def _compare(
    run: Run, given: list[torch.Tensor], wanted: tuple[torch.Tensor, ...], precision: Precision | None
) -> None:
    with _reduced(precision):
        first, second = run(*given), run(*given)
    if _share_memory([*first, *second, *given]):
        raise UnfitError("part of its result does not depend on its inputs")
    worst = max((_difference(got, want) for got, want in zip(first, wanted, strict=True)), default=0.0)
    if not worst <= _TOLERANCE[precision]:
        kind = precision.value if precision else "it"
        raise UnfitError(f"compiled, {kind} differs from the original by {worst:.1%}")


def _difference(got: torch.Tensor, want: torch.Tensor) -> float:
    """Return the difference by norms; infinities and NaN must have the same places, and integers must be equal."""
    if got.shape != want.shape:
        return float("inf")
    if not want.is_floating_point():
        return float((got != want).sum()) / max(1, want.numel())
    finite = want.isfinite()
    if not torch.equal(got.isfinite(), finite):
        return float("inf")
    reference = want[finite].double()
    return float((got[finite].double() - reference).norm() / reference.norm().clamp_min(1e-30))


def _copy(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.detach().clone()


def _share_memory(tensors: Sequence[torch.Tensor]) -> bool:
    pointers = [tensor.untyped_storage().data_ptr() for tensor in tensors if tensor.numel()]
    return len(set(pointers)) != len(pointers)


def _plain(precision: Precision | None) -> contextlib.AbstractContextManager[Any]:
    """Return a context without autocast, unless the script's own decides."""
    return torch.autocast("cpu", enabled=False) if precision else contextlib.nullcontext()


def _reduced(precision: Precision | None) -> contextlib.AbstractContextManager[Any]:
    if precision is Precision.BF16:
        return torch.autocast("cpu", dtype=torch.bfloat16, cache_enabled=False)
    return _plain(precision)


@contextlib.contextmanager
def _compiling(engine: Engine) -> Iterator[None]:
    """Switch the engine on, and warnings for authors of TorchScript off."""
    before = torch.jit.onednn_fusion_enabled()
    torch.jit.enable_onednn_fusion(engine is Engine.ONEDNN)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        torch.jit.enable_onednn_fusion(before)
