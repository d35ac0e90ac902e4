"""GPUs and their drivers, asked through the drivers' own libraries in a process that may hang or crash.

The program that asks ships with the recipe `accel-runtime` (`accel_runtime/drivers.py`), which has it for `accel
info`; here are its parser and its runner.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from envgen.system.process import ProcessError, run

if TYPE_CHECKING:
    from pathlib import Path

_PATIENCE = 30.0
"""Seconds for the drivers to answer: a cold machine with eight GPUs takes five, a hung driver for ever."""

_NVIDIA, _INTEL = "0x10de", "0x8086"
"""PCI vendors."""

_ZE_GPU = 1
"""`ZE_DEVICE_TYPE_GPU`; NPUs are another type."""

CUDA_ERRORS = {
    # https://docs.nvidia.com/cuda/cuda-driver-api/group__CUDA__TYPES.html
    2: "out of memory",
    3: "not initialized",
    34: "the library is a stub of the toolkit, not the driver",
    46: "the device is busy or unavailable",
    100: "the driver sees no device",
    101: "invalid device",
    214: "an uncorrectable memory (ECC) error",
    802: "the system is not ready: the fabric manager does not run",
    803: "the driver's library and its kernel module are of different versions",
    804: "the compatibility library does not support this GPU",
    999: "unknown error",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NvidiaGpu:
    """A GPU as its driver describes it: compute capability such as `(9, 0)`, memory in bytes, PCI address."""

    name: str
    capability: tuple[int, int]
    memory: int
    pci: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Nvidia:
    """NVIDIA's part.

    Attributes:
        gpus: in the driver's order.
        cuda: newest CUDA version that the driver supports, `(12, 8)`; None without a driver.
        driver: version of the kernel driver, where NVML tells it.
        problem: why the driver cannot be used, in words; None where it can, or where nothing of NVIDIA's is there.
    """

    gpus: tuple[NvidiaGpu, ...] = ()
    cuda: tuple[int, int] | None = None
    driver: str | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Intel:
    """Intel's part.

    Attributes:
        gpus: names, as Level Zero gives them.
        on_bus: display controllers on the PCI bus; most are part of the processor.
        problem: why Level Zero cannot be used; None where it can.
    """

    gpus: tuple[str, ...] = ()
    on_bus: int = 0
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Accelerators:
    """What accelerates besides the processor."""

    nvidia: Nvidia
    intel: Intel


def look(program: Path) -> Accelerators:
    """Ask the drivers.

    Args:
        program: `drivers.py` of the recipe `accel-runtime`.
    """
    try:
        done = run([sys.executable, "-I", program], timeout=_PATIENCE)
    except ProcessError as error:
        ending = "did not answer" if error.status is None else f"crashed the process that asked it ({error.status})"
        return Accelerators(nvidia=Nvidia(problem=f"the driver {ending}"), intel=Intel(problem="not asked"))
    return parse(done.stdout)


def parse(document: bytes | str) -> Accelerators:
    """Read what the program printed; its docstring has a sample."""
    raw = json.loads(document)
    vendors = [entry["vendor"] for entry in raw["pci"]]
    return Accelerators(
        nvidia=_nvidia(raw["cuda"], raw["nvml"], on_bus=_NVIDIA in vendors),
        intel=_intel(raw["level_zero"], on_bus=vendors.count(_INTEL)),
    )


def _nvidia(cuda: dict[str, Any], nvml: dict[str, Any], *, on_bus: bool) -> Nvidia:
    if "error" in cuda:
        return Nvidia(problem=f"an NVIDIA GPU is there, but no driver: {cuda['error']}" if on_bus else None)
    version, status = cuda["version"], cuda["init"]
    return Nvidia(
        gpus=tuple(_gpu(device) for device in cuda["devices"]),
        cuda=(version // 1000, version % 1000 // 10) if version else None,
        driver=nvml.get("driver") or None,
        problem=f"the driver cannot be started: {CUDA_ERRORS.get(status, 'error')} ({status})" if status else None,
    )


def _gpu(device: dict[str, Any]) -> NvidiaGpu:
    major, minor = device["capability"]
    return NvidiaGpu(name=device["name"], capability=(major, minor), memory=device["memory"], pci=device["pci"])


def _intel(zero: dict[str, Any], *, on_bus: int) -> Intel:
    if "error" in zero:
        return Intel(on_bus=on_bus, problem=zero["error"])
    if zero["init"]:
        return Intel(on_bus=on_bus, problem=f"Level Zero cannot be started (0x{zero['init']:x})")
    return Intel(gpus=tuple(device["name"] for device in zero["devices"] if device["type"] == _ZE_GPU), on_bus=on_bus)
