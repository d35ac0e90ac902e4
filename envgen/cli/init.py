"""`envgen init`: a new environment."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from envgen.cli.options import platform_option
from envgen.cli.questions import ask
from envgen.errors import UsageError
from envgen.manifest.document import BadValueError
from envgen.manifest.values import environment_name
from envgen.ops import init as ops
from envgen.system.host import detect

if TYPE_CHECKING:
    from pathlib import Path

    from envgen.cli.console import Console
    from envgen.platforms import Platform


@click.command("init", epilog='envgen init train --pypi "torch ==2.8.0" --pypi numpy --cuda 12.8')
@click.argument("name", required=False)
@click.option("--python", default="3.11", show_default=True, help="The minor version of Python.")
@platform_option("Lock this platform; give it several times for several. This machine's without.")
@click.option("--channel", "channels", multiple=True, help="A conda channel, strongest first.")
@click.option("--dependency", "dependencies", multiple=True, metavar="MATCHSPEC", help="A conda package.")
@click.option("--pypi", multiple=True, metavar="REQUIREMENT", help="A wheel, as pip would write it.")
@click.option("--cuda", metavar="VERSION", help="The newest CUDA that the machines' driver supports.")
@click.option("--from", "shipped", metavar="SPEC", help="Copy a spec that ships with envgen, such as pt28-accel.")
@click.pass_context
def command(
    ctx: click.Context,
    /,
    name: str | None,
    python: str,
    platforms: tuple[Platform, ...],
    channels: tuple[str, ...],
    dependencies: tuple[str, ...],
    pypi: tuple[str, ...],
    cuda: str | None,
    shipped: str | None,
) -> None:
    """Write the spec of a new environment; NAME is the folder's without. Without options a terminal is asked."""
    console: Console = ctx.obj
    wishes: ops.Wishes | None = None
    if shipped:
        if channels or dependencies or pypi or cuda or platforms:
            raise UsageError("--from copies a spec as it is", hint="edit the copy")
        file = ops.init_from(console.directory, name or shipped, template=shipped)
    elif _has_no_options(ctx) and sys.stdin.isatty():
        wishes = ask(name=name, folder=_named_like(console.directory), python=python, here=detect().platform)
        file = ops.init(console.directory, wishes, today=console.today)
    else:
        wishes = ops.Wishes(
            name=name or _need_name(console.directory),
            python=python,
            platforms=platforms or (detect().platform,),
            channels=channels,
            dependencies=dependencies,
            pypi=pypi,
            cuda=cuda,
        )
        file = ops.init(console.directory, wishes, today=console.today)
    if wishes and wishes.added_channel:
        what = f"Python {wishes.python} for {' and '.join(wishes.platforms)}"
        console.say(f"added the channel {wishes.added_channel}: nothing else has {what}")
    console.say(f"wrote {file.relative_to(console.directory)}; next: `envgen lock`, then `envgen create`")
    console.say("in a git repository, `envgen merge-lock --install` lets branches merge their locks")


def _named_like(directory: Path) -> str | None:
    """Take the name of a folder for one of an environment, if it can be one."""
    try:
        return environment_name(directory.name)
    except BadValueError:
        return None


def _need_name(directory: Path) -> str:
    if found := _named_like(directory):
        return found
    raise UsageError(
        f"the folder's name, {directory.name!r}, cannot be the name of an environment",
        hint="give a NAME: `envgen init NAME`",
    )


def _has_no_options(ctx: click.Context) -> bool:
    options = (parameter.name for parameter in ctx.command.params if isinstance(parameter, click.Option))
    return all(ctx.get_parameter_source(name) is ParameterSource.DEFAULT for name in options if name)
