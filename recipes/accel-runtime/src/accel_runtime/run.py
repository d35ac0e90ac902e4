"""`accel run`: an unmodified script, optimised when it calls its models."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, NoReturn

from accel_runtime import tuning
from accel_runtime.settings import Device, Precision

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from accel_runtime.machine import Machine


def environment(
    base: Mapping[str, str], machine: Machine, *, precision: Precision, report: bool
) -> tuple[dict[str, str], str]:
    """Return the variables of the script, and a line about what will happen.

    On the CUDA path the script's process loads nothing of this package.
    """
    dropped = {"ACCEL_AUTO", "ACCEL_REPORT", *machine.settings.faults}  # of the last, the user was warned already
    variables = {name: value for name, value in base.items() if name not in dropped}
    if machine.settings.device is Device.CPU:
        variables["CUDA_VISIBLE_DEVICES"] = ""  # the script asks torch, and torch must see none
    if machine.choice.device == "cuda":
        return variables, f"cuda path ({machine.choice.why}): the script runs unchanged"
    if machine.choice.engine is None:
        return variables, "off: the script runs unchanged"
    if precision is Precision.BF16 and not machine.choice.bf16:
        precision = Precision.FP32
        line = f"cpu path in fp32 ({machine.cpu.name} does not multiply bfloat16)"
    else:
        line = f"cpu path in {precision.value} ({machine.choice.why})"
    # the script's process must not choose again, nor repeat a warning
    variables = {**tuning.STARTED, **variables, "ACCEL_AUTO": precision.value, "ACCEL_DEVICE": Device.CPU.value}
    if report:
        variables["ACCEL_REPORT"] = "1"
    return variables, line


def start(argv: Sequence[str], variables: Mapping[str, str]) -> NoReturn:
    """Replace this process by `python ARGV`: its exit code and signals are Python's own."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(sys.executable, [sys.executable, *argv], dict(variables))  # noqa: S606 - without a shell, on purpose
