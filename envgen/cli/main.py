"""The `envgen` command: finds the verb, and turns every error into a message and an exit code."""

from __future__ import annotations

import datetime as dt
import importlib
import os
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click
from click.shell_completion import CompletionItem

from envgen import __version__
from envgen.cli.console import Console
from envgen.errors import EnvgenError, UsageError
from envgen.suggest import nearest

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
_INTERRUPTED = 130  # 128 + SIGINT, as shells report it
_GRACE = 0.5
"""Seconds that threads have to end after a failure."""


class _LazyGroup(click.Group):
    """Imports a verb's module only when that verb runs: `envgen --help` must not load the solver."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(_VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _VERBS:
            return None
        module = importlib.import_module(f"envgen.cli.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb; of an unknown one say which is near.

        Raises:
            UsageError: there is no such verb.
        """
        if args[0] not in _VERBS and not args[0].startswith("-"):
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
    ctx.obj = Console(
        environment=dict(os.environ),
        directory=(directory or Path.cwd()).absolute(),
        now=dt.datetime.now(dt.UTC),
    )


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and leave with an exit code of the table in `envgen.errors`."""
    code = run(argv)
    try:
        if code:
            _leave_threads_behind(code)
    except KeyboardInterrupt:  # a second one, from somebody who does not want to wait at all
        os._exit(code)
    sys.exit(code)


def run(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    try:
        _envgen.main(args=argv, prog_name="envgen", standalone_mode=False)
    except click.exceptions.Exit as leave:
        return leave.exit_code
    except Exception as error:  # noqa: BLE001 - the last door: a bug must still end with its exit code
        return _failed(error)
    except KeyboardInterrupt:
        return _failed(click.Abort())
    return 0


def _leave_threads_behind(code: int) -> None:
    """End at once where a thread still waits, say for a server: the interpreter would wait for the thread.

    Whatever lands in the store or an environment lands by rename, so nothing half done bears a real name.
    """
    until = time.monotonic() + _GRACE
    others = [t for t in threading.enumerate() if not t.daemon and t is not threading.current_thread()]
    for thread in others:
        thread.join(max(0.0, until - time.monotonic()))
    if any(thread.is_alive() for thread in others):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


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
            click.echo("interrupted; run the same command again to go on", err=True)
            return _INTERRUPTED
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
