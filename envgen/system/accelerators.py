"""GPUs and their drivers, asked through the drivers' own libraries in a process that may hang or crash.

The program that asks ships with the recipe `accel-runtime` (`accel_runtime/drivers.py`), which has it for `accel
info`; here are its parser and its runner.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from envgen.system.hardware import CUDA_ERRORS, INTEL, NVIDIA, NVML_ERRORS, ZE_GPU
from envgen.system.process import ProcessError, run

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE = 10.0
"""Seconds for the drivers to answer: a cold machine with eight GPUs takes five, a hung driver for ever."""

_NOT_THERE = "No such file or directory"
"""The linker's words where there is no library at all, unlike one that cannot be loaded."""


class NvidiaGpu(Struct, frozen=True, kw_only=True):
    """A GPU as its driver describes it: compute capability such as `(9, 0)`, memory in bytes, PCI address."""

    name: str
    capability: tuple[int, int]
    memory: int
    pci: str


class Nvidia(Struct, frozen=True, kw_only=True):
    """NVIDIA's part.

    Attributes:
        gpus: in the driver's order.
        cuda: newest CUDA version that the driver supports, `(12, 8)`; None without a driver.
        driver: version of the kernel driver, where NVML tells it.
        problem: why the driver cannot be used, in words; None where it can, or where nothing of NVIDIA's is there.
        status: of `cuInit`, a `CUresult`; None where libcuda could not be asked.
        on_bus: devices on the PCI bus; None where nobody could look.
    """

    gpus: tuple[NvidiaGpu, ...] = ()
    cuda: tuple[int, int] | None = None
    driver: str | None = None
    problem: str | None = None
    status: int | None = None
    on_bus: int | None = None


class Intel(Struct, frozen=True, kw_only=True):
    """Intel's part.

    Attributes:
        gpus: names, as Level Zero gives them.
        on_bus: display controllers on the PCI bus; most are part of the processor.
        problem: why Level Zero cannot be used; None where it can.
    """

    gpus: tuple[str, ...] = ()
    on_bus: int = 0
    problem: str | None = None


class Accelerators(Struct, frozen=True, kw_only=True):
    """What accelerates besides the processor."""

    nvidia: Nvidia
    intel: Intel


def probe_accelerators(program: Path) -> Accelerators:
    """Probe the drivers of GPUs.

    Args:
        program: `drivers.py` of the recipe `accel-runtime`.
    """
    try:
        return parse(run([sys.executable, "-I", "-B", program], timeout=PATIENCE).stdout)
    except ProcessError as error:
        ending = (
            "did not respond" if error.status is None else f"crashed the process that loaded it (status {error.status})"
        )
    except (ValueError, KeyError, TypeError) as error:  # a driver that writes to standard output itself
        ending = f"returned output that cannot be parsed ({error!r})"
    return unanswered(f"the driver {ending}")


def unanswered(why: str) -> Accelerators:
    """Return the facts of a machine whose drivers could not be probed."""
    return Accelerators(nvidia=Nvidia(problem=why), intel=Intel(problem="not probed"))


def parse(document: bytes | str) -> Accelerators:
    """Read what the program printed; its docstring has a sample."""
    raw = json.loads(document)
    vendors = [entry["vendor"] for entry in raw["pci"]]
    return Accelerators(
        nvidia=_nvidia(raw["cuda"], raw["nvml"], on_bus=vendors.count(NVIDIA)),
        intel=_intel(raw["level_zero"], on_bus=vendors.count(INTEL)),
    )


def _nvidia(cuda: dict[str, Any], nvml: dict[str, Any], *, on_bus: int) -> Nvidia:
    if "error" in cuda:
        return Nvidia(problem=_no_library(cuda["error"], on_bus=bool(on_bus)), on_bus=on_bus)
    version, status = cuda["version"], cuda["init"]
    return Nvidia(
        gpus=tuple(_gpu(device) for device in cuda["devices"]),
        cuda=(version // 1000, version % 1000 // 10) if version else None,
        driver=nvml.get("driver") or None,
        problem=_cannot_start(status, nvml.get("init", 0)) if status else None,
        status=status,
        on_bus=on_bus,
    )


def _no_library(error: str, *, on_bus: bool) -> str | None:
    if not error.endswith(_NOT_THERE):
        return f"failed to load the driver's library: {error}"
    return f"an NVIDIA GPU is present, but no driver: {error}" if on_bus else None


def _cannot_start(status: int, nvml: int) -> str:
    """Return the error in libcuda's words, and in NVML's, which are often clearer."""
    said = f"failed to initialize the driver: {CUDA_ERRORS.get(status, 'error')} ({status})"
    return f"{said}; NVML: {NVML_ERRORS.get(nvml, 'error')} ({nvml})" if nvml else said


def _gpu(device: dict[str, Any]) -> NvidiaGpu:
    major, minor = device["capability"]
    return NvidiaGpu(name=device["name"], capability=(major, minor), memory=device["memory"], pci=device["pci"])


def _intel(zero: dict[str, Any], *, on_bus: int) -> Intel:
    if "error" in zero:
        return Intel(on_bus=on_bus, problem=zero["error"])
    if zero["init"]:
        return Intel(on_bus=on_bus, problem=f"failed to initialize Level Zero (0x{zero['init']:x})")
    return Intel(gpus=tuple(device["name"] for device in zero["devices"] if device["type"] == ZE_GPU), on_bus=on_bus)
