"""`envgen bundle`: locks, and every file that they need, as one file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from envgen import ops
from envgen.cli.every_verb import examples
from envgen.cli.options import (
    bundle_option,
    complete_revisions,
    environments_argument,
    json_option,
    no_build_option,
    no_check_option,
    offline_option,
    platform_option,
)
from envgen.cli.sizes import counted, human_size

if TYPE_CHECKING:
    from pathlib import Path

    from envgen.cli.console import Console
    from envgen.ops import BundlePlan, BundleResult
    from envgen.platforms import Platform

_SHOWN = 5
"""Files that are named before the download; the rest are counted."""

_EXAMPLE = examples(
    "envgen bundle --output demo.tar",
    "# on a machine without a network, with this Python:",
    "tar -xf demo.tar start.py && python3 start.py demo.tar",
)


@click.command("bundle", epilog=_EXAMPLE)
@environments_argument
@platform_option("bundle the lock of this platform; may be repeated; default: this machine's")
@click.option("--image", is_flag=True, help="also bundle the image of each environment, and its SBOM")
@click.option(
    "-o",
    "--output",
    metavar="FILE|DIR",
    help="tar to write, or a folder with a slash at its end; default: `dist/ENV.bundle.tar`",
)
@click.option(
    "--since",
    metavar="REV|LOCK",
    shell_complete=complete_revisions,
    help="leave out the files that the lock of this git revision, or this lock, needs",
)
@click.option(
    "--tool-python",
    "tool_pythons",
    metavar="MINOR",
    multiple=True,
    help="minor version of Python to bundle envgen itself for; may be repeated; default: the one that runs envgen",
)
@click.option("--no-tools", is_flag=True, help="leave envgen itself out")
@click.option("--push", metavar="REGISTRY/NAME:TAG", help="push the bundle to a registry")
@click.option("--sign", metavar="KEY", help="sign the bundle, and what is pushed; see `envgen sign`")
@click.option("--frozen", is_flag=True, help="use locks as they are, even if they are out of date")
@no_build_option
@no_check_option
@offline_option
@bundle_option
@json_option
@click.pass_obj
def command(
    console: Console,
    envs: tuple[str, ...],
    platforms: tuple[Platform, ...],
    image: bool,
    output: str | None,
    since: str | None,
    tool_pythons: tuple[str, ...],
    no_tools: bool,
    push: str | None,
    sign: str | None,
    frozen: bool,
    no_build: bool,
    no_check: bool,
    offline: bool,
    bundles: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Write the locks of environments, and every file that they need, as one tar that is an OCI layout.

    With it, a machine that has only Python gets to `envgen create` and `envgen image` without a network.
    """
    options = ops.BundleOptions(
        envs=envs,
        platforms=platforms,
        image=image,
        output=output,
        since=since,
        tool_pythons=tool_pythons,
        with_tools=not no_tools,
        push=push,
        sign=sign,
        check=not no_check,
        frozen=frozen,
    )
    context = console.context(no_build=no_build, offline=offline, bundles=bundles)
    done = ops.bundle(context, options, on_plan=None if as_json else lambda plan: _show_plan(console, plan))
    if as_json:
        console.json(_result(done))
        return
    for name, (files, size) in done.artifacts.items():
        console.say(f"  {name}: {counted(files, 'file')}, {human_size(size)}")
    console.say(f"{human_size(done.size)} in {done.path or done.reference}")
    console.data(f"sha256:{done.digest}")


def _show_plan(console: Console, plan: BundlePlan) -> None:
    console.say(f"bundling {', '.join(plan.locks)}")
    if not plan.missing:
        return
    total = human_size(sum(one.size or 0 for one in plan.missing))
    about = "" if all(one.size is not None for one in plan.missing) else "at least "
    console.say(f"  {counted(len(plan.missing), 'file')} to download first, {about}{total}")
    for one in sorted(plan.missing, key=lambda one: -(one.size or 0))[:_SHOWN]:
        console.say(f"    {human_size(one.size or 0):>9}  {one.filename}")


def _result(done: BundleResult) -> dict[str, Any]:
    return {
        "path": str(done.path) if done.path else None,
        "digest": f"sha256:{done.digest}",
        "bytes": done.size,
        "artifacts": [{"name": n, "files": files, "bytes": size} for n, (files, size) in done.artifacts.items()],
        "pushed": done.reference,
    }
