"""The group of commands: finds the verb, and turns every error into a message and an exit code."""

from __future__ import annotations

import datetime as dt
import itertools
import json
import os
import re
import sys
import traceback
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click
from click.shell_completion import CompletionItem
from msgspec import Struct, field

from envgen import __version__
from envgen.cli import every_verb, interrupt, styles
from envgen.cli.commands import load
from envgen.errors import EnvgenError, SpecError, UsageError, UserError
from envgen.printable import in_json, message, one_line, visible
from envgen.urls import without_secrets_in

if TYPE_CHECKING:
    from collections.abc import Sequence

    from envgen.cli.console import Console

_GROUPS = {
    "Make": {
        "init": "write the spec of a new environment",
        "lock": "resolve specs and write locks",
        "create": "create the environment of a lock on this machine",
        "run": "run a command inside an environment",
        "shell-hook": "print shell code that activates an environment",
        "image": "write an OCI image of an environment",
        "build": "write conda archives of wheels and recipes into a channel",
    },
    "Look": {
        "list": "list the locked packages",
        "tree": "show the dependency tree of the locks",
        "why": "show which requirements of the spec lead to a package",
        "diff": "show what differs between two revisions, files or environments",
        "outdated": "list what could be newer, and what holds it back",
        "report": "write one page about an environment, and check it against a budget",
        "env": "list, remove and rename the environments of this machine",
        "doctor": "check whether this machine fits a lock",
        "schema": "print the JSON Schema of a spec or recipe, for editors",
        "completion": "print the completion script for a shell",
    },
    "Change": {
        "add": "add requirements to a spec, and lock it",
        "remove": "remove requirements from a spec, and lock it",
        "merge-lock": "resolve locks that two branches changed (git merge driver)",
        "clean": "show the cache, and remove from it",
    },
    "Hand over": {
        "export": "write a lock in another tool's format, or as an SBOM",
        "bundle": "write locks and all their files into one file, for machines without a network",
        "publish": "publish what was built or converted to a channel",
    },
    "Prove": {
        "check": "check whether the locked packages fit together",
        "verify": "compare an environment, image, bundle or channel with the locks",
        "sign": "sign an image in a registry",
        "audit": "list known vulnerabilities of locked packages",
        "licenses": "list the licences of locked packages, and check them against the spec",
    },
}
"""The verbs as `--help` shows them, by what they are for."""

_QUOTED = re.compile(r"'([^']*)'")
"""A name or value in a message of click, which we put between backticks."""

_VERBS = {verb: text for group in _GROUPS.values() for verb, text in group.items()}


class _ReaderLeftError(Exception):
    """Nobody reads standard output any more."""


