"""NVIDIA GPUs: what the driver reports, and whether this torch can use them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from accel_runtime.hardware import CUDA_ERRORS, INTEL, NVIDIA, ZE_GPU

_PATIENCE = 30.0
"""Seconds for the drivers to answer: a cold machine with eight GPUs takes five."""

VISIBLE = "CUDA_VISIBLE_DEVICES"

_NO_DEVICE = 100
"""`CUDA_ERROR_NO_DEVICE`: no GPU, or none that the variable lets the driver see."""

OLDEST_DRIVERS = {11: "450.80.02", 12: "525.60.13", 13: "580.65.06"}
"""Major version of CUDA -> oldest driver on Linux that runs all of its minor versions.

https://docs.nvidia.com/deploy/cuda-compatibility/minor-version-compatibility.html
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """A GPU as its driver describes it: compute capability such as `(9, 0)`, memory in bytes, PCI address."""

    name: str
    capability: tuple[int, int]
    memory: int
    pci: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Drivers:
    """What the drivers report.

    Attributes:
        gpus: NVIDIA's, in the driver's order.
        cuda: newest CUDA version that the driver supports; None without a driver.
        driver: version of NVIDIA's kernel driver, where NVML has it.
        problem: why NVIDIA's driver cannot be used; None where it can.
        seen: whether NVIDIA hardware or a driver library exists and is not hidden by `CUDA_VISIBLE_DEVICES`.
        intel_gpus: names of Intel's GPUs that Level Zero offers.
        intel_seen: whether Intel display hardware is on the PCI bus.
        level_zero: why Level Zero cannot be used; None where it can.
    """

    gpus: tuple[Gpu, ...] = ()
    cuda: tuple[int, int] | None = None
    driver: str | None = None
    problem: str | None = None
    seen: bool = False
    intel_gpus: tuple[str, ...] = ()
    intel_seen: bool = False
    level_zero: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """What the torch of this environment was built for: CUDA version (None for a CPU build), `sm_90` and the like."""

    cuda: tuple[int, int] | None
    architectures: tuple[str, ...] = ()


def read() -> Drivers:
    """Return what the drivers report, from a child process."""
    program = Path(__file__).with_name("drivers.py")
    try:
        done = subprocess.run(
            # -I ignores PYTHONDONTWRITEBYTECODE, and this command must not write to the prefix
            [sys.executable, "-I", "-B", program],
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Drivers(seen=True, problem=f"the driver did not answer within {_PATIENCE:.0f} s")
    if done.returncode:
        return Drivers(seen=True, problem=f"the driver crashed the process that asked it (status {done.returncode})")
    return parse(done.stdout, visible=os.environ.get(VISIBLE))


def parse(text: str, *, visible: str | None = None) -> Drivers:
    """Read what `accel_runtime.drivers` printed; its docstring has a sample.

    Args:
        text: a JSON document.
        visible: `CUDA_VISIBLE_DEVICES` of the process that asked. Where it names no GPU, the driver finds none:
            that was asked for, and is not a GPU that cannot be used.
    """
    document = json.loads(text)
    cuda, nvml, zero = document["cuda"], document["nvml"], document["level_zero"]
    vendors = [entry["vendor"] for entry in document["pci"]]
    version = cuda.get("version") or None
    hidden = visible is not None and cuda.get("init") == _NO_DEVICE
    return Drivers(
        gpus=tuple(_gpu(device) for device in cuda.get("devices", ())),
        cuda=(version // 1000, version % 1000 // 10) if version else None,
        driver=nvml.get("driver") or None,
        problem=f"{VISIBLE}={visible!r} hides every GPU" if hidden else _cuda_problem(cuda, on_bus=NVIDIA in vendors),
        seen=not hidden and (NVIDIA in vendors or "library" in cuda),
        intel_gpus=tuple(device["name"] for device in zero.get("devices", ()) if device["type"] == ZE_GPU),
        intel_seen=INTEL in vendors,
        level_zero=_zero_problem(zero),
    )


def obstacle(drivers: Drivers, build: Build) -> str | None:
    """Return why torch cannot use the GPUs; None where it can.

    Within one major version of CUDA an older driver runs what a newer toolkit built, on GPUs that the binary has code
    for (https://docs.nvidia.com/deploy/cuda-compatibility/#minor-version-compatibility).
    """
    if drivers.problem:
        return drivers.problem
    if not drivers.gpus:
        return "the driver lists no GPU"
    if build.cuda is None:
        return "this torch was built without CUDA"
    if drivers.cuda and drivers.cuda[0] < build.cuda[0]:
        return _too_old(drivers.driver, drivers.cuda, build.cuda)
    if not any(_has_code(gpu, build) for gpu in drivers.gpus):
        names = ", ".join(f"{gpu.name} (sm_{gpu.capability[0]}{gpu.capability[1]})" for gpu in drivers.gpus)
        return f"this torch has no code for {names}: it was built for {' '.join(build.architectures)}"
    return None


def dotted(version: tuple[int, int]) -> str:
    """Write a version: `12.8`."""
    return f"{version[0]}.{version[1]}"


def _too_old(driver: str | None, has: tuple[int, int], built: tuple[int, int]) -> str:
    """Return both versions, and the driver to install."""
    oldest = OLDEST_DRIVERS.get(built[0])
    remedy = f"install driver {oldest} or newer" if oldest else "install a newer driver"
    versions = (
        f"it supports CUDA {dotted(has)}, and this torch, built for CUDA {dotted(built)}, needs {built[0]}.0 or newer"
    )
    return f"the driver {f'({driver}) ' if driver else ''}is too old: {versions}; {remedy}"


def _gpu(device: dict[str, Any]) -> Gpu:
    major, minor = device["capability"]
    return Gpu(name=device["name"], capability=(major, minor), memory=device["memory"], pci=device["pci"])


def _cuda_problem(cuda: dict[str, Any], *, on_bus: bool) -> str | None:
    if "error" in cuda:
        return f"an NVIDIA GPU was found, but no driver: {cuda['error']}" if on_bus else None
    status = cuda["init"]
    return f"the driver cannot be started: {CUDA_ERRORS.get(status, 'error')} ({status})" if status else None


def _zero_problem(zero: dict[str, Any]) -> str | None:
    if "error" in zero:
        return str(zero["error"])
    return f"Level Zero cannot be started (0x{zero['init']:x})" if zero["init"] else None


def _has_code(gpu: Gpu, build: Build) -> bool:
    """Return whether a build has code for a GPU.

    Machine code runs on its major architecture, from its minor one on; `compute_NN` is compiled for newer ones.
    """
    for text in build.architectures:
        kind, _, number = text.partition("_")
        number = number.rstrip("af")
        if not number.isdigit():
            continue
        major, minor = int(number[:-1]), int(number[-1])
        if kind == "compute" and gpu.capability >= (major, minor):
            return True
        if kind == "sm" and gpu.capability[0] == major and gpu.capability[1] >= minor:
            return True
    return not build.architectures
