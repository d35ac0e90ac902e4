"""The raw probes against libraries that answer as the real ones would."""

from __future__ import annotations

import ctypes
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from accel_runtime import drivers


class FakeCuda:
    """libcuda with one device; `status` is what `cuInit` returns."""

    def __init__(self, status: int = 0) -> None:
        self.status = status

    def cuDriverGetVersion(self, version: Any) -> int:  # noqa: N802 - NVIDIA's name, as all below
        version._obj.value = 12080
        return 0

    def cuInit(self, flags: int) -> int:  # noqa: N802
        return self.status

    def cuDeviceGetCount(self, count: Any) -> int:  # noqa: N802
        count._obj.value = 1
        return 0

    def cuDeviceGet(self, device: Any, index: int) -> int:  # noqa: N802
        device._obj.value = index
        return 0

    def cuDeviceGetName(self, name: Any, size: int, device: Any) -> int:  # noqa: N802
        name.value = b"NVIDIA L4"
        return 0

    def cuDeviceTotalMem_v2(self, memory: Any, device: Any) -> int:  # noqa: N802
        memory._obj.value = 23567532032
        return 0

    def cuDeviceGetPCIBusId(self, name: Any, size: int, device: Any) -> int:  # noqa: N802
        name.value = b"0000:00:04.0"
        return 0

    def cuDeviceGetAttribute(self, value: Any, attribute: int, device: Any) -> int:  # noqa: N802
        value._obj.value = {75: 8, 76: 9}[attribute]
        return 0


class FakeZero:
    """The Level Zero loader with one driver and one device."""

    def zeInit(self, flags: int) -> int:  # noqa: N802 - Intel's name, as all below
        return 0

    def zeDriverGet(self, count: Any, handles: Any) -> int:  # noqa: N802
        return self._one(count, handles, 7)

    def zeDeviceGet(self, driver: Any, count: Any, handles: Any) -> int:  # noqa: N802
        assert driver.value == 7
        return self._one(count, handles, 8)

    def zeDeviceGetProperties(self, device: Any, properties: Any) -> int:  # noqa: N802
        assert (device.value, properties._obj.stype) == (8, 3)
        properties._obj.name = b"Intel(R) Arc(TM) A770 Graphics"
        properties._obj.type = 1
        properties._obj.vendorId = 0x8086
        return 0

    @staticmethod
    def _one(count: Any, handles: Any, handle: int) -> int:
        count._obj.value = 1
        if handles is not None:
            handles[0] = ctypes.c_void_p(handle)
        return 0


def missing(name: str) -> Any:
    raise OSError(f"{name}: cannot open shared object file: No such file or directory")


def test_cuda() -> None:
    device = {"name": "NVIDIA L4", "capability": [8, 9], "memory": 23567532032, "pci": "0000:00:04.0"}
    assert drivers.cuda(lambda name: FakeCuda()) == {
        "library": "libcuda.so.1",
        "init": 0,
        "version": 12080,
        "devices": [device],
    }


def test_cuda_that_does_not_start_is_not_asked_further() -> None:
    found = drivers.cuda(lambda name: FakeCuda(status=803))
    assert (found["init"], found["devices"]) == (803, [])


def test_no_library() -> None:
    said = "cannot open shared object file: No such file or directory"
    assert drivers.cuda(missing) == {"error": f"libcuda.so.1: {said}"}
    assert drivers.nvml(missing) == {"error": f"libnvidia-ml.so.1: {said}"}
    assert drivers.level_zero(missing) == {"error": f"libze_loader.so.1: {said}"}


def test_a_library_outside_the_linkers_places() -> None:
    def only_wsl(name: str) -> Any:
        return FakeCuda() if name.startswith("/usr/lib/wsl/") else missing(name)

    assert drivers.cuda(only_wsl)["library"] == "/usr/lib/wsl/lib/libcuda.so.1"


def test_level_zero() -> None:
    device = {"status": 0, "name": "Intel(R) Arc(TM) A770 Graphics", "type": 1, "vendor": 0x8086}
    found = drivers.level_zero(lambda name: FakeZero())
    assert found == {"library": "libze_loader.so.1", "init": 0, "devices": [device]}


def test_pci(tmp_path: Path) -> None:
    for address, kind in (("0000:00:04.0", "0x030200"), ("0000:00:05.0", "0x020000")):
        (tmp_path / address).mkdir()
        for name, text in (("vendor", "0x10de"), ("device", "0x27b8"), ("class", kind)):
            (tmp_path / address / name).write_text(f"{text}\n")
    assert [entry["address"] for entry in drivers.pci(tmp_path)] == ["0000:00:04.0"]


def test_the_program_prints_one_document() -> None:
    done = subprocess.run(
        [sys.executable, "-I", drivers.__file__], capture_output=True, text=True, check=True, timeout=60
    )
    assert list(json.loads(done.stdout)) == ["cuda", "nvml", "level_zero", "pci"]
    assert "torch" not in Path(drivers.__file__).read_text().split("import ", 1)[1].partition("\n\n")[0]
