"""`envgen run`: a command inside an environment, on machines with and without conda."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from envgen import ops
from envgen.cli.every_verb import examples
from envgen.cli.options import env_argument, name_option, prefix_option
from envgen.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from envgen.cli.console import Console

_COMMAND = f"{__name__}.command"


class _WithCommand(click.Command):
    """Takes what follows `--` away before options are read; without `--` the first word that is no option begins it."""

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """Show the command, which is no argument of click's, in the line of usage."""
        return [*super().collect_usage_pieces(ctx), "--", "COMMAND", "[ARGS]..."]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Split the arguments, and read the first part."""
        own, rest = (args[: args.index("--")], args[args.index("--") + 1 :]) if "--" in args else _split(args)
        ctx.meta[_COMMAND] = tuple(rest)
        return super().parse_args(ctx, own)


def _split(args: list[str]) -> tuple[list[str], list[str]]:
    own: list[str] = []
    rest = list(args)
    while rest and rest[0].startswith("-"):
        own.append(rest.pop(0))
        if own[-1] in ("-n", "--name", "-p", "--prefix") and rest:
            own.append(rest.pop(0))
    return own, rest


@click.command(
    "run",
    cls=_WithCommand,
    options_metavar="[OPTIONS]",
    epilog=examples(
        "envgen run -- python train.py",
        "envgen run train -- pytest -q",
        remark="ENV defaults to the only or default environment of the project; then `--` may be omitted. The exit "
        "code is that of COMMAND, or 127 if the program is not found.",
    ),
)
@env_argument
@name_option
@prefix_option
@click.pass_context
def command(click_context: click.Context, env: str | None, name: str | None, prefix: Path | None) -> None:
    """Run a command in an environment: envgen run [ENV] -- python train.py."""
    console: Console = click_context.obj
    argv = click_context.meta[_COMMAND]
    if not argv:
        raise UsageError("missing COMMAND", hint="for example: `envgen run -- python train.py`")
    place = ops.Place(name=name, prefix=prefix)
    ops.run(console.context(anywhere=place.is_given), env=env, place=place, argv=argv)
