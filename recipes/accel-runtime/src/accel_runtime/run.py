"""`accel run`: an unmodified script, optimised where it calls its models."""

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
    """Work out the variables of the script, and say in a line what will happen.

    On the CUDA path there is nothing to ask for: the script's process loads nothing of ours.
    """
    dropped = {"ACCEL_AUTO", "ACCEL_REPORT", *machine.settings.faults}  # the last were told of already
    variables = {name: value for name, value in base.items() if name not in dropped}
    if machine.settings.device is Device.CPU:
        variables["CUDA_VISIBLE_DEVICES"] = ""  # the script asks torch, and torch must see none
    if machine.choice.device == "cuda":
        return variables, f"cuda path ({machine.choice.why}): the script runs as it is"
    if machine.choice.engine is None:
        return variables, "off: the script runs as it is"
    if precision is Precision.BF16 and not machine.choice.bf16:
        precision = Precision.FP32
        said = f"cpu path in fp32 ({machine.cpu.name} does not multiply bfloat16)"
    else:
        said = f"cpu path in {precision.value} ({machine.choice.why})"
    # the script's process needs not choose again, nor warn again of a GPU that cannot be used
    variables = {**tuning.STARTED, **variables, "ACCEL_AUTO": precision.value, "ACCEL_DEVICE": Device.CPU.value}
    if report:
        variables["ACCEL_REPORT"] = "1"
    return variables, said


def start(argv: Sequence[str], variables: Mapping[str, str]) -> NoReturn:
    """Become `python ARGV`: what follows is plain Python, down to its exit code and signals."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(sys.executable, [sys.executable, *argv], dict(variables))  # noqa: S606 - no shell is what is wanted
