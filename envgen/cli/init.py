"""`envgen init`: a new environment."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from envgen import ops
from envgen.cli.options import platform_option
from envgen.cli.questions import ask

if TYPE_CHECKING:
    from envgen.cli.console import Console
    from envgen.platforms import Platform


@click.command("init", epilog='envgen init train --pypi "torch ==2.8.0" --pypi numpy --cuda 12.8')
@click.argument("name", required=False)
@click.option("--python", default="3.11", show_default=True, help="minor version of Python")
@platform_option("lock this platform; may be repeated; default: this machine's")
@click.option("--channel", "channels", multiple=True, help="conda channel, highest priority first; may be repeated")
@click.option("--dependency", "dependencies", multiple=True, metavar="MATCHSPEC", help="conda package; may be repeated")
@click.option("--pypi", multiple=True, metavar="REQUIREMENT", help="wheel, as a pip requirement; may be repeated")
@click.option("--cuda", metavar="VERSION", help="newest CUDA version that the driver of the target machines supports")
@click.option("--from", "shipped", metavar="SPEC", help="copy a spec that ships with envgen, such as pt28-accel")
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
    """Write the spec of a new environment.

    NAME defaults to the name of the folder. Without options, asks on a terminal.
    """
    console: Console = ctx.obj
    directory = console.directory
    options = ops.InitOptions(
        name=name,
        python=python,
        platforms=platforms,
        channels=channels,
        dependencies=dependencies,
        pypi=pypi,
        cuda=cuda,
        template=shipped,
    )
    if _has_no_options(ctx) and sys.stdin.isatty():
        options = ask(options, defaults=ops.init_defaults(directory))
    made = ops.init(directory, options, today=console.today)
    if made.spec and made.spec.added_channel:
        what = f"Python {made.spec.python} for {' and '.join(made.spec.platforms)}"
        console.say(f"added the channel {made.spec.added_channel}: no other source has {what}")
    console.say(f"wrote {made.file.relative_to(directory)}; next: `envgen lock`, then `envgen create`")
    console.say("in a git repository, `envgen merge-lock --install` lets branches merge their locks")


def _has_no_options(ctx: click.Context) -> bool:
    options = (parameter.name for parameter in ctx.command.params if isinstance(parameter, click.Option))
    return all(ctx.get_parameter_source(name) is ParameterSource.DEFAULT for name in options if name)
