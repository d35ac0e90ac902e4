"""`envgen lock`: specs to locks."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import click

from envgen.cli.options import complete_packages, env_argument, json_option, platform_option
from envgen.cli.sizes import counted
from envgen.errors import LockError, UsageError
from envgen.ops import lock as ops

if TYPE_CHECKING:
    from collections.abc import Sequence

    from envgen.cli.console import Console
    from envgen.platforms import Platform

_ALL = "*"
_PIN = re.compile(r"(?P<name>[A-Za-z0-9_][A-Za-z0-9._-]*)(?:\s*==\s*(?P<version>[A-Za-z0-9.+!_-]+))?")


@click.command("lock")
@env_argument
@platform_option("Lock this platform only; give it several times for several.")
@click.option("--check", is_flag=True, help="Write nothing; exit 1 if a lock is missing or no longer true. Offline.")
@click.option(
    "--upgrade",
    "upgrades",
    metavar="[NAME[==VERSION]]",
    multiple=True,
    is_flag=False,
    flag_value=_ALL,
    shell_complete=complete_packages,
    help="Take the newest of NAME, or its VERSION, or the newest of everything where no NAME follows.",
)
@click.option("--all", "everything", is_flag=True, help="Every environment of the project.")
@json_option
@click.pass_obj
def command(
    console: Console,
    env: str | None,
    platforms: tuple[Platform, ...],
    check: bool,
    upgrades: tuple[str, ...],
    everything: bool,
    as_json: bool,
) -> None:
    """Resolve a spec and write one lock for each platform.

    What is locked already stays, unless the spec or --upgrade asks for something else or no source offers it any more.
    Locks of platforms that the spec no longer names are removed, with --all also those of specs that are gone.
    """
    if env and everything:
        raise UsageError("ENV and --all are two answers", hint="give one of them")
    context = console.context()
    envs = ops.environments(context) if everything else (env,)
    if check:
        verdicts = [verdict for one in envs for verdict in ops.check(context, env=one, platforms=platforms)]
        verdicts += ops.check_orphans(context) if everything else ()
        _tell_verdicts(
            console, verdicts, reinstall="envgen lock --all" if everything else "envgen lock", as_json=as_json
        )
        return
    upgrade = _upgrade(upgrades)
    outcomes = [o for one in envs for o in ops.lock(context, env=one, platforms=platforms, upgrade=upgrade)]
    if not platforms:
        _tell_tidied(console, ops.tidy(context, envs=envs, everything=everything))
    if as_json:
        console.json([_outcome(outcome) for outcome in outcomes])
        return
    for outcome in outcomes:
        _render(console, outcome)


def _upgrade(words: tuple[str, ...]) -> ops.Upgrade:
    """Read what follows `--upgrade`: nothing, `NAME` or `NAME==VERSION`.

    Raises:
        UsageError: it is none of these.
    """
    pins: dict[str, str] = {}
    names: set[str] = set()
    for word in words:
        match = _PIN.fullmatch(word)
        if not match and word != _ALL:
            raise UsageError(
                f"--upgrade takes a name, or NAME==VERSION, not {word!r}", hint="ranges belong into the spec"
            )
        if match and match["version"]:
            pins[match["name"]] = match["version"]
        elif match:
            names.add(match["name"])
    return ops.Upgrade(everything=_ALL in words, names=frozenset(names), pins=pins)


def _tell_verdicts(console: Console, verdicts: Sequence[ops.LockVerdict], *, reinstall: str, as_json: bool) -> None:
    stale = [v for v in verdicts if v.reasons]
    if as_json:
        console.json([{"lock": v.path, "true": not v.reasons, "reasons": list(v.reasons)} for v in verdicts])
    else:
        for verdict in verdicts:
            if verdict.reasons == (ops.MISSING,):
                console.say(f"{verdict.path}: missing")
                continue
            console.say(f"{verdict.path}: {'stale' if verdict.reasons else 'up to date'}")
            for reason in verdict.reasons:
                console.say(f"  - {reason}")
    if stale:
        which = "the lock" if len(verdicts) == 1 else f"{len(stale)} of {len(verdicts)} locks"
        raise LockError(
            f"{which} {'is' if len(stale) == 1 else 'are'} not true for the spec", hint=f"run `{reinstall}`"
        )


def _tell_tidied(console: Console, tidied: ops.Tidied) -> None:
    for path in tidied.removed:
        console.say(f"{path}: removed, since no spec asks for it any more")
    for path, why in tidied.orphans.items():
        console.say(f"{path}: {why}; `envgen lock --all` removes it")


def _render(console: Console, outcome: ops.LockOutcome) -> None:
    changes = outcome.changes
    packages = counted(outcome.packages, "package")
    if not outcome.written:
        console.say(f"{outcome.path}: unchanged, {packages}")
        return
    console.say(f"{outcome.path}: {packages}, {changes.summary()}")
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
