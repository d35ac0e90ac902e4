"""The public functions: a device that works, a model made fast, the backend of distributed training."""

from __future__ import annotations

import functools
import os
import warnings
import weakref
from typing import Any, TypeVar, overload

import torch

from accel_runtime import cpu, extension, gpu, settings
from accel_runtime.choice import pick_engine
from accel_runtime.fitness import count
from accel_runtime.gpu import Build
from accel_runtime.plan import Plan
from accel_runtime.report import Entry
from accel_runtime.settings import Device, Precision, warn

_M = TypeVar("_M", bound=torch.nn.Module)
_O = TypeVar("_O", bound=torch.optim.Optimizer)


class AccelError(RuntimeError):
    """The device that was asked for cannot be used, and another one would not be safe."""


@functools.cache
def device() -> torch.device:
    """Return the device: the GPU if it was tried and works, else the CPU. Decided once in a process.

    In a process that `accel launch` or torchrun started it is the GPU of that rank. A GPU that exists and cannot be
    used causes one warning in the log of `accel_runtime`, with the reason.

    Raises:
        AccelError: the GPU cannot be used, and `ACCEL_DEVICE=cuda` requires it, or other ranks would wait for this one.
    """
    wanted = settings.read()
    for fault in wanted.faults.values():
        warn(fault)
    if wanted.device is Device.CPU:
        return torch.device("cpu")
    chosen = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    problem = gpu_problem(chosen, tried=wanted.device is not Device.OFF)
    if problem is None:
        return chosen if "LOCAL_RANK" in os.environ else torch.device("cuda")
    if wanted.device is Device.CUDA:
        raise AccelError(f"ACCEL_DEVICE=cuda, but {problem.words}")
    if problem.seen and int(os.environ.get("WORLD_SIZE", "1")) > 1:
        rank = os.environ.get("RANK")
        raise AccelError(f"rank {rank} cannot use {chosen}, and the others count on it: {problem.words}")
    if problem.seen and wanted.device is not Device.OFF:
        warn(f"the GPU is not used, the CPU is: {problem.words}")
    return torch.device("cpu")


def backend() -> str:
    """Return the backend of `torch.distributed.init_process_group` for `device()`: `nccl` or `gloo`.

    Never oneCCL's `ccl`: its bindings for torch are not in the Python package index.

    Raises:
        AccelError: as `device()`.
    """
    return "nccl" if device().type == "cuda" else "gloo"


@overload
def optimize(model: _M, optimizer: None = None, dtype: torch.dtype | None = None) -> _M: ...


@overload
def optimize(model: _M, optimizer: _O, dtype: torch.dtype | None = None) -> tuple[_M, _O]: ...


def optimize(model: _M, optimizer: _O | None = None, dtype: torch.dtype | None = None) -> _M | tuple[_M, _O]:
    """Return a model optimised for the path that this machine uses.

    On the CPU, a model in eval mode: calls under `torch.no_grad()` or `torch.inference_mode()` are served by programs
    with frozen weights, one for each set of input shapes, made at the first call (seconds); every other call runs
    unchanged, as do models that cannot be captured. A model in training mode, or with an optimiser: its forward pass
    runs in autocast, with its weights, gradients and optimiser state in fp32.

    On a GPU: convolutions get the `channels_last` layout; nothing else is changed.

    Args:
        model: with fp32 weights; inputs of any shape. Changed in place: the attribute `_compiled_call_impl` that
            `Module.compile` uses too, and, for a GPU and for training, the layout of 4-d weights. Its
            `state_dict`, copies and pickles do not change.
        optimizer: of the model, where it is trained; given back as it is.
        dtype: `torch.bfloat16`, or `torch.float32`; by default bf16 where the CPU multiplies it. Results have the
            dtype that they would have without this function. bf16 keeps 8 bits of mantissa: ResNet-50's outputs
            differ by 0.5 % (norm), with the same top-1 class.

    Returns:
        The model, and the optimiser where one was given.

    Raises:
        ValueError: `dtype` is another one.
    """
    precision = _precision(dtype)
    if _on_gpu(model):
        model.to(memory_format=torch.channels_last)
    elif settings.read().device is not Device.OFF:
        if optimizer is not None or model.training:
            _train(model, precision)
        else:
            _serve(model, precision)
    return model if optimizer is None else (model, optimizer)


class Problem:
    """Why a GPU cannot be used: in words, and whether the machine has one."""

    def __init__(self, words: str, *, seen: bool) -> None:
        self.words = words
        self.seen = seen


