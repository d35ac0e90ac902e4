"""`envgen doctor`: this machine, and what it means for a lock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from envgen.check.doctor import Level
from envgen.cli.options import env_argument, json_option
from envgen.errors import HostError
from envgen.ops import doctor as ops
from envgen.platforms import dotted

if TYPE_CHECKING:
    from envgen.check.doctor import Diagnosis, Machine
    from envgen.cli.console import Console
    from envgen.ops.doctor import Examined

_MARKS = {Level.OK: "ok", Level.NOTE: "note", Level.PROBLEM: "PROBLEM"}


@click.command("doctor")
@env_argument
@json_option
@click.pass_obj
def command(console: Console, env: str | None, as_json: bool) -> None:
    """Look at this machine: GPUs and drivers, the processor, programs, disks and mirrors.

    Then say whether the lock of ENV fits it, which path its code will take, and what to do where it does not.
    Exit code 1 where something keeps the lock from working.
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
        console.data(f"{_MARKS[found.level]:<9}{found.subject:<10}{found.what}")
        if found.remedy:
            console.data(f"{'':<19}-> {found.remedy}")
    what = examined.environment or "this machine"
    lock = "" if examined.lock or not examined.environment else f" (no lock for {examined.machine.host.platform})"
    console.data(f"{what}{lock}: {diagnosis.path} path, {diagnosis.why}")


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
        "cpu": {"name": machine.processor.name, "features": list(machine.processor.features)},
        "nvidia": {
            "driver": nvidia.driver,
            "cuda": dotted(nvidia.cuda) if nvidia.cuda else None,
            "problem": nvidia.problem,
            "gpus": [
                {"name": gpu.name, "capability": dotted(gpu.capability), "memory": gpu.memory, "pci": gpu.pci}
                for gpu in nvidia.gpus
            ],
        },
        "intel": {"gpus": list(intel.gpus), "on_bus": intel.on_bus, "level_zero": intel.problem},
        "programs": [
            {"name": program.name, "path": str(program.path), "version": program.version}
            for program in machine.programs
        ],
        "disk": [
            {"purpose": space.purpose, "folder": str(space.folder), "free": space.free} for space in machine.spaces
        ],
        "cache": machine.cache,
        "mirrors": [
            {"placeholder": m.placeholder, "url": m.url, "source": m.source, "problem": m.problem}
            for m in machine.mirrors
        ],
    }
