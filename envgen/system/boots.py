"""Boots of this machine, and up to which moment of each all that was written is known to be on the disk.

Nothing waits for the disk while packages are made. What was written shortly before a power failure may be empty or
short afterwards, under its right name; whether there was one in between is told by the kernel's id of the boot.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from envgen.system.fs import atomic_write

if TYPE_CHECKING:
    from collections.abc import Mapping

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

_KEPT = 1000
"""Boots to remember; packages of earlier ones are read once more."""


class BootTime(Struct, frozen=True, kw_only=True):
    """A moment that no change of the clock moves.

    Attributes:
        boot: the kernel's id of the boot; empty where the system has none.
        at: nanoseconds since the boot.
    """

    boot: str
    at: int


def boot_time() -> BootTime:
    """Read the id of this boot, and the time since."""
    try:
        boot = _BOOT_ID.read_text(encoding="ascii").strip()  # 87f5bd69-3f5e-4a0b-9b4e-2a9d1c4f7a11
    except OSError:
        boot = ""
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # Linux's goes on while the machine sleeps
    return BootTime(boot=boot, at=time.clock_gettime_ns(clock))


def read_synced(file: Path) -> dict[str, int]:
    """Read up to when each boot's writes are on the disk; nothing where the file is missing or damaged."""
    try:
        found = json.loads(file.read_bytes())
        return {str(boot): int(at) for boot, at in found.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def record_synced(file: Path, moment: BootTime) -> None:
    """Sync all that was written before `moment` to the disk of `file`, and record that.

    Raises:
        OSError: the disk refuses.
    """
    _sync_file_system(file.parent)
    known: Mapping[str, int] = {**read_synced(file), moment.boot: moment.at}
    atomic_write(file, json.dumps(dict(list(known.items())[-_KEPT:])))


def _sync_file_system(folder: Path) -> None:
    """Write out the file system of a folder alone, by syncfs(2), which Python does not have."""
    import ctypes  # noqa: PLC0415  takes 5 ms to import, and few runs need it

    handle = os.open(folder, os.O_RDONLY)
    try:
        if ctypes.CDLL(None, use_errno=True).syncfs(handle):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
    finally:
        os.close(handle)
