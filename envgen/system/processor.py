"""The processor's name, and those of its features that decide how fast torch is on it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_FEATURES = {
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

_BF16 = frozenset({"AVX512-BF16", "AMX-BF16", "BF16"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Processor:
    """A processor: as it calls itself, and its features in a fixed order; `name` is empty where none is told."""

    name: str
    features: tuple[str, ...]

    @property
    def has_bf16(self) -> bool:
        """Whether it multiplies bfloat16."""
        return not _BF16.isdisjoint(self.features)


def look(root: Path = Path("/")) -> Processor:
    """Look at the machine's processor; where there is no `proc/cpuinfo`, nothing is known of it."""
    try:
        text = (root / "proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    return parse_cpuinfo(text)


def parse_cpuinfo(text: str) -> Processor:
    """Read `/proc/cpuinfo`: `model name : AMD EPYC` and `flags : fpu avx2`, or on aarch64 `Features : fp asimd`."""
    values: dict[str, str] = {}
    for line in text.splitlines():
        key, _, value = line.partition(":")
        values.setdefault(key.strip(), value.strip())
    words = set((values.get("flags") or values.get("Features") or "").split())
    return Processor(
        name=values.get("model name", ""),
        features=tuple(name for word, name in _FEATURES.items() if word in words),
    )