class _LazyGroup(click.Group):
    """Imports a verb's module only when that verb runs: `envgen --help` must not load the solver."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(_VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  click's
        if cmd_name not in _VERBS:
            return None
        command = every_verb.add_options(load(cmd_name))
        interrupt.current().working = True
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command of a verb, or raise with the nearest verb.

        Raises:
            UsageError: there is no such verb.
        """
        if args[0] not in _VERBS and not args[0].startswith("-"):
            from envgen.suggest import nearest  # noqa: PLC0415  takes 80 ms

            raise UsageError(
                f"unknown command `{args[0]}`",
                hint=nearest(args[0], _VERBS) or "run `envgen --help` for the list of commands",
            )
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the verb; click would end with exit code 1 where the reader of its output left."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise _ReaderLeftError from error

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete verbs without importing any."""
        verbs = [CompletionItem(name, help=text) for name, text in _VERBS.items() if name.startswith(incomplete)]
        return [*verbs, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        widest = max(map(len, _VERBS))
        for title, verbs in _GROUPS.items():
            with formatter.section(title):
                formatter.write_dl([(verb.ljust(widest), text) for verb, text in verbs.items()])


@click.group(cls=_LazyGroup)
@click.version_option(__version__, "-V", "--version", prog_name="envgen", help="show the version and exit")
@click.option(
    "-C",
    "--directory",
    type=click.Path(file_okay=False, exists=True, path_type=Path),
    help="run as if started in this folder",
)
@click.pass_context
def _envgen(ctx: click.Context, directory: Path | None) -> None:
    """Reproducible environments for accelerated machine learning.

    One spec (environments/*.yaml) becomes a lock for each platform (locks/), and a lock becomes a conda
    environment: `envgen lock && envgen create`.
    """
    invocation = ctx.obj if isinstance(ctx.obj, _Invocation) else _Invocation()
    _settle_home()
    from envgen.cli.console import Console  # noqa: PLC0415  with what it imports it takes 150 ms, which `--help` can spare
    from envgen.system.os_faults import tight_memory  # noqa: PLC0415  as above

    ctx.obj = invocation.console = Console(
        environment=invocation.environment,
        directory=directory.resolve() if directory else _working_directory(),  # `..` must not lead back to where we are
        now=dt.datetime.now(dt.UTC),
        verbosity=partial(every_verb.chosen, ctx.meta),  # those of the verb are read after this
    )
    if note := tight_memory():
        invocation.console.warn(note)


every_verb.add_options(_envgen)


class _Invocation(Struct):
    """One run of the command line: `as_json` whether its data is to be JSON, `console` once there is one.

    `environment` are the variables of the process; completion, which has no console, finds them here.
    """

    as_json: bool = False
    environment: dict[str, str] = field(default_factory=lambda: dict(os.environ))
    console: Console | None = None

    @classmethod
    def of(cls, argv: Sequence[str]) -> _Invocation:
        """Return whether `--json` is among the options; what follows `--` belongs to another program."""
        return cls(as_json="--json" in itertools.takewhile(lambda word: word != "--", argv))

    def in_full(self, text: str, error: EnvgenError) -> str:
        """Complete the commands of a message or a hint."""
        return self.console.in_full(text, error.environment) if self.console else text

    def tell(self, error: EnvgenError) -> None:
        """Write an error as JSON to standard output, unless data is there already: it is one document in any case."""
        if self.as_json and not (self.console and self.console.has_written):
            hint = error.hint and self.in_full(error.hint, error)
            facts = {"message": self.in_full(error.message, error), "hint": hint, "code": error.exit_code}
            text = json.dumps({"error": facts}, indent=2, ensure_ascii=False)
            sys.stdout.write(in_json(without_secrets_in(text)) + "\n")


def _settle_home() -> None:
    """Set `HOME` for libraries where the user has no home directory: some of them cannot be imported without.

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
        raise UserError("the working directory was removed", hint="change to another one, or use -C") from error


def invoke(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    invocation = _Invocation.of(sys.argv[1:] if argv is None else argv)
    try:
        _envgen.main(args=argv, prog_name="envgen", standalone_mode=False, obj=invocation)
    except click.exceptions.Exit as leave:
        return leave.exit_code
    except click.exceptions.NoArgsIsHelpError as bare:
        click.echo(bare.format_message(), err=True)
        if bare.ctx and bare.ctx.parent is None:
            _tell_next_step(invocation)
        return UsageError.exit_code
    except KeyboardInterrupt:
        return _failed(click.Abort())
    except BaseException as error:  # the last door: a bug must still end with its exit code
        if interrupt.current().seen:  # whatever became of it on the way through the libraries
            return _failed(click.Abort())
        if isinstance(error, SystemExit | GeneratorExit):
            raise
        return _failed(error, invocation)  # a panic in Rust code is no `Exception`
    finally:
        if invocation.console:
            invocation.console.end()
    return 0


def _tell_next_step(invocation: _Invocation) -> None:
    """Print how to start a project where there is none, after the help that `envgen` alone prints."""
    from envgen import ops  # noqa: PLC0415  `--help` can spare what this imports

    if not ops.environment_names(_working_directory()):
        click.echo(err=True)
        _tell("hint", "there is no environment here yet: start with `envgen init`", invocation)


def _failed(error: BaseException, invocation: _Invocation | None = None) -> int:
    """Print the error, and return its exit code."""
    match found := _meant(error):
        case EnvgenError():
            invocation = invocation or _Invocation()
            invocation.tell(found)
            _complain(found, invocation)
            return found.exit_code
        case click.Abort():
            interrupt.current().told = True
            click.echo(interrupt.TOLD, err=True)
            return interrupt.INTERRUPTED
        case BrokenPipeError() | _ReaderLeftError():
            # the reader of our output left (`envgen list | head`): nothing to say, and nowhere to say it
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        case _:
            click.echo(visible(without_secrets_in("".join(traceback.format_exception(found)))), err=True)
            click.echo("error: internal error: please report it with the lines above", err=True)
            return EnvgenError.exit_code


def _meant(error: BaseException) -> BaseException:
    """Return an error as envgen words it: what click found, and what the machine refused."""
    from envgen.system.os_faults import refusal  # noqa: PLC0415  only where something went wrong

    match error:
        case click.ClickException():
            return _own_error(error)
        case click.Abort(__cause__=EOFError() as ending):
            return ending  # click takes any that it meets for Ctrl-D; one that we raise is a fault
    return refusal(error) or error


def _own_error(error: click.ClickException) -> UsageError:
    """Return what click found wrong with the command line as an error of envgen, worded as its others are."""
    from envgen.suggest import nearest  # noqa: PLC0415  see `resolve_command`

    text = _QUOTED.sub(r"`\1`", " ".join(error.format_message().split()).replace(". Choose from: ", ", one of "))
    context = error.ctx if isinstance(error, click.UsageError) else None
    hint = f"run `{context.command_path} --help` for the usage" if context else None
    if isinstance(error, click.NoSuchOption):
        text = f"no such option `{error.option_name}`"
        hint = nearest(error.option_name, error.possibilities or ()) or hint
    elif " is not one of " in text:
        _, given, *known = re.findall(r"`([^`]*)`", text)
        hint = nearest(given, known, cutoff=0.6) or hint
    return UsageError(text[:1].lower() + text[1:].rstrip("."), hint=hint)


def _complain(error: EnvgenError, invocation: _Invocation) -> None:
    said = (
        "\n".join(one_line(without_secrets_in(str(fault))) for fault in error.faults)
        if isinstance(error, SpecError)
        else message(invocation.in_full(str(error), error))
    )
    _tell("error", said, invocation)
    if error.hint:
        _tell("hint", message(invocation.in_full(error.hint, error)), invocation)


def _tell(kind: Literal["error", "hint"], text: str, invocation: _Invocation) -> None:
    label = click.style(kind, fg="red" if kind == "error" else "cyan", bold=True)
    click.echo(f"{label}: {text}", err=True, color=None if styles.are_wanted(invocation.environment) else False)
