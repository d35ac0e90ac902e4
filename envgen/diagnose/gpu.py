"""What the GPUs of a machine and their drivers mean for a lock."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from envgen.diagnose.findings import fine, note, problem
from envgen.platforms import Platform, dotted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from envgen.diagnose.findings import Finding
    from envgen.diagnose.machine import Machine
    from envgen.lock.model import Lock
    from envgen.system.accelerators import Nvidia, NvidiaGpu

_OLDEST_DRIVER = {11: "450.80.02", 12: "525.60.13", 13: "580.65.06"}
"""Major version of CUDA -> oldest driver of its minor version compatibility, on Linux.

https://docs.nvidia.com/deploy/cuda-compatibility/minor-version-compatibility.html
"""

_ARCHITECTURES = {("2.8", (12, 8)): ((7, 0), (7, 5), (8, 0), (8, 6), (9, 0), (10, 0), (12, 0))}
"""Release of torch and its CUDA -> compute capabilities that its wheel for x86-64 has code for.

As the wheel of 2.8.0 says itself (`torch._C._cuda_getArchFlags()`); it has no PTX, which newer GPUs could compile.
"""

_NO_DEVICE = 100
"""`CUDA_ERROR_NO_DEVICE`."""

_IN_CONTAINER = "start the container with GPUs (`docker run --gpus all`, `apptainer exec --nv`)"

_REMEDIES = {
    # by `CUresult`
    34: f"remove the CUDA toolkit's `stubs` folder from LD_LIBRARY_PATH, or {_IN_CONTAINER}",
    _NO_DEVICE: f"run `nvidia-smi`; in a container, {_IN_CONTAINER}",
    802: "start the NVIDIA Fabric Manager",
    803: "restart the machine: the driver was updated while its kernel module was loaded",
    804: "remove the CUDA toolkit's `compat` folder from LD_LIBRARY_PATH: it supports data-centre GPUs only",
    999: "check `dmesg` for lines with NVRM, and restart the machine",
}

_XPU = "the XPU build of torch in another environment, which is untested with envgen"


def cuda_runtime(lock: Lock) -> tuple[int, int] | None:
    """Find the version of CUDA that a lock holds; None where it holds none."""
    found = lock.cuda_runtime
    return _two(found.version) if found else None


def against_nvidia(machine: Machine, lock: Lock | None) -> Finding | None:
    """Return why the GPUs cannot be used; None where they can, or where there are none."""
    nvidia = machine.accelerators.nvidia
    if not nvidia.gpus:
        return _no_gpu(machine)
    if lock is None:
        return None
    runtime = cuda_runtime(lock)
    if runtime is None:
        what = f"the lock contains no CUDA: {nvidia.gpus[0].name} is not used"
        return note("gpu", what, f"lock a torch with CUDA: set `cuda` in `{lock.source}`")
    if nvidia.cuda and nvidia.cuda[0] < runtime[0]:
        return _old_driver(_driver(machine), nvidia.cuda, runtime)
    useless = _without_code(nvidia, lock)
    if len(useless) < len(nvidia.gpus):
        return None
    return problem(
        "gpu", _no_code(useless, lock), "lock a torch that supports this GPU, or use the CPU: ACCEL_DEVICE=cpu"
    )


def nvidia_findings(machine: Machine, lock: Lock | None, against: Finding | None) -> Iterator[Finding]:
    """Yield the findings on NVIDIA's GPUs and driver.

    Args:
        machine: what was found.
        lock: for the machine's platform.
        against: what `against_nvidia` says.
    """
    nvidia = machine.accelerators.nvidia
    for gpu in nvidia.gpus:
        what = f"{gpu.name}, compute capability {dotted(gpu.capability)}, {gpu.memory / 2**30:.0f} GiB, {gpu.pci}"
        yield fine("gpu", what)
    if nvidia.cuda and nvidia.gpus:
        yield fine("driver", f"NVIDIA {_driver(machine) or '(unknown version)'}, supports CUDA {dotted(nvidia.cuda)}")
    if against:
        yield against
    elif lock and nvidia.gpus:
        yield from _limits(nvidia, lock)


def intel_findings(machine: Machine, lock: Lock | None) -> Iterator[Finding]:
    """Yield the findings on Intel's GPUs: what can use them and what cannot."""
    intel = machine.accelerators.intel
    if "+xpu" in _torch(lock):
        yield from (fine("gpu", f"{name} (Level Zero)") for name in intel.gpus)
        return
    cannot = "this lock's torch cannot use it" if lock else "torch's CUDA and CPU builds cannot use it"
    for name in intel.gpus:
        yield note("gpu", f"{name} (Level Zero): {cannot}", f"to use it, install {_XPU}")
    if intel.on_bus and not intel.gpus:
        yield _without_level_zero(machine)


