"""Does a lock fit this machine? Only what packages really need counts, not what the spec says machines have."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import rattler
from packaging.utils import parse_wheel_filename

from envgen.lock.model import LockedWheel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from envgen.lock.model import Lock
    from envgen.system.host import HostFacts

_MANYLINUX = re.compile(r"manylinux_(\d+)_(\d+)_\w+")
_LEGACY = {"manylinux1": (2, 5), "manylinux2010": (2, 12), "manylinux2014": (2, 17)}
"""https://packaging.python.org/en/latest/specifications/platform-compatibility-tags/#manylinux"""

_LEVELS = ("x86_64", "x86_64_v2", "x86_64_v3", "x86_64_v4")


def unfit(lock: Lock, host: HostFacts) -> tuple[str, ...]:
    """Say what a machine lacks for a lock, in words; nothing if it fits."""
    return (*_platform(lock, host), *_glibc(lock, host), *_archspec(lock, host))


def needed_glibc(filename: str) -> tuple[int, int] | None:
    """Read from a wheel's name the oldest glibc that it runs on; None where it does not say."""
    tags = parse_wheel_filename(filename)[3]
    found = [version for tag in tags if (version := _tagged(tag.platform))]
    return min(found, default=None)


def _tagged(platform: str) -> tuple[int, int] | None:
    if match := _MANYLINUX.fullmatch(platform):
        return int(match[1]), int(match[2])
    return _LEGACY.get(platform.partition("_")[0])


def _platform(lock: Lock, host: HostFacts) -> Iterator[str]:
    if lock.platform is not host.platform:
        yield f"the lock is for {lock.platform}, the machine is {host.platform}"


def _glibc(lock: Lock, host: HostFacts) -> Iterator[str]:
    needs = [(version, name) for name, version in _glibc_needs(lock)]
    if not needs:
        return
    version, name = max(needs)
    if host.glibc is None:
        yield f"`{name}` needs glibc, the machine has another C library"
    elif version > host.glibc:
        yield f"`{name}` needs glibc {_dotted(version)}, the machine has {_dotted(host.glibc)}"


def _glibc_needs(lock: Lock) -> Iterator[tuple[str, tuple[int, int]]]:
    for package in lock.packages:
        if isinstance(package, LockedWheel):
            if needed := needed_glibc(package.filename):
                yield package.name, needed
        elif match := re.match(r">=(\d+)\.(\d+)", package.dependencies.get("__glibc", "")):
            yield package.name, (int(match[1]), int(match[2]))


def _archspec(lock: Lock, host: HostFacts) -> Iterator[str]:
    """Hold conda packages that were built for a microarchitecture against the machine's; wheels choose at run time."""
    offered = _LEVELS[: _LEVELS.index(host.archspec) + 1] if host.archspec in _LEVELS else (host.archspec,)
    for package in lock.packages:
        if isinstance(package, LockedWheel) or "__archspec" not in package.dependencies:
            continue
        spec = rattler.MatchSpec(f"__archspec {package.dependencies['__archspec']}".rstrip())
        if not any(spec.matches(_level(name)) for name in offered):
            yield f"`{package.name}` needs {package.dependencies['__archspec']}, the machine is {host.archspec}"


def _level(name: str) -> rattler.PackageRecord:
    return rattler.PackageRecord(
        name="__archspec", version="1", build=rattler.BuildString(name), build_number=0, subdir="noarch", depends=[]
    )


def _dotted(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))
