"""`envgen create`: a lock becomes an environment on this machine."""

from __future__ import annotations

import shlex
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from envgen import ops
from envgen.cli.every_verb import examples
from envgen.cli.options import (
    bundle_option,
    dry_run_option,
    environments_argument,
    json_option,
    name_option,
    no_build_option,
    offline_option,
    prefix_option,
    signature_option,
)
from envgen.cli.sizes import counted, human_size
from envgen.errors import UsageError
from envgen.ops import CreateOptions, KernelChange, Place, Work
from envgen.structs import replace

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from envgen.cli.console import Console
    from envgen.ops import ForeignPackage, PlannedCreate, PlannedPackage

_SHOWN = 5
"""Packages that a plan lists by name; the rest are counted."""

_WORDS = {
    Work.EXTRACT: "to extract",
    Work.CONVERT: "to convert",
    Work.BUILD: "to build",
    Work.COPY: "to copy from `shared-cache`",
}


@click.command(
    "create", epilog=examples("envgen create", "envgen create train serve --dry-run", "envgen create --prefix ./env")
)
@environments_argument
@click.option(
    "--all", "everything", is_flag=True, help="create every environment of the project that has this platform"
)
@name_option
@prefix_option
@click.option("--frozen", is_flag=True, help="use the lock as it is, even if it is out of date")
@click.option(
    "--verify",
    is_flag=True,
    help="verify the digest of every installed file, and reinstall packages with modified or missing files",
)
@click.option("--prune", is_flag=True, help="remove packages that were installed beside the lock, for example by pip")
@click.option(
    "--editable",
    multiple=True,
    metavar="NAME",
    help="link the local project NAME to its source instead of installing it; may be repeated",
)
@dry_run_option("show the plan, change nothing")
@click.option(
    "--compile", "compile_now", is_flag=True, help="compile Python files to bytecode now, not at first import"
)
@no_build_option
@offline_option
@bundle_option
@signature_option
@json_option
@click.pass_obj
def command(
    console: Console,
    envs: tuple[str, ...],
    everything: bool,
    name: str | None,
    prefix: Path | None,
    frozen: bool,
    verify: bool,
    prune: bool,
    editable: tuple[str, ...],
    dry_run: bool,
    compile_now: bool,
    no_build: bool,
    offline: bool,
    bundles: tuple[Path, ...],
    required: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Create the environments of locks on this machine, or update them to match the locks."""
    place = Place(name=name, prefix=prefix)
    context = console.context(no_build=no_build, offline=offline, bundles=bundles, required=required)
    chosen = ops.chosen_environments(context, envs, everything=everything)
    if len(chosen) > 1 and place != Place():
        raise UsageError("`--name` and `--prefix` are for one environment", hint="create the environments one by one")
    options = CreateOptions(
        place=place,
        frozen=frozen,
        verify=verify,
        dry_run=dry_run,
        compile_now=compile_now,
        prune=prune,
        editable=editable,
    )
    results = []
    for env in chosen:
        console.environment_name = env
        done = ops.create(
            context,
            replace(options, env=env),
            on_plan=None if as_json else partial(_render_plan, console),
            on_change=None if as_json else partial(_render_changes, console),
        )
        results.append(_result(done, done=not dry_run))
        if not as_json and not dry_run:
            _render_end(console, done, env=env, place=place)
    if as_json:
        console.json(results if everything or len(envs) > 1 else results[0])


def _render_changes(console: Console, prepared: PlannedCreate) -> None:
    changes = prepared.plan.changes
    counts = f"{len(changes.link)} to link, {len(changes.unlink)} to unlink, {len(changes.unchanged)} unchanged"
    console.say(f"{prepared.spec.name} for {prepared.pair.lock.platform} in {prepared.prefix}: {counts}")
    if changes.relink:
        names = ", ".join(changes.relink[:_SHOWN])
        more = f" and {len(changes.relink) - _SHOWN} more" if len(changes.relink) > _SHOWN else ""
        console.say(f"  linked again, because the owner or path of their files changes: {names}{more}")
    if not prepared.plan.relinks_known:
        console.say("  packages to link again are known after download")


def _render_plan(console: Console, prepared: PlannedCreate) -> None:
    _render_changes(console, prepared)
    plan = prepared.plan
    if plan.fetch:
        about = "" if plan.sizes_known else "at least "
        console.say(f"  {counted(len(plan.fetch), 'file')} to download, {about}{human_size(plan.fetch_size)}")
        largest = sorted(plan.fetch, key=lambda artifact: -(artifact.size or 0))
        for artifact in largest[:_SHOWN]:
            console.say(f"    {human_size(artifact.size or 0):>9}  {artifact.filename}")
        if len(largest) > _SHOWN:
            rest = sum(artifact.size or 0 for artifact in largest[_SHOWN:])
            console.say(f"    {human_size(rest):>9}  in {len(largest) - _SHOWN} more")
    _render_drift(console, prepared)
    _render_variables(console, prepared)
    _render_kernel(console, prepared)
    for item in plan.items:
        console.detail(f"  {item.wanted.name} {item.wanted.version}: {_state(item, prepared)}")
    made = [f"{len(items)} {_WORDS[work]}" for work in Work if (items := plan.preparing(work))]
    if made:
        console.say(f"  {', '.join(made)}")


def _state(item: PlannedPackage, prepared: PlannedCreate) -> str:
    """Return what is at hand of a package, and what becomes of it in the environment."""
    at_hand = _WORDS[item.work] if item in prepared.plan.prepare else "cached"
    return f"{at_hand}, to link" if item.wanted.name in prepared.plan.changes.link else "unchanged"


def _render_drift(console: Console, prepared: PlannedCreate) -> None:
    drift = prepared.examined.drift
    told = sorted(prepared.damaged.items())
    if drift.moved_from:
        elsewhere = f"made for `{drift.moved_from}`"
        moved = [name for name, faults in told if all(fault.endswith(elsewhere) for fault in faults)]
        told = [(name, faults) for name, faults in told if name not in moved]
        console.say(
            f"  the environment was made at `{drift.moved_from}`: "
            f"{counted(len(moved), 'package')} with that path in their files will be reinstalled"
        )
    for name, faults in told:
        more = f", and {len(faults) - 1} more" if len(faults) > 1 else ""
        console.say(f"  {name} will be reinstalled: {faults[0]}{more}")
    for path, mode in sorted(drift.modes.items())[:_SHOWN]:
        console.say(f"  {path}: mode was changed, restoring {mode:o}")
    if len(drift.modes) > _SHOWN:
        console.say(f"  and the modes of {len(drift.modes) - _SHOWN} more files")
    if pruned := prepared.pruned:
        console.say(f"  not in the lock, to be removed: {_foreign(pruned)}")
    if left := [one for one in prepared.examined.beside if one not in pruned]:
        console.say(f"  not in the lock: {_foreign(left)}; {_way_out(left)}")


def _render_variables(console: Console, prepared: PlannedCreate) -> None:
    if written := [f"{name}={value}" for name, value in prepared.variables.items() if value is not None]:
        console.say(f"  variables to set: {', '.join(written)}")
    if gone := [name for name, value in prepared.variables.items() if value is None]:
        console.say(f"  variables to remove: {', '.join(gone)}")


def _render_kernel(console: Console, prepared: PlannedCreate) -> None:
    match prepared.kernel_change:
        case KernelChange.WRITE:
            console.say(f"  kernel to write: Jupyter shows it as `{prepared.kernel}`")
        case KernelChange.REMOVE:
            console.say("  kernel to remove: ipykernel is not in the lock")


def _foreign(packages: Iterable[ForeignPackage]) -> str:
    return ", ".join(f"{one.project} {one.version}{f' ({one.installer})' if one.installer else ''}" for one in packages)


def _way_out(packages: Iterable[ForeignPackage]) -> str:
    listed = all(one.files for one in packages)
    return "`--prune` removes them" if listed else "those without a RECORD are removed by the tool that installed them"


def _render_end(console: Console, prepared: PlannedCreate, *, env: str | None, place: Place) -> None:
    if not prepared.acts:
        console.say("up to date, nothing to do")
        return
    own_name = prepared.prefix.name == (place.name or prepared.spec.name) and not place.prefix
    conda = ["conda", "activate", prepared.prefix.name if own_name else str(prepared.prefix)]
    which = ["--prefix", str(place.prefix)] if place.prefix else ["--name", place.name] if place.name else [env or ""]
    without = ["envgen", "run", *filter(None, which), "--", "python"]
    console.say(f"done; activate with `{shlex.join(conda)}`, or without conda: `{shlex.join(without)}`")


def _result(prepared: PlannedCreate, *, done: bool) -> dict[str, Any]:
    plan, pruned = prepared.plan, prepared.pruned
    return {
        "environment": prepared.spec.name,
        "platform": str(prepared.pair.lock.platform),
        "prefix": str(prepared.prefix),
        "done": done,
        "download": {"files": len(plan.fetch), "bytes": plan.fetch_size if plan.sizes_known else None},
        "prepare": [_prepared(item) for item in plan.prepare],
        "link": [str(name) for name in plan.changes.link],
        "unlink": [have.dist for have in plan.changes.unlink],
        "unchanged": len(plan.changes.unchanged),
        "relink": [str(name) for name in plan.changes.relink],
        "relinks_known": plan.relinks_known,
        "damaged": {name: list(faults) for name, faults in prepared.damaged.items()},
        "modes": {path: f"{mode:o}" for path, mode in prepared.examined.drift.modes.items()},
        "variables": dict(prepared.variables),
        "kernel": prepared.kernel_change and str(prepared.kernel_change),
        "moved_from": prepared.examined.drift.moved_from,
        "foreign": [
            {"name": one.project, "version": one.version, "installer": one.installer, "removed": one in pruned}
            for one in prepared.examined.beside
        ],
    }


def _prepared(item: PlannedPackage) -> dict[str, str]:
    return {"name": str(item.wanted.name), "version": item.wanted.version, "work": str(item.work)}
