"""Does a lock fit a machine, which path will its code take, and what to do where it does not: pure judgement.

The facts come from `envgen.system`; nothing is asked here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from envgen.create.fit import unfit
from envgen.platforms import dotted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from envgen.lock.model import Lock
    from envgen.system.accelerators import Accelerators, Nvidia
    from envgen.system.host import HostFacts
    from envgen.system.processor import Processor
    from envgen.system.programs import Program

_RUNTIMES = ("nvidia-cuda-runtime-cu12", "nvidia-cuda-runtime", "nvidia-cuda-runtime-cu13", "cuda-cudart")
"""Packages of the CUDA runtime, whose version is that of CUDA."""

_OLDEST_DRIVER = {11: "450.80.02", 12: "525.60.13", 13: "580.65.06"}
"""Major version of CUDA -> oldest driver of its minor version compatibility, on Linux.

https://docs.nvidia.com/deploy/cuda-compatibility/minor-version-compatibility.html
"""

_OLDEST_CAPABILITY = {("2.8", (12, 8)): (7, 0)}
"""Release of torch and its CUDA -> oldest compute capability that the wheel has code for, as it says itself
(`torch.cuda.get_arch_list`)."""

_FACTOR = 3
"""An environment takes about this many times the size of its downloads: 4.8 GB become 4.8 GB kept and 9 GB unpacked."""

_REMEDIES = {
    "but no driver": "install NVIDIA's driver",
    "(803)": "restart the machine: the driver was updated under its running kernel module",
    "(802)": "start NVIDIA's fabric manager",
    "(999)": "look at `dmesg` for lines with NVRM, and restart the machine",
}


class Level(StrEnum):
    """How bad it is: a problem keeps the lock from working, a note costs something, the rest is fine."""

    OK = "ok"
    NOTE = "note"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at, and what to do about it where there is something to do."""

    level: Level
    subject: str
    what: str
    remedy: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """A place on disk: what it is for, the folder, and its free bytes."""

    purpose: str
    folder: Path
    free: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirror:
    """Where artifacts come from.

    Attributes:
        placeholder: of the lock: `ENVGEN_PYPI`.
        url: without secrets; None where nobody sets it.
        source: who sets it.
        problem: why it cannot be reached; None where it can.
        hint: what to set.
    """

    placeholder: str
    url: str | None
    source: str | None
    problem: str | None
    hint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Everything that was looked at.

    Attributes:
        host: platform, glibc and microarchitecture.
        processor: its name and features.
        accelerators: GPUs and their drivers.
        programs: of those that somebody may need, the ones that are there.
        spaces: places on disk.
        cache: bytes in envgen's store.
        mirrors: that the lock needs.
    """

    host: HostFacts
    processor: Processor
    accelerators: Accelerators
    programs: tuple[Program, ...]
    spaces: tuple[Space, ...]
    cache: int
    mirrors: tuple[Mirror, ...]

    def has(self, *names: str) -> bool:
        """Tell whether one of some programs is there."""
        return any(program.name in names for program in self.programs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """What follows: the path (`cuda` or `cpu`), the reason for it, and the findings, in the order of their making."""

    path: str
    why: str
    findings: tuple[Finding, ...]

    @property
    def problems(self) -> tuple[Finding, ...]:
        """Those that keep the lock from working here."""
        return tuple(finding for finding in self.findings if finding.level is Level.PROBLEM)


def diagnose(machine: Machine, lock: Lock | None) -> Diagnosis:
    """Judge a machine.

    Args:
        machine: what was found.
        lock: for the machine's platform; None where there is none, and only the machine is judged.
    """
    runtime = cuda_runtime(lock) if lock else None
    against = _against_gpu(machine.accelerators.nvidia, lock, runtime)
    usable = against is None and bool(machine.accelerators.nvidia.gpus)
    return Diagnosis(
        path="cuda" if usable else "cpu",
        why=_why(machine, against),
        findings=(
            _system(machine.host),
            *(_lock(machine, lock) if lock else ()),
            *_nvidia(machine.accelerators.nvidia, against, runtime),
            *_intel(machine, lock),
            *_processor(machine),
            *_programs(machine, lock),
            *_spaces(machine, lock),
            *_mirrors(machine),
        ),
    )


def cuda_runtime(lock: Lock) -> tuple[int, int] | None:
    """Find the version of CUDA that a lock holds; None where it holds none."""
    versions = {package.name: package.version for package in lock.packages}
    found = next((versions[name] for name in _RUNTIMES if name in versions), None)
    return _two(found) if found else None


def _system(host: HostFacts) -> Finding:
    library = f"glibc {dotted(host.glibc)}" if host.glibc else "a C library that is not glibc"
    return _ok("system", f"{host.platform}, {library}")


def _lock(machine: Machine, lock: Lock) -> Iterator[Finding]:
    faults = unfit(lock, machine.host)
    for fault in faults:
        remedy = f"lower it under `platforms` in {lock.source} and run `envgen lock`, or use another machine"
        yield Finding(level=Level.PROBLEM, subject="lock", what=fault, remedy=remedy)
    if not faults:
        yield _ok("lock", f"`{lock.environment}` for {lock.platform} fits this machine")


def _nvidia(nvidia: Nvidia, against: Finding | None, runtime: tuple[int, int] | None) -> Iterator[Finding]:
    for gpu in nvidia.gpus:
        what = f"{gpu.name}, compute capability {dotted(gpu.capability)}, {gpu.memory / 2**30:.0f} GiB, {gpu.pci}"
        yield _ok("gpu", what)
    if nvidia.cuda:
        yield _ok("driver", f"NVIDIA {nvidia.driver or 'of unknown version'}, supports CUDA {dotted(nvidia.cuda)}")
    if against:
        yield against
    elif nvidia.cuda and runtime and nvidia.cuda < runtime:
        what = f"CUDA {dotted(runtime)} runs on this driver by minor version compatibility; newer features may not"
        yield Finding(level=Level.NOTE, subject="driver", what=what, remedy="update the driver to have all of it")


def _against_gpu(nvidia: Nvidia, lock: Lock | None, runtime: tuple[int, int] | None) -> Finding | None:
    """Say why the GPUs that are there cannot be used; None where they can, or where there are none."""
    if nvidia.problem:
        remedy = next((remedy for words, remedy in _REMEDIES.items() if words in nvidia.problem), None)
        return _problem("driver", nvidia.problem, remedy or "reinstall NVIDIA's driver")
    if not nvidia.gpus or lock is None:
        return None
    if runtime is None:
        what = f"the lock holds no CUDA, so {nvidia.gpus[0].name} stays idle"
        return Finding(
            level=Level.NOTE, subject="gpu", what=what, remedy=f"lock a torch with CUDA: `cuda:` in {lock.source}"
        )
    if nvidia.cuda and nvidia.cuda[0] < runtime[0]:
        what = f"the driver supports CUDA {dotted(nvidia.cuda)}, the lock holds CUDA {dotted(runtime)}"
        oldest = _OLDEST_DRIVER.get(runtime[0])
        return _problem("driver", what, f"update NVIDIA's driver{f' to {oldest} or newer' if oldest else ''}")
    return _too_old(nvidia, lock, runtime)


def _too_old(nvidia: Nvidia, lock: Lock, runtime: tuple[int, int]) -> Finding | None:
    torch = next((package.version for package in lock.packages if package.name in ("torch", "pytorch")), "")
    oldest = _OLDEST_CAPABILITY.get((dotted(_two(torch)), runtime)) if torch else None
    if oldest is None or any(gpu.capability >= oldest for gpu in nvidia.gpus):
        return None
    names = ", ".join(f"{gpu.name} ({dotted(gpu.capability)})" for gpu in nvidia.gpus)
    what = f"torch {torch} has code from compute capability {dotted(oldest)} on, and none for {names}"
    return _problem("gpu", what, "lock an older torch for this GPU, or use the CPU path: ACCEL_DEVICE=cpu")


def _intel(machine: Machine, lock: Lock | None) -> Iterator[Finding]:
    intel = machine.accelerators.intel
    remedy = "an environment of its own with torch's XPU build, from the index that PyTorch has for it"
    cannot = "this lock's torch cannot use it" if lock else "torch's CUDA and CPU builds cannot use it"
    for name in intel.gpus:
        yield Finding(level=Level.NOTE, subject="gpu", what=f"{name} (Level Zero): {cannot}", remedy=remedy)
    if intel.on_bus and not intel.gpus:
        what = f"an Intel GPU is on the PCI bus, but Level Zero offers none: {intel.problem or 'no device'}"
        yield Finding(level=Level.NOTE, subject="gpu", what=what, remedy=f"its driver, and {remedy}")


def _processor(machine: Machine) -> Iterator[Finding]:
    processor, host = machine.processor, machine.host
    features = " ".join(processor.features) or "no vector extensions known"
    yield _ok("cpu", f"{processor.name or host.archspec}: {features} ({host.archspec})")
    if not processor.has_bf16:
        what = "it does not multiply bfloat16: the CPU path gains by fp32 alone"
        yield Finding(level=Level.NOTE, subject="cpu", what=what)


def _programs(machine: Machine, lock: Lock | None) -> Iterator[Finding]:
    if machine.programs:
        told = (f"{program.name} {program.version or ''}".rstrip() for program in machine.programs)
        yield _ok("programs", ", ".join(told))
    if not machine.has("conda", "mamba", "micromamba"):
        remedy = 'use the environment by `envgen run` or `eval "$(envgen shell-hook)"`'
        yield Finding(level=Level.NOTE, subject="programs", what="there is no conda", remedy=remedy)
    torch = lock is None or any(package.name in ("torch", "pytorch") for package in lock.packages)
    if torch and not machine.has("g++", "c++", "clang++"):
        remedy = "install a C++ compiler (Debian: `apt-get install g++`)"
        what = "there is no C++ compiler: torch.compile cannot work on the CPU"
        yield Finding(level=Level.NOTE, subject="programs", what=what, remedy=remedy)


def _spaces(machine: Machine, lock: Lock | None) -> Iterator[Finding]:
    need = _FACTOR * sum(package.size or 0 for package in lock.packages) if lock else 0
    for space in machine.spaces:
        used = f", {_gigabytes(machine.cache)} in it" if space.purpose == "cache" else ""
        what = f"{space.purpose}: {_gigabytes(space.free)} free in `{space.folder}`{used}"
        if space.free + machine.cache < need:
            what += f"; a first `envgen create` takes about {_gigabytes(need)}"
            remedy = "give ENVGEN_CACHE and --prefix on a larger disk, or `envgen clean`"
            yield Finding(level=Level.NOTE, subject="disk", what=what, remedy=remedy)
        else:
            yield _ok("disk", what)


def _mirrors(machine: Machine) -> Iterator[Finding]:
    for mirror in machine.mirrors:
        if mirror.url is None or mirror.problem:
            where = f"{mirror.placeholder} ({mirror.url})" if mirror.url else mirror.placeholder
            yield _problem("mirrors", f"{where}: {mirror.problem or 'no address is known'}", mirror.hint)
        else:
            yield _ok("mirrors", f"{mirror.placeholder} is {mirror.url}, from {mirror.source}")


def _why(machine: Machine, against: Finding | None) -> str:
    nvidia = machine.accelerators.nvidia
    if against:
        return against.what
    if nvidia.gpus:
        names = ", ".join(dict.fromkeys(gpu.name for gpu in nvidia.gpus))
        return f"{len(nvidia.gpus)} x {names}"
    kind = "bf16 and fp32" if machine.processor.has_bf16 else "fp32"
    return f"no NVIDIA GPU; oneDNN in {kind}"


def _ok(subject: str, what: str) -> Finding:
    return Finding(level=Level.OK, subject=subject, what=what)


def _problem(subject: str, what: str, remedy: str) -> Finding:
    return Finding(level=Level.PROBLEM, subject=subject, what=what, remedy=remedy)


def _two(version: str) -> tuple[int, int]:
    major, minor = (*version.split("."), "0")[:2]
    return int(major), int(minor)


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.1f} GB"
