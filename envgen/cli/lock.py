"""`envgen lock`: specs to locks."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import click

from envgen import ops
from envgen.cli.every_verb import examples
from envgen.cli.older import older_json
from envgen.cli.options import (
    bundle_option,
    complete_packages,
    dry_run_option,
    env_argument,
    json_option,
    no_build_option,
    offline_option,
    platform_option,
)
from envgen.cli.sizes import counted
from envgen.errors import LockError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from envgen.cli.console import Console
    from envgen.ops import LockOutcome, LockResult, LockVerdict, Upgrade
    from envgen.platforms import Platform

_ALL = "*"
_PIN = re.compile(r"(?P<name>[A-Za-z0-9_][A-Za-z0-9._-]*)(?:\s*==\s*(?P<version>[A-Za-z0-9.+!_-]+))?")


@click.command("lock", epilog=examples("envgen lock", "envgen lock train --upgrade torch", "envgen lock --all --check"))
@env_argument
@platform_option("lock this platform only; may be repeated")
@click.option("--check", is_flag=True, help="write nothing; exit 1 if a lock is missing or out of date; works offline")
@click.option(
    "--upgrade",
    "upgrades",
    metavar="[NAME[==VERSION]]",
    multiple=True,
    is_flag=False,
    flag_value=_ALL,
    shell_complete=complete_packages,
    help="upgrade NAME to the newest version or to VERSION; without NAME, upgrade all packages; may be repeated",
)
@click.option("--refresh", is_flag=True, help="ask all indexes again, also where nothing changed")
@click.option(
    "--pin-local/--no-pin-local",
    default=None,
    help="lock the files of local projects, so that a change of code makes the lock out of date; stays until changed",
)
@dry_run_option("show what would change, and write nothing")
@click.option("--all", "everything", is_flag=True, help="lock every environment of the project")
@no_build_option
@offline_option
@bundle_option
@json_option
@click.pass_obj
def command(
    console: Console,
    env: str | None,
    platforms: tuple[Platform, ...],
    check: bool,
    upgrades: tuple[str, ...],
    refresh: bool,
    pin_local: bool | None,
    dry_run: bool,
    everything: bool,
    no_build: bool,
    offline: bool,
    bundles: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Resolve a spec and write one lock for each platform.

    Locked versions are kept, unless the spec or --upgrade requires a change or no source offers them any more.
    A lock whose spec, recipes and Debian packages did not change is not resolved again; --refresh does so.
    Locks of platforms that the spec no longer names are removed; with --all also those of deleted specs.
    """
    options = ops.LockOptions(
        env=env,
        everything=everything,
        platforms=platforms,
        upgrade=_upgrade(upgrades),
        check=check,
        refresh=refresh,
        dry_run=dry_run,
        pin_local=pin_local,
        at_hand=offline,
    )
    result = ops.lock(console.context(no_build=no_build, offline=offline, bundles=bundles), options)
    if check:
        command_line = "envgen lock --all" if everything else "envgen lock"
        _tell_verdicts(console, result.verdicts, remedy=command_line, as_json=as_json)
        return
    _tell_removed(console, result, dry_run=dry_run)
    if as_json:
        console.json([outcome_json(outcome) for outcome in result.outcomes])
        return
    for outcome in result.outcomes:
        tell_outcome(console, outcome, dry_run=dry_run)


def _upgrade(words: tuple[str, ...]) -> Upgrade:
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
                f"`--upgrade`: expected NAME or NAME==VERSION, got {word!r}", hint="put version ranges into the spec"
            )
        if match and match["version"]:
            pins[match["name"]] = match["version"]
        elif match:
            names.add(match["name"])
    return ops.Upgrade(everything=_ALL in words, names=frozenset(names), pins=pins)


def _tell_verdicts(console: Console, verdicts: Sequence[LockVerdict], *, remedy: str, as_json: bool) -> None:
    stale = [v for v in verdicts if v.reasons]
    if as_json:
        console.json([_verdict(verdict) for verdict in verdicts])
    else:
        for verdict in verdicts:
            if verdict.missing:
                console.say(f"{verdict.path}: missing")
                continue
            lacking = f", {counted(len(verdict.not_here), 'file')} to fetch" if verdict.not_here else ""
            console.say(f"{verdict.path}: {'out of date' if verdict.reasons else 'up to date'}{lacking}")
            for reason in (*verdict.reasons, *verdict.not_here):
                console.say(f"  - {reason}")
    if stale:
        which = "the lock" if len(verdicts) == 1 else f"{len(stale)} of {len(verdicts)} locks"
        states = [word for word, missing in (("missing", True), ("out of date", False)) if missing in _missing(stale)]
        raise LockError(f"{which} {'is' if len(stale) == 1 else 'are'} {' or '.join(states)}", hint=f"run `{remedy}`")
    if files := sum(len(verdict.not_here) for verdict in verdicts):
        raise LockError(
            f"{counted(files, 'file')} of {counted(len(verdicts), 'lock')} cannot be had offline",
            hint="run `envgen bundle` on a machine with a network, and add what it writes with `--bundle`",
        )


def _missing(verdicts: Sequence[LockVerdict]) -> set[bool]:
    return {verdict.missing for verdict in verdicts}


def _verdict(verdict: LockVerdict) -> dict[str, Any]:
    reasons = [*verdict.reasons, *verdict.not_here]
    # `true` was the name of `up_to_date` in 0.1, and goes with 0.3
    return {"lock": verdict.path, "up_to_date": not reasons, "true": not reasons, "reasons": reasons}


def _tell_removed(console: Console, result: LockResult, *, dry_run: bool) -> None:
    for path in result.removed:
        console.say(f"{path}: {'would be removed' if dry_run else 'removed'}, no spec needs it any more")
    for path, why in result.orphans.items():
        console.say(f"{path}: {why}; `envgen lock --all` removes it")


def tell_outcome(console: Console, outcome: LockOutcome, *, dry_run: bool) -> None:
    """Report what became of a lock, or would become of it."""
    changes = outcome.changes
    packages = counted(outcome.packages, "package")
    if not outcome.written:
        asked = "" if outcome.solved else " (indexes not asked, `--refresh` asks them)"
        console.say(f"{outcome.path}: unchanged, {packages}{asked}")
        return
    console.say(f"{outcome.path}: {'would have ' if dry_run else ''}{packages}, {changes.summary()}")
    if not outcome.first:
        from envgen.cli.diff_text import lines  # noqa: PLC0415  what `--check` does without

        for line in lines(changes):
            console.say(f"  {line}")


def outcome_json(outcome: LockOutcome) -> dict[str, Any]:
    """Render what became of a lock."""
    from envgen.cli.diff_json import delta_json  # noqa: PLC0415  as above

    return {
        "platform": str(outcome.platform),
        "lock": outcome.path,
        "written": outcome.written,
        "solved": outcome.solved,
        "packages": outcome.packages,
        "changes": delta_json(outcome.changes),
        "older": [older_json(older) for older in outcome.older],
    }
