"""What `envgen` and each of its verbs have: the options `-v`, `-q` and `-h`, and examples in the help."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Any

import click

from envgen.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

_CHOSEN = f"{__name__}.chosen"


class Verbosity(IntEnum):
    """How much is told on standard error beside warnings and errors."""

    QUIET = 0
    """Only which code of recipes and sources runs: no notes and no progress."""
    NORMAL = 1
    VERBOSE = 2
    """Also what was asked, found in the cache, and decided."""


def chosen(meta: Mapping[str, Any]) -> Verbosity:
    """Return what the options that were read until now say; `meta` is that of a context of click."""
    found: Verbosity = meta.get(_CHOSEN, Verbosity.NORMAL)
    return found


def examples(*lines: str, remark: str = "") -> str:
    """Build the end of the help of a verb: a remark, and lines as they are typed."""
    shown = "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)
    return f"{remark}\n\n{shown}" if remark else shown


def add_options(command: click.Command) -> click.Command:
    """Add them to a command and to those below it, once; return the command."""
    command.params += [option for option in _OPTIONS if option not in command.params]
    if isinstance(command, click.Group):
        for below in command.commands.values():
            add_options(below)
    return command


def _choose(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    """Store an option for this run; click shares `meta` between the contexts of `envgen` and of the verb."""
    if not value:
        return
    found = Verbosity[str(param.name).upper()]
    if ctx.meta.setdefault(_CHOSEN, found) is not found:
        raise UsageError("`--verbose` and `--quiet` cannot be combined", hint="remove one of them")


def _option(letter: str, found: Verbosity, text: str) -> click.Option:
    names = (f"-{letter}", f"--{found.name.lower()}")
    return click.Option(names, is_flag=True, expose_value=False, callback=_choose, help=text)


def _show_help(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        click.echo(ctx.get_help(), color=ctx.color)
        ctx.exit()


_OPTIONS = (
    _option("v", Verbosity.VERBOSE, "also show what was asked, found in the cache, and decided"),
    _option("q", Verbosity.QUIET, "show no notes and no progress; warnings and errors stay"),
    click.Option(
        ("-h", "--help"),
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=_show_help,
        help="show this help and exit",
    ),
)
