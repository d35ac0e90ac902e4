"""The group of commands: finds the verb, and turns every error into a message and an exit code."""

from __future__ import annotations

import datetime as dt
import importlib
import os
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from envgen import __version__
from envgen.cli import interrupt
from envgen.errors import EnvgenError, UsageError, UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

_VERBS = {
    "init": "write the spec of a new environment",
    "lock": "resolve specs and write locks",
    "merge-lock": "settle locks that two branches changed (git's merge driver)",
    "create": "make the environment of a lock on this machine",
    "run": "run a command inside an environment",
    "shell-hook": "print what a shell evaluates to activate an environment",
    "list": "list what is locked",
    "tree": "show what needs what in the locks",
    "why": "say why a package is locked, in the words of the spec",
    "diff": "say what differs between two revisions, files or environments",
    "export": "write a lock in another tool's format, or as an SBOM",
    "licenses": "list the licences of what is locked, and check them against the spec",
    "doctor": "look at this machine, and say what it means for a lock",
    "image": "write an OCI image of an environment",
    "build": "write archives of everything that was built or converted into the local channel",
    "completion": "print the completion script of a shell",
    "clean": "show the cache and remove what is old",
}


class _LazyGroup(click.Group):
    """Imports a verb's module only when that verb runs: `envgen --help` must not load the solver."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(_VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _VERBS:
            return None
        module = importlib.import_module(f"envgen.cli.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        interrupt.current().working = True
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb; of an unknown one say which is near.

        Raises:
            UsageError: there is no such verb.
        """
        if args[0] not in _VERBS and not args[0].startswith("-"):
            from envgen.suggest import nearest  # noqa: PLC0415  takes 80 ms

            raise UsageError(
                f"there is no command `{args[0]}`", hint=nearest(args[0], _VERBS) or "`envgen --help` lists them"
            )
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete verbs without importing any."""
        verbs = [CompletionItem(name, help=text) for name, text in _VERBS.items() if name.startswith(incomplete)]
        return [*verbs, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(list(_VERBS.items()))


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="envgen")
@click.option(
    "-C", "--directory", type=click.Path(file_okay=False, exists=True, path_type=Path), help="Act as if started there."
)
@click.pass_context
def _envgen(ctx: click.Context, directory: Path | None) -> None:
    """Reproducible environments for accelerated machine learning.

    One spec (environments/*.yaml) becomes a lock for each platform (locks/), and a lock becomes a conda
    environment: `envgen lock && envgen create`.
    """
    environment = dict(os.environ)
    _settle_home()
    from envgen.cli.console import Console  # noqa: PLC0415  with what it imports it takes 150 ms, which `--help` can spare

    ctx.obj = Console(
        environment=environment,
        directory=(directory or _working_directory()).absolute(),
        now=dt.datetime.now(dt.UTC),
    )


def _settle_home() -> None:
    """Give libraries a home directory to name where the user has none: some of them cannot be imported without.

    They use no folder in it: every cache is put below our own. What is started for the user gets `HOME` as it was.
    """
    if not os.environ.get("HOME", "").startswith("/"):
        from envgen.system.home import find_home  # noqa: PLC0415

        os.environ["HOME"] = str(find_home({}, os.getuid()))


def _working_directory() -> Path:
    """Return the working directory.

    Raises:
        UserError: it was removed.
    """
    try:
        return Path.cwd()
    except FileNotFoundError as error:
        raise UserError("the working directory was removed", hint="change to another one, or give -C") from error


def invoke(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    try:
        _envgen.main(args=argv, prog_name="envgen", standalone_mode=False)
    except click.exceptions.Exit as leave:
        return leave.exit_code
    except KeyboardInterrupt:
        return _failed(click.Abort())
    except BaseException as error:  # the last door: a bug must still end with its exit code
        if interrupt.current().seen:  # whatever became of it on the way through the libraries
            return _failed(click.Abort())
        if not isinstance(error, Exception):
            raise
        return _failed(error)
    return 0


def _failed(error: Exception) -> int:
    """Say what went wrong, and return the exit code that goes with it."""
    match error:
        case EnvgenError():
            _complain(error)
            return error.exit_code
        case click.ClickException():
            error.show()
            return error.exit_code
        case click.Abort():
            interrupt.current().told = True
            click.echo(interrupt.TOLD, err=True)
            return interrupt.INTERRUPTED
        case BrokenPipeError():
            # the reader of our output left (`envgen list | head`): nothing to say, and nowhere to say it
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        case _:
            traceback.print_exception(error)
            click.echo("error: this is a bug in envgen; please report it with the lines above", err=True)
            return EnvgenError.exit_code


def _complain(error: EnvgenError) -> None:
    click.echo(f"{click.style('error', fg='red', bold=True)}: {error}", err=True)
    if error.hint:
        click.echo(f"{click.style('hint', fg='cyan', bold=True)}: {error.hint}", err=True)