def _no_gpu(machine: Machine) -> Finding | None:
    nvidia, files = machine.accelerators.nvidia, machine.files
    there = nvidia.on_bus or files.nvidia
    if nvidia.status == _NO_DEVICE and not there:
        return note("driver", "the NVIDIA driver is installed, but reports no GPU", f"in a container, {_IN_CONTAINER}")
    if nvidia.status == _NO_DEVICE and machine.visible is not None:
        what = f"CUDA_VISIBLE_DEVICES={machine.visible!r} hides all GPUs"
        return note("gpu", what, "unset CUDA_VISIBLE_DEVICES, or list GPUs in it")
    if nvidia.problem and files.closed:
        what = f"{nvidia.problem}; no permission to open {', '.join(f'`{path}`' for path in files.closed)}"
        return problem("driver", what, f"join the group that owns them (`ls -l /dev/nvidia*`), or {_IN_CONTAINER}")
    if nvidia.status is None and nvidia.on_bus is not None and files.nvidia_module:
        why = nvidia.problem or "its library `libcuda.so.1` is not found"
        what = f"the NVIDIA kernel module {files.nvidia_module} is loaded, but {why}"
        remedy = f"install the user-space libraries of driver {files.nvidia_module}; in a container, {_IN_CONTAINER}"
        return problem("driver", what, remedy)
    return problem("driver", nvidia.problem, _remedy(nvidia)) if nvidia.problem else None


def _remedy(nvidia: Nvidia) -> str:
    if nvidia.on_bus is None:  # its library was not asked to the end: it hung or crashed
        return "run `nvidia-smi` and check `dmesg` for lines with NVRM; restart the machine if these hang too"
    if nvidia.status is None:
        return "install the NVIDIA driver" if nvidia.on_bus else "reinstall the NVIDIA driver"
    return _REMEDIES.get(nvidia.status, "run `nvidia-smi` and check `dmesg` for lines with NVRM")


def _driver(machine: Machine) -> str | None:
    """Return the version of NVIDIA's driver, from NVML or from the kernel module."""
    return machine.accelerators.nvidia.driver or machine.files.nvidia_module


def _old_driver(driver: str | None, cuda: tuple[int, int], runtime: tuple[int, int]) -> Finding:
    named = f"the NVIDIA driver {driver}" if driver else "the NVIDIA driver"
    oldest = _OLDEST_DRIVER.get(runtime[0])
    return problem(
        "driver",
        f"{named} supports CUDA up to {dotted(cuda)}, the lock contains CUDA {dotted(runtime)}",
        f"update the driver{f' to {oldest} or newer' if oldest else ''}, or use the CPU: ACCEL_DEVICE=cpu",
    )


def _limits(nvidia: Nvidia, lock: Lock) -> Iterator[Finding]:
    """Yield what a lock that works here cannot do."""
    runtime = cuda_runtime(lock)
    if nvidia.cuda and runtime and nvidia.cuda < runtime:
        what = (
            f"CUDA {dotted(runtime)} works with this driver by minor version compatibility; newer features may not work"
        )
        yield note("driver", what, "update the driver to use all features")
    if useless := _without_code(nvidia, lock):
        yield note("gpu", _no_code(useless, lock), "exclude these GPUs with CUDA_VISIBLE_DEVICES")


def _without_code(nvidia: Nvidia, lock: Lock) -> tuple[NvidiaGpu, ...]:
    """Find the GPUs that the lock's torch has no code for; none where nobody knows what it has.

    Code for a capability runs on those of the same major and a higher minor version.
    https://docs.nvidia.com/cuda/cuda-c-programming-guide/index.html#binary-compatibility
    """
    runtime, torch = cuda_runtime(lock), _torch(lock)
    known = lock.platform is Platform.LINUX_64 and torch and runtime
    has = _ARCHITECTURES.get((dotted(_two(torch)), runtime)) if known and runtime else None
    if has is None:
        return ()
    return tuple(
        gpu
        for gpu in nvidia.gpus
        if not any(major == gpu.capability[0] and minor <= gpu.capability[1] for major, minor in has)
    )


def _no_code(gpus: tuple[NvidiaGpu, ...], lock: Lock) -> str:
    names = ", ".join(dict.fromkeys(f"{gpu.name} ({dotted(gpu.capability)})" for gpu in gpus))
    has = _ARCHITECTURES[dotted(_two(_torch(lock))), cuda_runtime(lock) or (0, 0)]
    return f"torch {_torch(lock)} has code for compute capabilities {', '.join(map(dotted, has))}, none for {names}"


def _without_level_zero(machine: Machine) -> Finding:
    intel = machine.accelerators.intel
    nodes = [node for node in machine.files.render if node.is_intel]
    driver = f" (kernel driver {nodes[0].driver})" if nodes and nodes[0].driver else ""
    what = f"an Intel GPU is present{driver}, but Level Zero reports none: {intel.problem or 'no device'}"
    if closed := [f"`{node.file.path}`" for node in nodes if not node.file.usable]:
        return note(
            "gpu", f"{what}; no permission to open {', '.join(closed)}", "join the group that owns the device file"
        )
    return note("gpu", what, f"to use it, install its compute driver, and {_XPU}")


def _torch(lock: Lock | None) -> str:
    """Return the version of torch in a lock; empty without torch."""
    packages = lock.packages if lock else ()
    return next((package.version for package in packages if package.name in ("torch", "pytorch")), "")


def _two(version: str) -> tuple[int, int]:
    """Return the first two numbers of a version."""
    major, minor = (*re.findall(r"\d+", version), "0", "0")[:2]
    return int(major), int(minor)