def gpu_problem(chosen: torch.device, *, tried: bool = True) -> Problem | None:
    """Return why a GPU cannot be used; None where it can.

    Args:
        chosen: the GPU.
        tried: whether to compute something on it, which creates its context (0.3 GB of its memory).
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns of old drivers here, and so do we, with more words
        there = torch.cuda.is_available()
    if there:
        words = try_gpu(chosen) if tried else None
        return Problem(words, seen=True) if words else None
    return missing_gpu()


def missing_gpu() -> Problem:
    """Return why torch sees no GPU; one that the user hid counts as missing."""
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES")
    if hidden is not None and hidden.strip() in ("", "-1"):
        return Problem(f"CUDA_VISIBLE_DEVICES={hidden!r} hides it", seen=False)
    drivers = gpu.read()
    if not drivers.seen:
        return Problem(drivers.problem or "there is no NVIDIA GPU", seen=False)
    found = gpu.obstacle(drivers, torch_build())
    if found is None and hidden is not None:
        found = f"CUDA_VISIBLE_DEVICES={hidden!r} names no GPU that torch sees"
    return Problem(found or "torch does not see it, though its driver answers", seen=True)


def try_gpu(chosen: torch.device) -> str | None:
    """Return what goes wrong when a GPU computes something; None where it works."""
    try:
        total = float((torch.ones(1024, device=chosen) + 1).sum())
    except (RuntimeError, AssertionError) as error:
        return f"{chosen} failed at first use: {str(error).strip().partition(chr(10))[0]}"
    return None if total == 2048 else f"{chosen} computes wrongly: the sum of 1024 twos was {total}"  # noqa: PLR2004


def torch_build() -> Build:
    """Return what the torch of this process was built for."""
    major, _, minor = (torch.version.cuda or "").partition(".")
    architectures = tuple(torch._C._cuda_getArchFlags().split()) if major else ()
    return Build(cuda=(int(major), int(minor)) if major else None, architectures=architectures)


def _precision(dtype: torch.dtype | None) -> Precision:
    if dtype not in (None, torch.float32, torch.bfloat16):
        raise ValueError(f"dtype is {dtype}, expected torch.float32 or torch.bfloat16")
    if dtype is torch.float32:
        return Precision.FP32
    if cpu.read().has_bf16:
        return Precision.BF16
    if dtype is torch.bfloat16:
        warn("bf16 is not used: this CPU does not multiply bfloat16, and emulating it is slower than fp32")
    return Precision.FP32


def _on_gpu(model: torch.nn.Module) -> bool:
    first = next(model.parameters(), None)
    return first is not None and first.device.type == "cuda"


class _Call:
    """Used where `Module.compile` sets its own, so that copies and pickles of the model do not contain it."""

    def __init__(self, model: torch.nn.Module) -> None:
        self._model = weakref.ref(model)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        model = self._model()
        if model is None:
            raise ReferenceError("the model of this call is gone")
        if torch.compiler.is_compiling():
            return model._call_impl(*args, **kwargs)
        return self.call(model, args, kwargs)

    def call(self, model: torch.nn.Module, args: Any, kwargs: Any) -> Any:
        """Call the model."""
        raise NotImplementedError


class _Served(_Call):
    """Calls a model by its plan."""

    def __init__(self, model: torch.nn.Module, plan: Plan) -> None:
        super().__init__(model)
        self._plan = plan

    def call(self, model: torch.nn.Module, args: Any, kwargs: Any) -> Any:
        return self._plan.call(model, args, kwargs, lambda: model._call_impl(*args, **kwargs))


class _Trained(_Call):
    """Calls a model in autocast; its results come in the dtype that they would have without."""

    def call(self, model: torch.nn.Module, args: Any, kwargs: Any) -> Any:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            result = model._call_impl(*args, **kwargs)
        return torch.utils._pytree.tree_map_only(torch.Tensor, _widened, result)


def _serve(model: torch.nn.Module, precision: Precision) -> None:
    model._compiled_call_impl = None  # an earlier optimize, which this one replaces
    found = extension.find(torch.__version__)
    engine, warning = pick_engine(settings.read().engine, found, cpu=cpu.read(), precision=precision)
    if warning:
        warn(warning)
    entry = Entry(name=type(model).__name__, weights=count(model))
    model._compiled_call_impl = _Served(model, Plan(model, precision=precision, engine=engine, entry=entry))


def _train(model: torch.nn.Module, precision: Precision) -> None:
    if precision is Precision.BF16:
        model.to(memory_format=torch.channels_last)
        model._compiled_call_impl = _Trained(model)


def _widened(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.float() if tensor.dtype is torch.bfloat16 else tensor
