"""What the kernel shows of GPUs, on trees like those of real machines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from envgen.system.device_files import (
    DeviceFile,
    DeviceFiles,
    RenderNode,
    parse_module,
    parse_uevent,
    probe_device_files,
)

if TYPE_CHECKING:
    from pathlib import Path

CLOSED_MODULE = """\
NVRM version: NVIDIA UNIX x86_64 Kernel Module  570.86.15  Mon Jan 27 03:18:25 UTC 2025
GCC version:  gcc version 12.2.0 (Debian 12.2.0-14)
"""
OPEN_MODULE = """\
NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.159.04  Release Build  (nixbld@)
GCC version:
"""
ARC = """\
DRIVER=i915
PCI_CLASS=30000
PCI_ID=8086:56A0
PCI_SUBSYS_ID=8086:1020
PCI_SLOT_NAME=0000:03:00.0
MODALIAS=pci:v00008086d000056A0sv00008086sd00001020bc03sc00i00
"""


@pytest.mark.parametrize(
    ("text", "version"), [(CLOSED_MODULE, "570.86.15"), (OPEN_MODULE, "580.159.04"), ("", None), ("NVRM: none\n", None)]
)
def test_the_version_of_the_module(text: str, version: str | None) -> None:
    assert parse_module(text) == version


def test_uevent() -> None:
    assert parse_uevent(ARC)["PCI_ID"] == "8086:56A0"
    assert parse_uevent("\nnothing\n") == {}


def test_a_machine_without_any(tmp_path: Path) -> None:
    assert probe_device_files(tmp_path) == DeviceFiles()


def test_an_intel_gpu(tmp_path: Path) -> None:
    device = tmp_path / "sys/class/drm/renderD128/device"
    device.mkdir(parents=True)
    (device / "uevent").write_text(ARC)
    (node,) = probe_device_files(tmp_path).render
    file = DeviceFile(path=tmp_path / "dev/dri/renderD128", usable=False)  # a container often has no such file
    assert node == RenderNode(file=file, driver="i915", vendor="8086")
    assert node.is_intel


def test_an_nvidia_gpu(tmp_path: Path) -> None:
    for name in ("nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm", "nvidia-caps"):
        (tmp_path / "dev").mkdir(exist_ok=True)
        (tmp_path / "dev" / name).touch()
    folder = tmp_path / "proc/driver/nvidia"
    folder.mkdir(parents=True)
    (folder / "version").write_text(OPEN_MODULE)
    found = probe_device_files(tmp_path)
    assert found.nvidia_module == "580.159.04"
    assert [file.path.name for file in found.nvidia] == ["nvidia-uvm", "nvidia0", "nvidia1", "nvidiactl"]
    assert found.closed == ()


def test_files_that_may_not_be_opened(tmp_path: Path) -> None:
    file = DeviceFile(path=tmp_path / "dev/nvidia0", usable=False)
    assert DeviceFiles(nvidia=(file,)).closed == (file.path,)
