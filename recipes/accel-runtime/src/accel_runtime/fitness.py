"""Why a program cannot be used for a model or for one call of it, in the words of the report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.utils import _pytree as pytree

if TYPE_CHECKING:
    from collections.abc import Iterator

SMALLEST = 100_000
"""Weights below which a model is not optimised: the checks on every call would cost more than is gained."""

_DTYPES = frozenset({torch.float32, torch.bfloat16, torch.bool, torch.int64, torch.int32, torch.int16, torch.uint8})


def unfit(model: torch.nn.Module) -> str | None:
    """Return why a model cannot be optimised; None where it can."""
    return next(_faults(model), None)


def not_now(model: torch.nn.Module, args: Any, kwargs: Any) -> str | None:
    """Return why this call of a model cannot be optimised; None where it can."""
    return next(_obstacles(model, args, kwargs), None)


def watched() -> bool:
    """Return whether a tracer, a mode (flop counters, `torch.device` as a context, fake tensors) or functorch is on."""
    return bool(
        torch._C._get_tracing_state()
        or torch._C._len_torch_dispatch_stack()
        or torch._C._len_torch_function_stack()
        or torch._C._functorch.peek_interpreter_stack() is not None
    )


def count(model: torch.nn.Module) -> int:
    """Return the number of weights of a model, without those that are not initialised yet."""
    lazy = torch.nn.parameter.is_lazy
    return sum(parameter.numel() for parameter in model.parameters() if not lazy(parameter))


def _faults(model: torch.nn.Module) -> Iterator[str]:
    """Yield why a model cannot be optimised; a later check may raise where an earlier one found something."""
    if isinstance(model, torch.jit.ScriptModule) or "_orig_mod" in model._modules:
        yield "it is compiled already"
    if type(model).__module__.startswith("torch.") and "parallel" in type(model).__module__:
        yield "it is spread over processes"
    tensors = [*model.parameters(), *model.buffers()]
    if any(type(tensor) not in (torch.Tensor, torch.nn.Parameter) for tensor in tensors):
        yield "its weights are of a type of their own (quantised, distributed or not initialised)"
    if count(model) < SMALLEST:
        yield f"it has fewer than {SMALLEST} weights"
    if any(tensor.device.type != "cpu" or tensor.layout is not torch.strided for tensor in tensors):
        yield "its weights are not all on the CPU"
    if any(tensor.is_inference() for tensor in tensors):
        yield "its weights were made in inference mode, where torch does not count changes"
    if any(tensor.is_shared() for tensor in tensors):
        yield "its weights are shared with other processes"
    kinds = {tensor.dtype for tensor in tensors if tensor.is_floating_point() or tensor.is_complex()}
    if len(kinds) > 1 or not kinds <= {torch.float32, torch.bfloat16}:
        yield f"its weights are {' and '.join(sorted(map(_name, kinds)))}"


def _obstacles(model: torch.nn.Module, args: Any, kwargs: Any) -> Iterator[str]:
    if torch.is_grad_enabled():
        yield "gradients were recorded (use torch.no_grad() or torch.inference_mode())"
    for module in model.modules():
        if module.training:
            yield "training mode (call model.eval())"
        if module._forward_hooks or module._forward_pre_hooks or module._backward_hooks or module._backward_pre_hooks:
            yield "it has hooks"
    if torch.nn.modules.module._has_any_global_hook():
        yield "modules have global hooks"
    if watched():
        yield "something traces or watches what torch does"
    tensors = [leaf for leaf in pytree.tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
    if not tensors:
        yield "it was called without tensors"
    for tensor in tensors:
        yield from _unfit_input(tensor)


def _unfit_input(tensor: torch.Tensor) -> Iterator[str]:
    if type(tensor) not in (torch.Tensor, torch.nn.Parameter) or tensor.layout is not torch.strided:
        yield "an input is a special kind of tensor"
    if tensor.device.type != "cpu":
        yield f"an input is on {tensor.device.type}"
    if tensor.dtype not in _DTYPES:
        yield f"an input is {_name(tensor.dtype)}"


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
