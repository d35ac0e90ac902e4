"""The processor's name, and those of its features that decide how fast torch is on it."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from envgen.system.hardware import BF16, FEATURES, cpuinfo_values

_EMULATORS = {"QEMU": "QEMU", "VirtualApple": "Rosetta"}
"""How the names of processors begin that a program stands for."""


class Processor(Struct, frozen=True, kw_only=True):
    """A processor.

    Attributes:
        name: as it calls itself; empty where none is told.
        features: in a fixed order.
        emulator: the program that stands for it, or shows another processor than programs are compiled for.
    """

    name: str
    features: tuple[str, ...]
    emulator: str | None = None

    @property
    def has_bf16(self) -> bool:
        """Return whether it multiplies bfloat16."""
        return not BF16.isdisjoint(self.features)


def probe_processor(root: Path = Path("/"), *, machine: str = "") -> Processor:
    """Read the machine's processor from `proc/cpuinfo`; without that file nothing is known.

    Args:
        root: of the file system.
        machine: as `uname -m` names it; empty where that is not known.
    """
    try:
        text = (root / "proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    return parse_cpuinfo(text, machine=machine)


def parse_cpuinfo(text: str, *, machine: str = "") -> Processor:
    """Read `/proc/cpuinfo`: `model name : AMD EPYC` and `flags : fpu avx2`, or on aarch64 `Features : fp asimd`.

    Under `qemu-user` programs for one processor see this file of another: then it says `CPU implementer` to x86-64.
    """
    values = cpuinfo_values(text)
    words = set((values.get("flags") or values.get("Features") or "").split())
    name = values.get("model name", "")
    emulator = next((program for begin, program in _EMULATORS.items() if name.startswith(begin)), None)
    foreign = {"x86_64": "CPU implementer", "aarch64": "vendor_id"}.get(machine) in values
    return Processor(
        name=name,
        features=() if foreign else tuple(name for word, name in FEATURES.items() if word in words),
        emulator="QEMU" if foreign else emulator,
    )
