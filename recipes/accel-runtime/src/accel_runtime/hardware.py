"""Words and numbers of hardware vendors, and the form of `/proc/cpuinfo`.

`envgen.system` and the recipe `accel-runtime` have a copy each, with the same bytes: neither package may
import the other, and a test compares the two files.
"""

from __future__ import annotations

NVIDIA, INTEL = "0x10de", "0x8086"
"""PCI vendors."""

ZE_GPU = 1
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
    304: "a call of the operating system failed",
    802: "the system is not ready: the fabric manager does not run",
    803: "the driver's library and its kernel module are of different versions",
    804: "the compatibility library does not support this GPU",
    999: "unknown error",
}

NVML_ERRORS = {
    # https://docs.nvidia.com/deploy/nvml-api/group__nvmlDeviceEnumvs.html
    4: "insufficient permissions",
    9: "the kernel module is not loaded",
    12: "a shared library of the driver is missing",
    15: "a GPU has fallen off the bus",
    17: "the operating system blocks the driver",
    18: "driver/library version mismatch",
    20: "out of memory",
    999: "unknown error",
}

FEATURES = {
    # word of /proc/cpuinfo, first those of x86-64, then those of aarch64 -> the name people know
    "avx2": "AVX2",
    "avx512f": "AVX512",
    "avx512_vnni": "AVX512-VNNI",
    "avx_vnni": "AVX-VNNI",
    "avx512_bf16": "AVX512-BF16",
    "amx_tile": "AMX",
    "amx_bf16": "AMX-BF16",
    "amx_int8": "AMX-INT8",
    "asimd": "NEON",
    "sve": "SVE",
    "bf16": "BF16",
    "i8mm": "I8MM",
}

BF16 = frozenset({"AVX512-BF16", "AMX-BF16", "BF16"})
"""Features by which a processor multiplies bfloat16; without one of them bf16 is emulated."""


def cpuinfo_values(text: str) -> dict[str, str]:
    """Read `/proc/cpuinfo`: key -> its first value. `flags : fpu avx2` on x86-64, `Features : fp asimd` on aarch64."""
    values: dict[str, str] = {}
    for line in text.splitlines():
        key, _, value = line.partition(":")
        values.setdefault(key.strip(), value.strip())
    return values
