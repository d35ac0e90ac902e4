"""Which path is used, and why: a pure function of the machine, torch and the settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from accel_runtime.gpu import obstacle
from accel_runtime.settings import Device, Engine, Precision

if TYPE_CHECKING:
    from accel_runtime.cpu import Cpu
    from accel_runtime.extension import Extension
    from accel_runtime.gpu import Build, Drivers
    from accel_runtime.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A path.

    Attributes:
        device: `cuda` or `cpu`.
        engine: what compiles models on the CPU; None on the CUDA path and where nothing is optimised.
        bf16: whether the device multiplies bfloat16 in hardware.
        why: the reason, one sentence.
        warnings: for the user: settings that were ignored, a GPU that cannot be used, a broken IPEX.
        refused: why the device that was asked for cannot be used; None where it can.
    """

    device: str
    engine: Engine | None
    bf16: bool
    why: str
    warnings: tuple[str, ...] = ()
    refused: str | None = None


def choose(settings: Settings, *, drivers: Drivers, build: Build, cpu: Cpu, extension: Extension) -> Choice:
    """Return the path to use.

    Where a GPU exists and cannot be used, the reason is among the warnings; with `ACCEL_DEVICE=cuda` the path is
    refused.
    """
    against = obstacle(drivers, build)
    warnings = list(settings.faults.values())
    if settings.device is Device.CPU:
        return _on_cpu(settings, cpu, extension, why="ACCEL_DEVICE=cpu", warnings=warnings)
    if against is None:
        names = ", ".join(dict.fromkeys(gpu.name for gpu in drivers.gpus))
        return Choice(
            device="cuda",
            engine=None,
            bf16=any(gpu.capability >= (8, 0) for gpu in drivers.gpus),
            why=f"{len(drivers.gpus)} x {names}" if len(drivers.gpus) > 1 else names,
            warnings=tuple(warnings),
        )
    refused = None
    known = drivers.seen or drivers.problem  # a GPU that the user hid is a reason, without a warning
    if settings.device is Device.CUDA:
        refused = f"ACCEL_DEVICE=cuda, but {against if known else 'there is no NVIDIA GPU'}"
    elif drivers.seen:
        warnings.append(f"the GPU is not used: {against}")
    why = f"no usable GPU: {against}" if known else "no NVIDIA GPU"
    return _on_cpu(settings, cpu, extension, why=why, warnings=warnings, refused=refused)


def pick_engine(
    wanted: Engine | None, extension: Extension, *, cpu: Cpu, precision: Precision
) -> tuple[Engine, str | None]:
    """Return the engine of the CPU path: torch's own oneDNN Graph, or IPEX where it works and is wanted or faster.

    IPEX was faster in bf16 on a processor with AMX (`README.md` of this recipe): 9.6x compared with 3.2x for 16 cores
    at batch 16, 11.1x compared with 10.3x for 4. It was not faster in fp32 there, nor on a processor with AVX512-BF16
    alone, and it changes torch for the whole process once it is loaded.

    Args:
        wanted: by the user, or None.
        extension: what is known of IPEX.
        cpu: the processor.
        precision: in which models compute.

    Returns:
        The engine, and a warning where the wanted one cannot be used.
    """
    faster = precision is Precision.BF16 and "AMX-BF16" in cpu.features
    if wanted is Engine.ONEDNN or (wanted is None and not (faster and extension.works)):
        return Engine.ONEDNN, None
    if not extension.works:
        return Engine.ONEDNN, f"IPEX is not used: {extension.problem or 'it is not installed'}"
    return Engine.IPEX, None


def _on_cpu(
    settings: Settings, cpu: Cpu, extension: Extension, *, why: str, warnings: list[str], refused: str | None = None
) -> Choice:
    precision = settings.auto or (Precision.BF16 if cpu.has_bf16 else Precision.FP32)
    engine, warning = pick_engine(settings.engine, extension, cpu=cpu, precision=precision)
    if warning:
        warnings.append(warning)
    if settings.device is Device.OFF:
        why = f"ACCEL_DEVICE=off; {why}"
    return Choice(
        device="cpu",
        engine=None if settings.device is Device.OFF else engine,
        bf16=cpu.has_bf16,
        why=why,
        warnings=tuple(warnings),
        refused=refused,
    )
