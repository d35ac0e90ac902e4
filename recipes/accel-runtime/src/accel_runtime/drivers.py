"""Raw answers of the accelerators' drivers, through their own C libraries and without torch.

Run as a program it prints one JSON document; `accel info` and `envgen doctor` run it as a child process, because a
broken driver may hang or crash the process that loads it, and because a process that called `cuInit` can no longer
fork children that use the GPU. Standard library only.

    {"cuda": {"library": "libcuda.so.1", "init": 0, "version": 12080,
              "devices": [{"name": "NVIDIA L4", "capability": [8, 9], "memory": 23567532032, "pci": "0000:00:04.0"}]},
     "nvml": {"library": "libnvidia-ml.so.1", "init": 0, "driver": "570.86.15"},
     "level_zero": {"error": "libze_loader.so.1: cannot open shared object file: No such file or directory"},
     "pci": [{"address": "0000:00:04.0", "vendor": "0x10de", "device": "0x27b8", "class": "0x030200"}]}
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    Loader = Callable[[str], Any]

_FOLDERS = ("", "/usr/lib/wsl/lib/", "/usr/local/nvidia/lib64/", "/run/opengl-driver/lib/")
"""Folders of drivers: the loader's own, WSL, Google's Kubernetes, NixOS."""

_DISPLAY, _PROCESSING = "0x03", "0x12"
"""PCI base classes of display controllers and of processing accelerators (PCI Code and ID Assignment, 1.3)."""

_NAME_SIZE = 256

_CAPABILITY_MAJOR, _CAPABILITY_MINOR = 75, 76
"""`CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR` and `_MINOR` of cuda.h."""

_ZE_DEVICE_PROPERTIES = 0x3
"""`ZE_STRUCTURE_TYPE_DEVICE_PROPERTIES` of ze_api.h."""


class _ZeDeviceProperties(ctypes.Structure):
    """`ze_device_properties_t` of ze_api.h, Level Zero 1.x."""

    _fields_ = (
        ("stype", ctypes.c_uint32),
        ("pNext", ctypes.c_void_p),
        ("type", ctypes.c_uint32),  # 1 is a GPU
        ("vendorId", ctypes.c_uint32),
        ("deviceId", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("subdeviceId", ctypes.c_uint32),
        ("coreClockRate", ctypes.c_uint32),
        ("maxMemAllocSize", ctypes.c_uint64),
        ("maxHardwareContexts", ctypes.c_uint32),
        ("maxCommandQueuePriority", ctypes.c_uint32),
        ("numThreadsPerEU", ctypes.c_uint32),
        ("physicalEUSimdWidth", ctypes.c_uint32),
        ("numEUsPerSubslice", ctypes.c_uint32),
        ("numSubslicesPerSlice", ctypes.c_uint32),
        ("numSlices", ctypes.c_uint32),
        ("timerResolution", ctypes.c_uint64),
        ("timestampValidBits", ctypes.c_uint32),
        ("kernelTimestampValidBits", ctypes.c_uint32),
        ("uuid", ctypes.c_uint8 * 16),
        ("name", ctypes.c_char * _NAME_SIZE),
    )


def cuda(load: Loader | None = None) -> dict[str, Any]:
    """Return libcuda's version and devices.

    Args:
        load: opens a shared library by name, raises `OSError` where there is none.
    """
    library, name, error = _open("libcuda.so.1", load)
    if library is None:
        return {"error": error}
    version = ctypes.c_int()
    library.cuDriverGetVersion(ctypes.byref(version))
    status = library.cuInit(0)
    count = ctypes.c_int()
    if status == 0:
        library.cuDeviceGetCount(ctypes.byref(count))
    devices = [_cuda_device(library, index) for index in range(count.value)]
    return {"library": name, "init": status, "version": version.value, "devices": devices}


def nvml(load: Loader | None = None) -> dict[str, Any]:
    """Return the version of the kernel driver from NVML; libcuda does not have it."""
    library, name, error = _open("libnvidia-ml.so.1", load)
    if library is None:
        return {"error": error}
    status = library.nvmlInit_v2()
    driver = ctypes.create_string_buffer(_NAME_SIZE)
    if status == 0:
        library.nvmlSystemGetDriverVersion(driver, _NAME_SIZE)
        library.nvmlShutdown()
    return {"library": name, "init": status, "driver": driver.value.decode(errors="replace")}


def level_zero(load: Loader | None = None) -> dict[str, Any]:
    """Return the devices of the Level Zero loader: Intel GPUs and NPUs."""
    library, name, error = _open("libze_loader.so.1", load)
    if library is None:
        return {"error": error}
    status = library.zeInit(0)
    drivers = _ze_list(library.zeDriverGet) if status == 0 else []
    devices = [_ze_device(library, device) for driver in drivers for device in _ze_list(library.zeDeviceGet, driver)]
    return {"library": name, "init": status, "devices": devices}


def pci(root: Path = Path("/sys/bus/pci/devices")) -> list[dict[str, str]]:
    """Return display controllers and accelerators on the PCI bus, with or without a driver."""
    found = []
    for folder in sorted(root.glob("*")):
        with contextlib.suppress(OSError):
            entry = {name: (folder / name).read_text().strip() for name in ("vendor", "device", "class")}
            if entry["class"].startswith((_DISPLAY, _PROCESSING)):
                found.append({"address": folder.name, **entry})
    return found


def _open(name: str, load: Loader | None) -> tuple[Any, str, str]:
    """Return a library from the first folder that has it; else the loader's error for the first folder."""
    errors: list[str] = []
    for folder in _FOLDERS:
        try:
            return (load or ctypes.CDLL)(folder + name), folder + name, ""
        except OSError as error:
            errors.append(str(error))
    return None, "", errors[0]


