"""Does a lock fit this machine? Only what packages really need counts, not what the spec says machines have."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from packaging.utils import parse_wheel_filename

from envgen.glibc import NO_GLIBC
from envgen.packages import Wheel
from envgen.platforms import X86_64_LEVELS, dotted
from envgen.pythons import SERVED, served_for
from envgen.wheels import needed_glibc

if TYPE_CHECKING:
    from collections.abc import Iterator

    import rattler

    from envgen.lock.debian_lock import DebianLock
    from envgen.lock.model import Lock
    from envgen.system.host import HostFacts


_PYTHON = "python"


def unfit(lock: Lock, host: HostFacts) -> tuple[str, ...]:
    """Return what a machine lacks for a lock, as messages; empty if it fits."""
    return (*_platform(lock, host), *_glibc(lock, host), *_archspec(lock, host))


def remedy(lock: Lock, debian: DebianLock | None, host: HostFacts) -> str:
    """Return what helps where a machine lacks what a lock needs; another Python, where Debian's is too new for it."""
    python, glibc = str(lock.target.python), host.glibc or NO_GLIBC
    is_debian = debian is not None and bool(debian.used_by(_PYTHON))
    if is_debian and lock.platform is host.platform and SERVED.get(python, NO_GLIBC) > glibc:
        older = [f'`python: "{one}"`, which needs glibc {dotted(SERVED[one])}' for one in served_for(glibc)]
        change = ", or ".join([*older, "`channels: [conda-forge]`"])
        return f"write {change}, in `{lock.source}` and run `envgen lock`; or use the image, `envgen image`"
    return f"lower it under `platforms` in `{lock.source}` and run `envgen lock`, or use another machine"


def _platform(lock: Lock, host: HostFacts) -> Iterator[str]:
    if lock.platform is not host.platform:
        yield f"the lock is for {lock.platform}, this machine is {host.platform}"


def _glibc(lock: Lock, host: HostFacts) -> Iterator[str]:
    needs = [(version, name) for name, version in _glibc_needs(lock)]
    if not needs:
        return
    version, name = max(needs)
    if host.glibc is None:
        yield f"`{name}` requires glibc, this machine has another C library"
    elif version > host.glibc:
        yield f"`{name}` requires glibc {dotted(version)}, this machine has {dotted(host.glibc)}"


def _glibc_needs(lock: Lock) -> Iterator[tuple[str, tuple[int, int]]]:
    for package in lock.packages:
        if isinstance(package, Wheel):
            tags = parse_wheel_filename(package.filename)[3]
            if needed := needed_glibc(tag.platform for tag in tags):
                yield package.name, needed
        elif match := re.match(r">=(\d+)\.(\d+)", package.dependencies.get("__glibc", "")):
            yield package.name, (int(match[1]), int(match[2]))


def _archspec(lock: Lock, host: HostFacts) -> Iterator[str]:
    """Check conda packages that were built for a microarchitecture; wheels choose at run time."""
    offered: tuple[str, ...] = (host.archspec,)
    if host.archspec in X86_64_LEVELS:
        offered = X86_64_LEVELS[: X86_64_LEVELS.index(host.archspec) + 1]
    for package in lock.packages:
        level = package.needs.get("__archspec")
        if level is None:
            continue
        import rattler  # noqa: PLC0415  takes 50 ms, and few packages need it

        spec = rattler.MatchSpec(f"__archspec {level}".rstrip())
        if not any(spec.matches(_level(name)) for name in offered):
            yield f"`{package.name}` requires {level}, this machine is {host.archspec}"


def _level(name: str) -> rattler.PackageRecord:
    import rattler  # noqa: PLC0415  as above

    return rattler.PackageRecord(
        name="__archspec", version="1", build=rattler.BuildString(name), build_number=0, subdir="noarch", depends=[]
    )
