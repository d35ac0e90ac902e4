"""What the kernel shows of GPUs: which driver serves them, and whether this user may open their device files.

A driver's library says little more than "no device" where its device files are missing or closed; this tells why.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from msgspec import Struct

_MODULE = re.compile(r"Kernel Module(?: for \S+)?\s+(\d+(?:\.\d+)+)")
_NVIDIA_NODES = ("nvidiactl", "nvidia-uvm", "nvidia[0-9]*")
_INTEL = "8086"
"""PCI vendor, as `uevent` writes it."""


class DeviceFile(Struct, frozen=True, kw_only=True):
    """A device file, and whether this user may read and write it."""

    path: Path
    usable: bool


class RenderNode(Struct, frozen=True, kw_only=True):
    """A GPU that the kernel's own graphics drivers serve.

    Attributes:
        file: `/dev/dri/renderD128`; a container may lack it.
        driver: of the kernel: `i915`, `xe`.
        vendor: PCI vendor, four hex digits.
    """

    file: DeviceFile
    driver: str
    vendor: str

    @property
    def is_intel(self) -> bool:
        """Return whether it is Intel's."""
        return self.vendor == _INTEL


class DeviceFiles(Struct, frozen=True, kw_only=True):
    """What the kernel shows.

    Attributes:
        nvidia_module: version of NVIDIA's kernel module; None where none is loaded.
        nvidia: its device files.
        render: GPUs of the kernel's graphics drivers.
    """

    nvidia_module: str | None = None
    nvidia: tuple[DeviceFile, ...] = ()
    render: tuple[RenderNode, ...] = ()

    @property
    def closed(self) -> tuple[Path, ...]:
        """NVIDIA's device files that this user may not open."""
        return tuple(file.path for file in self.nvidia if not file.usable)


def probe_device_files(root: Path = Path("/")) -> DeviceFiles:
    """Read `/proc/driver/nvidia`, `/dev` and `/sys/class/drm` below `root`."""
    nodes = sorted({path for pattern in _NVIDIA_NODES for path in (root / "dev").glob(pattern)})
    render = (_render_node(folder, root) for folder in sorted((root / "sys/class/drm").glob("renderD*")))
    return DeviceFiles(
        nvidia_module=parse_module(_text(root / "proc/driver/nvidia/version")),
        nvidia=tuple(map(_device_file, nodes)),
        render=tuple(render),
    )


def parse_module(text: str) -> str | None:
    """Find the version in `/proc/driver/nvidia/version`.

    NVRM version: NVIDIA UNIX x86_64 Kernel Module  570.86.15  Mon Jan 27 03:18:25 UTC 2025
    NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.95.05  Release Build  (root@builder)
    """
    match = _MODULE.search(text)
    return match[1] if match else None


def parse_uevent(text: str) -> dict[str, str]:
    """Read the `uevent` of a device: lines such as `DRIVER=i915`, `PCI_ID=8086:56A0`, `PCI_SLOT_NAME=0000:03:00.0`."""
    pairs = (line.partition("=") for line in text.splitlines())
    return {key: value for key, equals, value in pairs if equals}


def _render_node(folder: Path, root: Path) -> RenderNode:
    found = parse_uevent(_text(folder / "device/uevent"))
    return RenderNode(
        file=_device_file(root / "dev/dri" / folder.name),
        driver=found.get("DRIVER", ""),
        vendor=found.get("PCI_ID", "").partition(":")[0].lower(),
    )


def _device_file(path: Path) -> DeviceFile:
    return DeviceFile(path=path, usable=os.access(path, os.R_OK | os.W_OK))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
