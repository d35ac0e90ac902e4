"""`envgen doctor`: this machine, and what it means for a lock."""

from __future__ import annotations

import shutil
import sys
import textwrap
from typing import TYPE_CHECKING, Any

import click

from envgen.cli.options import env_argument, json_option
from envgen.diagnose.findings import Level
from envgen.errors import HostError
from envgen.ops import doctor as ops
from envgen.platforms import dotted

if TYPE_CHECKING:
    from envgen.cli.console import Console
    from envgen.diagnose.diagnosis import Diagnosis
    from envgen.diagnose.machine import Machine
    from envgen.ops.doctor import Examined

_MARKS = {Level.OK: "ok", Level.NOTE: "note", Level.PROBLEM: "PROBLEM"}


@click.command("doctor")
@env_argument
@json_option
@click.pass_obj
def command(console: Console, env: str | None, as_json: bool) -> None:
    """Look at this machine: GPUs and drivers, the processor, programs, disks and mirrors.

    Then say whether the lock of ENV fits it, which path its code will take, and what to do where it does not.
    It takes a few seconds at most, also where a mirror or a driver does not answer.

    Exit code 0 where the lock works here, if not as fast as it could; 1 where something keeps it from working, and
    where there is no such environment or its lock cannot be read.
    """
    examined = ops.examine(console.context(anywhere=True), env=env)
    if as_json:
        console.json(_json(examined))
    else:
        _render(console, examined)
    if problems := examined.diagnosis.problems:
        count = len(problems)
        raise HostError(f"{count} problem{'s' if count > 1 else ''} found on this machine", hint=problems[0].remedy)


def _render(console: Console, examined: Examined) -> None:
    diagnosis = examined.diagnosis
    for found in diagnosis.findings:
        console.data(_folded(f"{_MARKS[found.level]:<9}{found.subject:<10}", found.what))
        if found.remedy:
            console.data(_folded(f"{'':<19}-> ", found.remedy))
    what = examined.environment or "this machine"
    lock = "" if examined.lock or not examined.environment else f" (no lock for {examined.machine.host.platform})"
    console.data(f"{what}{lock}: {diagnosis.path} path, {diagnosis.why}")


def _folded(head: str, text: str) -> str:
    """Fold a line where a terminal would break it anywhere; a pipe gets it whole."""
    if not sys.stdout.isatty():
        return head + text
    lines = textwrap.wrap(
        text,
        width=max(40, shutil.get_terminal_size().columns - len(head)),
        break_long_words=False,
        break_on_hyphens=False,
    )
    return head + f"\n{'':<{len(head)}}".join(lines)


def _json(examined: Examined) -> dict[str, Any]:
    return {
        "environment": examined.environment,
        "lock": examined.lock,
        "path": {"device": examined.diagnosis.path, "why": examined.diagnosis.why},
        "findings": _findings(examined.diagnosis),
        "machine": _machine(examined.machine),
    }


def _findings(diagnosis: Diagnosis) -> list[dict[str, str | None]]:
    return [
        {"level": str(found.level), "subject": found.subject, "what": found.what, "remedy": found.remedy}
        for found in diagnosis.findings
    ]


def _machine(machine: Machine) -> dict[str, Any]:
    nvidia, intel = machine.accelerators.nvidia, machine.accelerators.intel
    return {
        "platform": str(machine.host.platform),
        "glibc": dotted(machine.host.glibc) if machine.host.glibc else None,
        "archspec": machine.host.archspec,
        "cpu": {
            "name": machine.processor.name,
            "features": list(machine.processor.features),
            "emulator": machine.processor.emulator,
        },
        "nvidia": {
            "driver": nvidia.driver,
            "cuda": dotted(nvidia.cuda) if nvidia.cuda else None,
            "kernel_module": machine.files.nvidia_module,
            "problem": nvidia.problem,
            "gpus": [
                {"name": gpu.name, "capability": dotted(gpu.capability), "memory": gpu.memory, "pci": gpu.pci}
                for gpu in nvidia.gpus
            ],
        },
        "intel": {
            "gpus": list(intel.gpus),
            "on_bus": intel.on_bus,
            "level_zero": intel.problem,
            "kernel_drivers": [node.driver for node in machine.files.render if node.is_intel],
        },
        "programs": [
            {"name": program.name, "path": str(program.path), "version": program.version}
            for program in machine.programs
        ],
        "disk": [
            {"purpose": s.purpose, "folder": str(s.folder), "free": s.free, "writable": s.writable}
            for s in machine.spaces
        ],
        "cache": machine.cache,
        "mirrors": [
            {"placeholder": m.placeholder, "url": m.url, "source": m.source, "problem": m.problem}
            for m in machine.mirrors
        ],
    }
