"""The global module hook: an unmodified script's models are optimised when they are called.

`torch.nn.Module.__call__` is replaced by a function that treats outermost calls only: a model's call, not those of its
layers. Models are not changed, so that copies, pickles and checkpoints do not differ.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import sys
import threading
import weakref
from typing import TYPE_CHECKING, Any

import torch

from accel_runtime import api, cpu, extension, settings
from accel_runtime.choice import pick_engine
from accel_runtime.fitness import count, watched
from accel_runtime.plan import Plan
from accel_runtime.report import Report
from accel_runtime.settings import Device, Precision, warn
from accel_runtime.watch import DataTrap

if TYPE_CHECKING:
    from accel_runtime.settings import Engine

_original = torch.nn.Module.__call__


class _Inside(threading.local):
    """Whether this thread is inside a module's call."""

    call = False


class Hook:
    """The hook of one process.

    Args:
        precision: in what optimised models compute.
        engine: what compiles them.
    """

    def __init__(self, *, precision: Precision, engine: Engine) -> None:
        self.report = Report(title=f"{precision.value} by {engine.value}")
        self._precision = precision
        self._engine = engine
        self._plans: dict[int, Plan] = {}
        self._inside = _Inside()

    def install(self) -> None:
        """Replace `Module.__call__`."""

        def call(module: torch.nn.Module, *args: Any, **kwargs: Any) -> Any:
            # the first is a constant to torch's own capture, which then sees torch's own call alone
            if torch.compiler.is_compiling() or self._inside.call or watched() or module._compiled_call_impl:
                return _original(module, *args, **kwargs)
            self._inside.call = True
            try:
                return self._plan(module).call(module, args, kwargs, lambda: _original(module, *args, **kwargs))
            finally:
                self._inside.call = False

        torch.nn.Module.__call__ = call
        DataTrap.set()

    def remove(self) -> None:
        """Restore torch's own `Module.__call__`."""
        torch.nn.Module.__call__ = _original
        DataTrap.release()

    def _plan(self, module: torch.nn.Module) -> Plan:
        found = self._plans.get(id(module))
        if found is None:
            entry = self.report.entry(type(module).__name__, count(module))
            found = self._plans[id(module)] = Plan(module, precision=self._precision, engine=self._engine, entry=entry)
            weakref.finalize(module, self._plans.pop, id(module), None)
        return found


def install_from_environment() -> Hook | None:
    """Return the hook that `ACCEL_AUTO` asks for, installed; None where another path is used.

    CUDA is not initialised for the decision: a process that did so could not fork workers that use it.
    """
    wanted = settings.read()
    for fault in wanted.faults.values():
        warn(fault)
    if wanted.auto is None or wanted.device in (Device.OFF, Device.CUDA):
        return None
    if wanted.device is not Device.CPU:
        if gpu_is_there():
            return None
        if (problem := api.missing_gpu()).seen:
            warn(f"the GPU is not used, the CPU is: {problem.words}")
    precision = wanted.auto
    if precision is Precision.BF16 and not cpu.read().has_bf16:
        warn("bf16 is not used: this CPU does not multiply bfloat16, and emulating it is slower than fp32")
        precision = Precision.FP32
    found = extension.find(torch.__version__)
    engine, warning = pick_engine(wanted.engine, found, cpu=cpu.read(), precision=precision)
    if warning:
        warn(warning)
    hook = Hook(precision=precision, engine=engine)
    hook.install()
    if wanted.report:
        atexit.register(_tell, hook.report, os.getpid())
    return hook


def gpu_is_there() -> bool:
    """Return whether torch sees an NVIDIA GPU, by the driver's management library where possible."""
    name = "PYTORCH_NVML_BASED_CUDA_CHECK"  # https://docs.pytorch.org/docs/stable/cuda_environment_variables.html
    before = os.environ.get(name)
    os.environ[name] = "1"
    try:
        return torch.cuda.is_available()
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def _tell(report: Report, process: int) -> None:
    worker = multiprocessing.parent_process() is not None and not report.entries
    if os.getpid() == process and not worker:  # forked processes have the handler too
        sys.stderr.write("\n".join(report.lines()) + "\n")
