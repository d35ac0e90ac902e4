"""Platforms, and what a target machine has: the facts that markers, wheel tags and virtual packages are made of."""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Self

from msgspec import Struct
from packaging import tags

if TYPE_CHECKING:
    from collections.abc import Iterable

X86_64_LEVELS = ("x86_64", "x86_64_v2", "x86_64_v3", "x86_64_v4")
"""The levels of the x86-64 psABI as archspec spells them, each with all that the one before has."""

LEGACY_MANYLINUX = {"manylinux1": (2, 5), "manylinux2010": (2, 12), "manylinux2014": (2, 17)}
"""https://packaging.python.org/en/latest/specifications/platform-compatibility-tags/#manylinux"""

DEFAULT_GLIBC, DEFAULT_MACOS = (2, 17), (11, 0)
"""What machines have of which the spec says nothing: older ones are no longer served by anybody."""


def dotted(version: Iterable[int]) -> str:
    """Write `(2, 36)` as `2.36`."""
    return ".".join(map(str, version))


def virtual_package(name: str, value: str) -> tuple[str, str]:
    """Return which version and build string a virtual package has; archspec's value is its build string (CEP 30)."""
    return ("1", value) if name == "__archspec" else (value, "0")


class Platform(StrEnum):
    """A conda subdir."""

    LINUX_64 = "linux-64"
    LINUX_AARCH64 = "linux-aarch64"
    OSX_64 = "osx-64"
    OSX_ARM64 = "osx-arm64"
    WIN_64 = "win-64"

    @property
    def machine(self) -> str:
        """`platform_machine` of PEP 508."""
        return _MACHINE[self]

    @property
    def is_linux(self) -> bool:
        """Return whether the platform runs Linux."""
        return self.startswith("linux")

    @property
    def debian_arch(self) -> str:
        """Debian's name of the architecture.

        Raises:
            KeyError: Debian has none for it; callers ask `is_linux` first.
        """
        return _DEBIAN_ARCH[self]

    @property
    def multiarch(self) -> str:
        """Debian's multiarch triplet, the folder name below `/usr/lib`."""
        return f"{self.machine}-linux-gnu"


_MACHINE = {
    Platform.LINUX_64: "x86_64",
    Platform.LINUX_AARCH64: "aarch64",
    Platform.OSX_64: "x86_64",
    Platform.OSX_ARM64: "arm64",
    Platform.WIN_64: "AMD64",
}
_DEBIAN_ARCH = {Platform.LINUX_64: "amd64", Platform.LINUX_AARCH64: "arm64"}


class PythonMinor(Struct, frozen=True, order=True):
    """A minor version of CPython, such as 3.11."""

    major: int
    minor: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `"3.11"`.

        Raises:
            ValueError: not two numbers with a point between, or older than 3.9.
        """
        major, point, minor = text.partition(".")
        if not (point and major.isdigit() and minor.isdigit()):
            raise ValueError(f"not a minor version of Python: {text!r}")
        python = cls(int(major), int(minor))
        if python < cls(3, 9):
            raise ValueError(f"Python {text} is older than 3.9")
        return python

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"

    @property
    def tag(self) -> str:
        """Return the interpreter tag of wheels: `cp311`."""
        return f"cp{self.major}{self.minor}"

    @property
    def site_packages(self) -> str:
        """Path of site-packages in a Unix prefix, relative, without a slash at either end."""
        return f"lib/python{self}/site-packages"


class Target(Struct, frozen=True, kw_only=True):
    """What an environment is made for. It comes from the spec, never from the machine that locks.

    Attributes:
        platform: the conda subdir.
        python: the minor version of CPython.
        glibc: `(2, 36)` on Linux, the oldest glibc of the machines in question.
        macos: `(13, 0)` on macOS.
        cuda: newest CUDA version the machines' driver supports, as text (`"12.8"`), or None without a GPU.
        archspec: the microarchitecture (`x86_64_v3`), or None for the platform's baseline.
    """

    platform: Platform
    python: PythonMinor
    glibc: tuple[int, int] | None = None
    macos: tuple[int, int] | None = None
    cuda: str | None = None
    archspec: str | None = None

    def marker_environment(self, python_full: str | None = None) -> dict[str, str]:
        """Build the environment of PEP 508 markers.

        Args:
            python_full: the full version of Python (`3.11.2`) where it is known; `3.11.0` otherwise.
        """
        system, os_name, sys_platform = _SYSTEM[self.platform.partition("-")[0]]
        full = python_full or f"{self.python}.0"
        return {
            "implementation_name": "cpython",
            "implementation_version": full,
            "os_name": os_name,
            "platform_machine": self.platform.machine,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": system,
            "platform_version": "",
            "python_full_version": full,
            "python_version": str(self.python),
            "sys_platform": sys_platform,
            "extra": "",
        }

    def wheel_tags(self) -> tuple[tags.Tag, ...]:
        """List the wheel tags that run on the target, best first."""
        return _wheel_tags(self)

    def _wheel_platforms(self) -> tuple[str, ...]:
        machine = self.platform.machine
        if self.platform is Platform.WIN_64:
            return ("win_amd64",)
        if not self.platform.is_linux:
            return tuple(tags.mac_platforms(self.macos or DEFAULT_MACOS, machine))
        newest = (self.glibc or DEFAULT_GLIBC)[1]
        oldest = 5 if machine == "x86_64" else 17
        legacy = {minor: name for name, (_, minor) in LEGACY_MANYLINUX.items()}
        found: list[str] = []
        for minor in range(newest, oldest - 1, -1):
            found.append(f"manylinux_2_{minor}_{machine}")
            if minor in legacy:
                found.append(f"{legacy[minor]}_{machine}")
        return (*found, f"linux_{machine}")

    def virtual_packages(self) -> dict[str, str]:
        """Name the virtual packages (CEP 30) of the target with their versions; archspec's is a build string."""
        found = {}
        if self.platform.is_linux:
            found = {"__unix": "0", "__linux": "0", "__glibc": dotted(self.glibc or DEFAULT_GLIBC)}
        elif self.platform is Platform.WIN_64:
            found = {"__win": "0"}
        else:
            found = {"__unix": "0", "__osx": dotted(self.macos or DEFAULT_MACOS)}
        if self.cuda:
            found["__cuda"] = self.cuda
        found["__archspec"] = self.archspec or _BASELINE[self.platform]
        return found


@lru_cache(maxsize=16)  # a thousand tags, asked for once for each wheel that a solve looks at
def _wheel_tags(target: Target) -> tuple[tags.Tag, ...]:
    version = (target.python.major, target.python.minor)
    platforms = list(target._wheel_platforms())  # noqa: SLF001  # a method's second half, in the same module
    return (
        *tags.cpython_tags(version, [target.python.tag], platforms),
        *tags.compatible_tags(version, target.python.tag, platforms),
    )


_SYSTEM = {
    "linux": ("Linux", "posix", "linux"),
    "osx": ("Darwin", "posix", "darwin"),
    "win": ("Windows", "nt", "win32"),
}
_BASELINE = {
    Platform.LINUX_64: "x86_64",
    Platform.LINUX_AARCH64: "aarch64",
    Platform.OSX_64: "x86_64",
    Platform.OSX_ARM64: "m1",
    Platform.WIN_64: "x86_64",
}
