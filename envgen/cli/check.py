"""`envgen check`: whether the locked packages fit together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from envgen import ops
from envgen.checks import Severity
from envgen.cli.every_verb import examples
from envgen.cli.options import env_argument, json_option, platform_option
from envgen.cli.sizes import counted
from envgen.errors import UserError

if TYPE_CHECKING:
    from envgen.checks import Misfit
    from envgen.cli.console import Console
    from envgen.ops import CheckedLock, CheckReport
    from envgen.platforms import Platform

_FILES = 3
"""Files of a finding that are shown; `--json` has all."""


@click.command("check", epilog=examples("envgen check", "envgen check train --json"))
@env_argument
@platform_option("this platform only; may be repeated")
@json_option
@click.pass_obj
def command(console: Console, env: str | None, platforms: tuple[Platform, ...], as_json: bool) -> None:
    """Check whether the locked packages fit together: libraries, OpenMP, CUDA, glibc, symbols, paths.

    Reads the files of packages in the cache and fetches nothing. Exit code 1 if there is an error that `check.accept`
    of the spec does not accept, as in `check: {accept: {OMP001: "one of them is never loaded"}}`.
    """
    report = ops.check(console.context(), env=env, platforms=platforms)
    if as_json:
        console.json(_json(report))
    else:
        for lock in report.locks:
            _render(console, lock)
    for entry in report.unused:
        console.say(f"note: `check.accept.{entry}` has no effect: there is no such finding")
    if report.open:
        count = len(report.open)
        raise UserError(
            f"{counted(count, 'error')} in `{report.environment}`",
            hint="fix them, or accept them with a reason under `check.accept` in the spec",
        )


def _render(console: Console, lock: CheckedLock) -> None:
    for misfit in lock.misfits:
        _show(console, misfit)
    counts = ", ".join(counted(sum(m.severity is s for m in lock.misfits), str(s)) for s in Severity)
    read = lock.packages - len(lock.unread)
    console.data(f"{lock.platform}: {counts} in {read} of {counted(lock.packages, 'package')}")
    if lock.unread:
        console.say(
            f"{lock.platform}: {counted(len(lock.unread), 'package')} not in the cache, and not read; "
            f"`envgen create` on a machine of the platform{_or_image(lock)} fetches them"
        )


def _or_image(lock: CheckedLock) -> str:
    return f", or `envgen image --platform {lock.platform}`," if lock.platform.is_linux else ""


def _show(console: Console, misfit: Misfit) -> None:
    accepted = f", accepted: {misfit.accepted}" if misfit.accepted else ""
    console.data(f"{misfit.rule} {misfit.severity}{accepted}: {misfit.what}")
    for path in misfit.files[:_FILES]:
        console.data(f"    {path}")
    if len(misfit.files) > _FILES:
        console.data(f"    and {counted(len(misfit.files) - _FILES, 'file')} more")
    if misfit.remedy and not misfit.accepted:
        console.data(f"    -> {misfit.remedy}")


def _json(report: CheckReport) -> dict[str, Any]:
    return {
        "environment": report.environment,
        "unused": list(report.unused),
        "platforms": [
            {
                "platform": str(lock.platform),
                "packages": lock.packages,
                "unread": list(lock.unread),
                "findings": [_finding(misfit) for misfit in lock.misfits],
            }
            for lock in report.locks
        ],
    }


def _finding(misfit: Misfit) -> dict[str, Any]:
    return {
        "rule": misfit.rule,
        "severity": str(misfit.severity),
        "title": misfit.title,
        "packages": list(misfit.packages),
        "what": misfit.what,
        "files": list(misfit.files),
        "remedy": misfit.remedy,
        "accepted": misfit.accepted,
    }
