"""Whether a lock fits a machine, which path (CUDA or CPU) its code takes, and what to do where it does not; pure.

The facts come from `envgen.system`; nothing is asked here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from envgen.create.fit import unfit
from envgen.diagnose.findings import Finding, Level, fine, note, problem
from envgen.diagnose.gpu import against_nvidia, intel_findings, nvidia_findings
from envgen.diagnose.libraries import replaced_findings
from envgen.platforms import Platform, dotted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from envgen.diagnose.machine import Machine
    from envgen.lock.model import Lock
    from envgen.manifest.env_spec import EnvSpec
    from envgen.system.host import HostFacts

_FACTOR = 3
"""An environment takes about this many times the size of its downloads: 4.8 GB become 4.8 GB kept and 9 GB unpacked."""

_COMPILERS = frozenset({"cxx-compiler", "gxx", "gxx_linux-64", "gxx_linux-aarch64", "clangxx"})
"""Packages that bring a C++ compiler: the recipe that ships, and those of conda-forge."""

_FULL = 100_000_000
"""Free bytes below which a disk is as good as full: other programs' temporary files fail too."""


class Diagnosis(Struct, frozen=True, kw_only=True):
    """What follows: the path (`cuda` or `cpu`), the reason for it, and the findings, in the order of their making."""

    path: str
    why: str
    findings: tuple[Finding, ...]

    @property
    def problems(self) -> tuple[Finding, ...]:
        """Return the findings that keep the lock from working on this machine."""
        return tuple(finding for finding in self.findings if finding.level is Level.PROBLEM)


def diagnose(machine: Machine, lock: Lock | None, spec: EnvSpec | None = None) -> Diagnosis:
    """Diagnose a machine for a lock.

    Args:
        machine: what was found.
        lock: for the machine's platform; None where there is none, and only the machine is judged.
        spec: of the lock, also where there is no lock; None outside a project.
    """
    against = against_nvidia(machine, lock)
    usable = against is None and bool(machine.accelerators.nvidia.gpus)
    return Diagnosis(
        path="cuda" if usable else "cpu",
        why=_why(machine, against),
        findings=(
            _system(machine.host),
            *_lock(machine, lock, spec),
            *nvidia_findings(machine, lock, against),
            *intel_findings(machine, lock),
            *_no_gpu(machine, against),
            *_processor(machine),
            *replaced_findings(machine.replaced),
            *_programs(machine, lock),
            *_spaces(machine, lock),
            *_mirrors(machine),
        ),
    )


def _system(host: HostFacts) -> Finding:
    library = f"glibc {dotted(host.glibc)}" if host.glibc else "C library other than glibc"
    return fine("system", f"{host.platform}, {library}")


def _lock(machine: Machine, lock: Lock | None, spec: EnvSpec | None) -> Iterator[Finding]:
    if lock is None:
        if spec:
            yield _no_lock(machine.host.platform, spec)
        return
    faults = unfit(lock, machine.host)
    for fault in faults:
        yield problem("lock", fault, _fit_remedy(fault, machine.host, lock))
    if not faults:
        yield fine("lock", f"`{lock.environment}` for {lock.platform} fits this machine")


def _no_lock(here: Platform, spec: EnvSpec) -> Finding:
    if here in spec.targets:
        return note("lock", f"`{spec.name}` is not locked for {here}", "run `envgen lock`")
    what = f"this machine is {here}, `{spec.name}` supports {', '.join(spec.targets)}"
    return problem("lock", what, f"add {here} under `platforms` in `{spec.source}` and run `envgen lock`")


def _fit_remedy(fault: str, host: HostFacts, lock: Lock) -> str:
    if host.glibc is None and "glibc" in fault:
        return "use a system with glibc, or a container: `envgen image`"
    lower = f"lower the requirement under `platforms` in `{lock.source}` and run `envgen lock`"
    return f"use a newer system, or a container (`envgen image`); or {lower}"


def _no_gpu(machine: Machine, against: Finding | None) -> Iterator[Finding]:
    nvidia, intel = machine.accelerators.nvidia, machine.accelerators.intel
    if not (nvidia.gpus or against or intel.gpus or intel.on_bus):
        yield fine("gpu", "no NVIDIA driver and no Intel GPU found")


