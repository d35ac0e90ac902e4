"""The processor: its name, the features that torch uses, and the cores that this process may use."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path

from accel_runtime.hardware import BF16, FEATURES, cpuinfo_values


@dataclass(frozen=True, slots=True, kw_only=True)
class Cpu:
    """A processor.

    Attributes:
        name: as in `/proc/cpuinfo`.
        features: those that torch uses, in a fixed order.
    """

    name: str
    features: tuple[str, ...]

    @property
    def has_bf16(self) -> bool:
        """Whether it multiplies bfloat16: without that, bf16 is emulated and slower than fp32."""
        return not BF16.isdisjoint(self.features)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Core:
    """A physical core: its NUMA node and its logical processors that this process may use, sorted."""

    node: int
    cpus: tuple[int, ...]


def read(root: Path = Path("/")) -> Cpu:
    """Read the machine's processor from `/proc/cpuinfo`."""
    try:
        text = (root / "proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    return parse_cpuinfo(text, otherwise=platform.processor() or platform.machine())


def parse_cpuinfo(text: str, *, otherwise: str) -> Cpu:
    """Read `/proc/cpuinfo`.

    Args:
        text: `model name : AMD EPYC ...` and `flags : fpu ... avx512_bf16 ...` on x86-64; `Features : fp asimd bf16`
            and no name on aarch64.
        otherwise: the name where there is none.
    """
    values = cpuinfo_values(text)
    flags = set((values.get("flags") or values.get("Features") or "").split())
    return Cpu(
        name=values.get("model name") or otherwise,
        features=tuple(name for flag, name in FEATURES.items() if flag in flags),
    )


def cores(root: Path = Path("/sys/devices/system"), allowed: frozenset[int] | None = None) -> tuple[Core, ...]:
    """Return the physical cores that this process may use, by NUMA node.

    Args:
        root: of sysfs' `devices/system`.
        allowed: logical processors; this process's affinity by default.
    """
    usable = frozenset(os.sched_getaffinity(0)) if allowed is None else allowed
    nodes = {
        cpu: int(path.parent.name.removeprefix("node"))
        for path in sorted(root.glob("node/node[0-9]*/cpulist"))
        for cpu in parse_cpulist(path.read_text(encoding="utf-8"))
    }
    found: set[Core] = set()
    for cpu in usable:
        siblings = _siblings(root / f"cpu/cpu{cpu}/topology/thread_siblings_list", cpu)
        found.add(Core(node=nodes.get(cpu, 0), cpus=tuple(sorted(siblings & usable))))
    return tuple(sorted(found))


def parse_cpulist(text: str) -> frozenset[int]:
    """Read the kernel's list format: `0-3,8,10-11` and a newline; an empty list is an empty line."""
    found: set[int] = set()
    for part in text.strip().split(","):
        first, _, last = part.partition("-")
        if first:
            found.update(range(int(first), int(last or first) + 1))
    return frozenset(found)


def _siblings(path: Path, cpu: int) -> frozenset[int]:
    try:
        return parse_cpulist(path.read_text(encoding="utf-8")) or frozenset({cpu})
    except OSError:  # gVisor and some containers show no topology: each processor counts as a core
        return frozenset({cpu})
