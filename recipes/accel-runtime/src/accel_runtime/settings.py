"""The user's `ACCEL_*` variables, parsed once.

ACCEL_DEVICE   cuda  the GPU or an error      cpu  never the GPU      off  without this package
ACCEL_AUTO     fp32  or  bf16: optimise every model that an unmodified script calls (`accel run` sets it)
ACCEL_ENGINE   onednn  or  ipex: what compiles models on the CPU path; by the processor where it is not set
ACCEL_REPORT   1     print at the end what was optimised, what was not and why
"""

from __future__ import annotations

import functools
import logging
import os
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

_E = TypeVar("_E", bound=Enum)


class Device(Enum):
    """Values of `ACCEL_DEVICE`."""

    AUTO = "auto"
    CUDA = "cuda"
    CPU = "cpu"
    OFF = "off"


class Precision(Enum):
    """In what the CPU path computes; inputs, weights and results of the model stay what they are."""

    FP32 = "fp32"
    BF16 = "bf16"


class Engine(Enum):
    """What compiles a captured graph: IPEX's passes over TorchScript, or the oneDNN Graph that torch itself has."""

    IPEX = "ipex"
    ONEDNN = "onednn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The variables, and what is wrong with them.

    Attributes:
        device: which path is wanted.
        auto: the precision of the hook; None where the hook was not asked for.
        engine: the engine that is wanted; None for the one that measured best.
        report: whether to print at the end what was done.
        faults: variable -> why it was ignored.
    """

    device: Device = Device.AUTO
    auto: Precision | None = None
    engine: Engine | None = None
    report: bool = False
    faults: Mapping[str, str] = field(default_factory=dict)


def read(environment: Mapping[str, str] | None = None) -> Settings:
    """Parse the variables; one with an unknown value is ignored and is in `faults`.

    Args:
        environment: of the process by default.
    """
    source = os.environ if environment is None else environment
    faults: dict[str, str] = {}
    return Settings(
        device=_choice(source, "ACCEL_DEVICE", Device, faults) or Device.AUTO,
        auto=_choice(source, "ACCEL_AUTO", Precision, faults, also={"1": Precision.FP32}),
        engine=_choice(source, "ACCEL_ENGINE", Engine, faults),
        report=source.get("ACCEL_REPORT", "0") not in ("", "0"),
        faults=faults,
    )


@functools.cache
def warn(text: str) -> None:
    """Write a warning to the log of `accel_runtime`, once in a process."""
    logging.getLogger("accel_runtime").warning(text)


def _choice(
    source: Mapping[str, str], name: str, kind: type[_E], faults: dict[str, str], also: Mapping[str, _E] | None = None
) -> _E | None:
    text = source.get(name, "").strip().lower()
    if text in ("", "0"):
        return None
    if also and text in also:
        return also[text]
    try:
        return kind(text)
    except ValueError:
        words = ", ".join(str(member.value) for member in kind)
        faults[name] = f"{name}={source[name]!r} is ignored: expected one of {words}"
        return None