def _processor(machine: Machine) -> Iterator[Finding]:
    processor, host = machine.processor, machine.host
    features = " ".join(processor.features) or "no known vector extensions"
    yield fine("cpu", f"{processor.name or host.archspec}: {features} ({host.archspec})")
    if processor.emulator:
        what = f"{processor.emulator} emulates {host.platform.machine}: slow, with fewer features"
        yield note(
            "cpu", what, f"use {host.platform.machine} hardware; in a virtual machine, pass the host's CPU through"
        )
    if host.platform is Platform.LINUX_64 and "AVX2" not in processor.features:
        what = "no AVX2: torch uses its slowest kernels, and IPEX does not load"
        yield note("cpu", what, "use a processor with AVX2; in a virtual machine, pass it through (QEMU: `-cpu host`)")
    elif not processor.has_bf16:
        yield note("cpu", "no bfloat16 instructions: only fp32 is accelerated on the CPU")


def _programs(machine: Machine, lock: Lock | None) -> Iterator[Finding]:
    if machine.programs:
        told = (f"{program.name} {program.version or ''}".rstrip() for program in machine.programs)
        yield fine("programs", ", ".join(told))
    if not machine.has("conda", "mamba", "micromamba"):
        remedy = 'use the environment with `envgen run` or `eval "$(envgen shell-hook)"`'
        yield note("programs", "conda not found", remedy)
    torch = lock is None or any(package.name in ("torch", "pytorch") for package in lock.packages)
    own = lock is not None and any(package.name in _COMPILERS for package in lock.packages)
    if torch and not own and not machine.has("g++", "c++", "clang++"):
        what = "no C++ compiler found: torch.compile does not work on the CPU"
        remedy = "add `cxx-compiler` to `dependencies` in the spec, or install one (Debian: `apt-get install g++`)"
        yield note("programs", what, remedy)


def _spaces(machine: Machine, lock: Lock | None) -> Iterator[Finding]:
    need = _FACTOR * sum(package.size or 0 for package in lock.packages) if lock else 0
    cached = machine.cache or 0
    for space in machine.spaces:
        used = _used(machine.cache) if space.purpose == "cache" else ""
        what = f"{space.purpose}: {_gigabytes(space.free)} free in `{space.folder}`{used}"
        elsewhere = "use folders on another disk: set ENVGEN_CACHE, and `envgen create --prefix`"
        if not space.writable:
            yield problem("disk", f"{what}: no permission to write", elsewhere)
        elif space.free < _FULL:
            yield problem("disk", f"{what}: the disk is full", f"free space (`envgen clean`), or {elsewhere}")
        elif space.free + cached < need:
            what += f"; a first `envgen create` takes about {_gigabytes(need)}"
            yield note("disk", what, f"free space (`envgen clean`), or {elsewhere}")
        else:
            yield fine("disk", what)


def _mirrors(machine: Machine) -> Iterator[Finding]:
    for mirror in machine.mirrors:
        if mirror.url is None or mirror.problem:
            where = f"{mirror.placeholder} ({mirror.url})" if mirror.url else mirror.placeholder
            yield problem("mirrors", f"{where}: {mirror.problem or 'no URL is known'}", mirror.hint)
        else:
            yield fine("mirrors", f"{mirror.placeholder} is {mirror.url}, from {mirror.source}")


def _why(machine: Machine, against: Finding | None) -> str:
    nvidia = machine.accelerators.nvidia
    if against:
        return against.what
    if nvidia.gpus:
        names = ", ".join(dict.fromkeys(gpu.name for gpu in nvidia.gpus))
        return f"{len(nvidia.gpus)} x {names}"
    kind = "bf16 and fp32" if machine.processor.has_bf16 else "fp32"
    return f"no NVIDIA GPU; oneDNN in {kind}"


def _used(cache: int | None) -> str:
    return (
        ", size not measured in time (see `envgen clean`)" if cache is None else f", {_gigabytes(cache)} used by envgen"
    )


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.1f} GB"
