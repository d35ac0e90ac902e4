"""`envgen lock`: specs to locks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from envgen.cli.options import env_argument, json_option, platform_option
from envgen.errors import LockError
from envgen.ops import lock as ops

if TYPE_CHECKING:
    from envgen.cli.console import Console
    from envgen.platforms import Platform

_ALL = "*"


@click.command("lock")
@env_argument
@platform_option("Lock this platform only; give it several times for several.")
@click.option("--check", is_flag=True, help="Write nothing; exit 1 if a lock is missing or no longer true. Offline.")
@click.option(
    "--upgrade",
    "upgrades",
    metavar="[NAME]",
    multiple=True,
    is_flag=False,
    flag_value=_ALL,
    help="Take the newest of NAME, or of everything where no NAME follows.",
)
@json_option
@click.pass_obj
def command(
    console: Console,
    env: str | None,
    platforms: tuple[Platform, ...],
    check: bool,
    upgrades: tuple[str, ...],
    as_json: bool,
) -> None:
    """Resolve a spec and write one lock for each platform.

    What is locked already stays, unless the spec or --upgrade asks for something else or no source offers it any more.
    """
    if check:
        _check(console, env, platforms, as_json=as_json)
        return
    upgrade = ops.Upgrade(everything=_ALL in upgrades, names=frozenset(upgrades) - {_ALL})
    outcomes = ops.lock(console.context(), env=env, platforms=platforms, upgrade=upgrade)
    if as_json:
        console.json([_outcome(outcome) for outcome in outcomes])
        return
    for outcome in outcomes:
        _render(console, outcome)


def _check(console: Console, env: str | None, platforms: tuple[Platform, ...], *, as_json: bool) -> None:
    verdicts = ops.check(console.context(), env=env, platforms=platforms)
    stale = [v for v in verdicts if v.reasons]
    if as_json:
        console.json([{"lock": v.path, "true": not v.reasons, "reasons": list(v.reasons)} for v in verdicts])
    else:
        for verdict in verdicts:
            console.say(f"{verdict.path}: {'stale' if verdict.reasons else 'up to date'}")
            for reason in verdict.reasons:
                console.say(f"  - {reason}")
    if stale:
        raise LockError(
            f"{len(stale)} of {len(verdicts)} locks are not true for their spec", hint="run `envgen lock` to renew them"
        )


def _render(console: Console, outcome: ops.LockOutcome) -> None:
    changes = outcome.changes
    if not outcome.written:
        console.say(f"{outcome.path}: unchanged, {outcome.packages} packages")
        return
    console.say(f"{outcome.path}: {outcome.packages} packages, {changes.summary()}")
    if not outcome.first:
        for line in changes.lines():
            console.say(f"  {line}")


def _outcome(outcome: ops.LockOutcome) -> dict[str, Any]:
    return {
        "platform": str(outcome.platform),
        "lock": outcome.path,
        "written": outcome.written,
        "packages": outcome.packages,
        "changes": outcome.changes.as_json(),
    }
