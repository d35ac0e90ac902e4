"""`accel info`: the hardware, the path that is used and why, and the versions of what it uses."""

from __future__ import annotations

import contextlib
import importlib.metadata
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from accel_runtime import extension, loaded
from accel_runtime import machine as machines
from accel_runtime.choice import choose
from accel_runtime.gpu import dotted
from accel_runtime.settings import Engine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from accel_runtime.machine import Machine

_CALM = (
    "IPEX 2.8 is its last release, and its vendor did not test it in one process with a CUDA build: it is loaded on "
    "the CPU path alone"
)


def collect() -> dict[str, Any]:
    """Return all that is shown, after a first use of the GPU; imports torch where it is installed."""
    machine = machines.look()
    versions = _versions()
    if machine.torch is not None:
        machine, more = _with_torch(machine)
        versions |= more
    choice, drivers = machine.choice, machine.drivers
    return {
        "replaced": [str(path) for path in _replaced(machine)],
        "path": {
            "device": choice.device,
            "engine": choice.engine.value if choice.engine else None,
            "bf16": choice.bf16,
            "why": choice.refused or choice.why,
            "warnings": list(choice.warnings),
            "refused": choice.refused is not None,
        },
        "cpu": {"name": machine.cpu.name, "features": list(machine.cpu.features)},
        "gpus": [
            {
                "name": gpu.name,
                "capability": dotted(gpu.capability),
                "memory": gpu.memory,
                "pci": gpu.pci,
            }
            for gpu in drivers.gpus
        ],
        "driver": {
            "version": drivers.driver,
            "cuda": dotted(drivers.cuda) if drivers.cuda else None,
            "problem": drivers.problem,
        },
        "intel_gpus": {"names": list(drivers.intel_gpus), "on_bus": drivers.intel_seen, "problem": drivers.level_zero},
        "versions": versions,
        "ipex": {"problem": machine.extension.problem, "note": _CALM if machine.extension.version else None},
    }


def lines(found: dict[str, Any]) -> Iterator[str]:
    """Yield the lines for people."""
    path, driver = found["path"], found["driver"]
    engine = f", models compiled by {path['engine']}" if path["engine"] else ""
    name = "none" if path["refused"] else f"{path['device']}{engine}{', bf16' if path['bf16'] else ''}"
    yield f"path      {name}: {path['why']}"
    yield from (f"warning   {text}" for text in path["warnings"])
    if found["replaced"]:
        listed = ", ".join(found["replaced"])
        yield f"warning   LD_LIBRARY_PATH replaces libraries of the environment by {listed}"
    yield f"cpu       {found['cpu']['name']}: {' '.join(found['cpu']['features']) or 'no known vector extensions'}"
    for gpu in found["gpus"]:
        size = f"{gpu['memory'] / 2**30:.0f} GiB"
        yield f"gpu       {gpu['name']}, compute capability {gpu['capability']}, {size}, {gpu['pci']}"
    if driver["version"] or driver["cuda"]:
        yield f"driver    {driver['version'] or 'version unknown'}, supports CUDA {driver['cuda'] or 'unknown'}"
    for name in found["intel_gpus"]["names"]:
        yield f"gpu       {name}: torch's CUDA build cannot use it; it needs an XPU build in another environment"
    if found["intel_gpus"]["on_bus"] and not found["intel_gpus"]["names"]:
        yield f"gpu       an Intel GPU was found, but not Level Zero: {found['intel_gpus']['problem']}"
    for name, version in found["versions"].items():
        yield f"{name:<9} {version or 'not installed'}"
    if found["ipex"]["note"]:
        yield f"note      {found['ipex']['note']}"


def _replaced(machine: Machine) -> Iterator[Path]:
    """Yield the files that the loader used in place of libraries of NVIDIA's wheels; cuDNN is loaded by now."""
    torch = sys.modules.get("torch")
    with contextlib.suppress(OSError):  # without procfs nothing is known
        if machine.torch is not None and torch is not None and torch.__file__:
            yield from loaded.strangers(Path("/proc/self/maps").read_text(), Path(torch.__file__).parents[1])


def _versions() -> dict[str, str | None]:
    """Read versions from metadata, which imports nothing."""
    found: dict[str, str | None] = {"torch": None, "ipex": None}
    for name, project in (("torch", "torch"), ("ipex", "intel-extension-for-pytorch")):
        try:
            found[name] = importlib.metadata.version(project)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _with_torch(machine: Machine) -> tuple[Machine, dict[str, str | None]]:
    """Return the machine as torch itself sees it, and its versions: its build, and whether the GPU works."""
    try:
        import torch  # noqa: PLC0415 - it may not be installed

        from accel_runtime import api  # noqa: PLC0415 - imports torch
    except Exception as error:  # noqa: BLE001 - a broken torch must be shown
        unusable = f"torch cannot be imported: {error}"
        choice = replace(machine.choice, device="cpu", engine=None, warnings=(*machine.choice.warnings, unusable))
        return replace(machine, choice=choice), {}
    machine = _chosen(replace(machine, build=api.torch_build()))
    if machine.choice.device == "cuda" and (problem := api.gpu_problem(torch.device("cuda", 0))):
        machine = _chosen(replace(machine, drivers=replace(machine.drivers, problem=problem.words, seen=True)))
    if machine.choice.engine is Engine.IPEX:  # its metadata may be right, and its libraries broken
        machine = _chosen(replace(machine, extension=extension.load(torch.__version__)))
    return machine, _torch_versions(torch)


def _chosen(machine: Machine) -> Machine:
    """Return the machine with the path chosen again, by what is known since."""
    settings, drivers, build = machine.settings, machine.drivers, machine.build
    choice = choose(settings, drivers=drivers, build=build, cpu=machine.cpu, extension=machine.extension)
    return replace(machine, choice=choice)


def _torch_versions(torch: Any) -> dict[str, str | None]:
    nccl = ".".join(map(str, torch.cuda.nccl.version())) if torch.version.cuda else None
    onednn = next((line for line in torch.__config__.show().splitlines() if "MKL-DNN v" in line), "")
    return {
        "cuda": torch.version.cuda,
        "cudnn": _cudnn(torch),
        "nccl": nccl,
        "onednn": onednn.partition("MKL-DNN v")[2].split(" ")[0] or None,
        "threads": str(torch.get_num_threads()),
    }


def _cudnn(torch: Any) -> str | None:
    """Return cuDNN's version: 9.10.2 for 91002, and 8.9.7 for 8907, as it was written before 9."""
    try:
        number = torch.backends.cudnn.version()
    except RuntimeError:  # it asks the GPU for its capability first, and the GPU may be what is broken
        return None
    if number is None:
        return None
    base = 10_000 if number >= 90_000 else 1000  # noqa: PLR2004 - cudnn_version.h changed its rule with 9
    return f"{number // base}.{number % base // 100}.{number % 100}"
