"""`envgen doctor`: this machine, and what it means for a lock."""

from __future__ import annotations

import shutil
import sys
import textwrap
from typing import TYPE_CHECKING, Any

import click

from envgen import ops
from envgen.cli.every_verb import examples
from envgen.cli.options import env_argument, json_option
from envgen.errors import HostError
from envgen.ops import Level
from envgen.platforms import dotted

if TYPE_CHECKING:
    from envgen.cli.console import Console
    from envgen.ops import Diagnosis, DoctorReport, Machine

_MARKS = {Level.OK: "ok", Level.NOTE: "note", Level.PROBLEM: "PROBLEM"}


@click.command("doctor", epilog=examples("envgen doctor", "envgen doctor train --json"))
@env_argument
@json_option
@click.pass_obj
def command(console: Console, env: str | None, as_json: bool) -> None:
    """Check this machine: GPUs and drivers, the processor, programs, disks and mirrors.

    Reports whether the lock of ENV works on it, on GPU or CPU, and how to fix what does not work.
    Takes a few seconds at most, even if a mirror or a driver does not respond.

    Exit code 0 if the lock works here, possibly slower than it could; 1 if something prevents it from working, if the
    environment does not exist, or if its lock cannot be read.
    """
    report = ops.doctor(console.context(anywhere=True), env=env)
    if as_json:
        console.json(_json(report))
    else:
        _render(console, report)
    if problems := report.diagnosis.problems:
        count = len(problems)
        raise HostError(f"{count} problem{'s' if count > 1 else ''} found on this machine", hint=problems[0].remedy)


def _render(console: Console, report: DoctorReport) -> None:
    diagnosis = report.diagnosis
    for found in diagnosis.findings:
        console.data(_folded(f"{_MARKS[found.level]:<9}{found.subject:<10}", found.what))
        if found.remedy:
            console.data(_folded(f"{'':<19}-> ", found.remedy))
    what = report.environment or "this machine"
    lock = "" if report.lock or not report.environment else f" (no lock for {report.machine.host.platform})"
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


def _json(report: DoctorReport) -> dict[str, Any]:
    return {
        "environment": report.environment,
        "lock": report.lock,
        "path": {"device": report.diagnosis.path, "why": report.diagnosis.why},
        "findings": _findings(report.diagnosis),
        "machine": _machine(report.machine),
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
        "replaced_libraries": {name: str(path) for name, path in machine.replaced.items()},
        "cache": machine.cache,
        "mirrors": [
            {"placeholder": m.placeholder, "url": m.url, "source": m.source, "problem": m.problem}
            for m in machine.mirrors
        ],
    }
