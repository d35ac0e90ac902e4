"""What this machine has. Locks never depend on it; `create` compares it with what a lock needs."""

from __future__ import annotations

import os
import platform as stdlib_platform
from pathlib import Path

from msgspec import Struct

from envgen.errors import HostError
from envgen.platforms import Platform

_PLATFORMS = {
    ("Linux", "x86_64"): Platform.LINUX_64,
    ("Linux", "aarch64"): Platform.LINUX_AARCH64,
    ("Darwin", "x86_64"): Platform.OSX_64,
    ("Darwin", "arm64"): Platform.OSX_ARM64,
    ("Windows", "AMD64"): Platform.WIN_64,
}

_LEVELS = (
    # x86-64 psABI, section 3.1.1, in the words of Linux' /proc/cpuinfo: `abm` is LZCNT, `xsave` stands for OSXSAVE
    ("x86_64_v2", {"cx16", "lahf_lm", "popcnt", "sse4_1", "sse4_2", "ssse3"}),
    ("x86_64_v3", {"abm", "avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "movbe", "xsave"}),
    ("x86_64_v4", {"avx512bw", "avx512cd", "avx512dq", "avx512f", "avx512vl"}),
)


class HostFacts(Struct, frozen=True, kw_only=True):
    """What a machine has.

    Attributes:
        platform: the conda subdir whose programs run natively.
        glibc: `(2, 36)`; None where the C library is another.
        archspec: the microarchitecture level (`x86_64_v3`, or `x86_64` below v2), the machine's name elsewhere.
    """

    platform: Platform
    glibc: tuple[int, int] | None
    archspec: str


def probe_host(*, overrides: HostFacts | None = None, root: Path = Path("/")) -> HostFacts:
    """Read the facts of this machine, unless they are given.

    Args:
        overrides: taken as they are.
        root: of the file system, whose `proc/cpuinfo` is read.

    Raises:
        HostError: the platform is not supported.
    """
    if overrides:
        return overrides
    platform = parse_platform(stdlib_platform.system(), stdlib_platform.machine())
    return HostFacts(platform=platform, glibc=_glibc(), archspec=_archspec(platform, root))


def parse_platform(system: str, machine: str) -> Platform:
    """Return the platform of `uname -s` and `uname -m`.

    Raises:
        HostError: envgen does not support it.
    """
    found = _PLATFORMS.get((system, machine))
    if not found:
        known = ", ".join(sorted(set(Platform)))
        raise HostError(f"unsupported platform `{system} {machine}`", hint=f"supported platforms: {known}")
    return found


def parse_glibc(text: str | None) -> tuple[int, int] | None:
    """Read `glibc 2.36`, which `confstr` says where the C library is the GNU one."""
    library, _, version = (text or "").partition(" ")
    major, _, minor = version.partition(".")
    minor = minor.partition(".")[0]
    return (int(major), int(minor)) if library == "glibc" and major.isdigit() and minor.isdigit() else None


def parse_cpuinfo(text: str) -> str:
    """Find the microarchitecture level of an x86-64 processor.

    Args:
        text: of `/proc/cpuinfo`, whose first line with the key `flags` counts: `flags : fpu vme ... avx2 ...`
    """
    flags: set[str] = set()
    for line in text.splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "flags":
            flags = set(value.split())
            break
    best = "x86_64"
    for level, needed in _LEVELS:
        if not needed <= flags:
            break
        best = level
    return best


def _glibc() -> tuple[int, int] | None:
    try:
        return parse_glibc(os.confstr("CS_GNU_LIBC_VERSION"))
    except (ValueError, OSError, AttributeError):  # another C library does not know the name; Windows has no confstr
        return None


def _archspec(platform: Platform, root: Path) -> str:
    if platform is not Platform.LINUX_64:
        return platform.machine
    try:
        return parse_cpuinfo((root / "proc/cpuinfo").read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return platform.machine