def _cuda_device(library: Any, index: int) -> dict[str, Any]:
    device, memory = ctypes.c_int(), ctypes.c_size_t()
    name, pci_id = ctypes.create_string_buffer(_NAME_SIZE), ctypes.create_string_buffer(_NAME_SIZE)
    library.cuDeviceGet(ctypes.byref(device), index)
    library.cuDeviceGetName(name, _NAME_SIZE, device)
    library.cuDeviceTotalMem_v2(ctypes.byref(memory), device)
    library.cuDeviceGetPCIBusId(pci_id, _NAME_SIZE, device)
    capability = []
    for attribute in (_CAPABILITY_MAJOR, _CAPABILITY_MINOR):
        value = ctypes.c_int()
        library.cuDeviceGetAttribute(ctypes.byref(value), attribute, device)
        capability.append(value.value)
    return {
        "name": name.value.decode(errors="replace"),
        "capability": capability,
        "memory": memory.value,
        "pci": pci_id.value.decode(errors="replace"),
    }


def _ze_list(get: Any, *owner: Any) -> list[ctypes.c_void_p]:
    """Return the handles of a `zeXGet`, which Level Zero has called twice: for the count, then for the handles."""
    count = ctypes.c_uint32()
    if get(*owner, ctypes.byref(count), None) != 0 or not count.value:
        return []
    handles = (ctypes.c_void_p * count.value)()
    return list(map(ctypes.c_void_p, handles)) if get(*owner, ctypes.byref(count), handles) == 0 else []


def _ze_device(library: Any, device: ctypes.c_void_p) -> dict[str, Any]:
    properties = _ZeDeviceProperties(stype=_ZE_DEVICE_PROPERTIES)
    status = library.zeDeviceGetProperties(device, ctypes.byref(properties))
    return {
        "status": status,
        "name": properties.name.decode(errors="replace"),
        "type": properties.type,
        "vendor": properties.vendorId,
    }


def report() -> dict[str, Any]:
    """Return all answers."""
    return {"cuda": cuda(), "nvml": nvml(), "level_zero": level_zero(), "pci": pci()}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(report(), indent=1) + "\n")
