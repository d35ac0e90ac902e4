"""`envgen init`: a new environment."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from envgen import ops
from envgen.cli.adopted_text import tell_adopted
from envgen.cli.every_verb import examples
from envgen.cli.options import json_option, platform_option
from envgen.cli.questions import ask
from envgen.errors import UsageError
from envgen.pythons import DEFAULT

if TYPE_CHECKING:
    from envgen.cli.console import Console
    from envgen.platforms import Platform


@click.command(
    "init", epilog=examples('envgen init train --pypi "torch ==2.8.0" --cuda 12.8', "envgen init --from uv.lock --keep")
)
@click.argument("name", required=False)
@click.option("--python", default=DEFAULT, show_default=True, help="minor version of Python")
@platform_option("lock this platform; may be repeated; default: this machine's")
@click.option("--channel", "channels", multiple=True, help="conda channel, highest priority first; may be repeated")
@click.option("--dependency", "dependencies", multiple=True, metavar="MATCHSPEC", help="conda package; may be repeated")
@click.option("--pypi", multiple=True, metavar="REQUIREMENT", help="wheel, as a pip requirement; may be repeated")
@click.option("--cuda", metavar="VERSION", help="newest CUDA version that the driver of the target machines supports")
@click.option(
    "--from",
    "origin",
    metavar="FILE|SPEC",
    help="take over a file of another tool, such as requirements.txt or uv.lock, or copy a spec that ships: pt28-accel",
)
@click.option(
    "--keep", is_flag=True, help="with --from FILE: lock at once, with the versions of FILE or of the lock beside it"
)
@click.option(
    "--group", "groups", multiple=True, help="with --from FILE: take over this extra or dependency group, too"
)
@click.option(
    "--schema", is_flag=True, help="also write environments/schema.json, with which editors complete and check the spec"
)
@json_option
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
    origin: str | None,
    keep: bool,
    groups: tuple[str, ...],
    schema: bool,
    as_json: bool,
) -> None:
    """Write the spec of a new environment.

    NAME defaults to the name of the folder. Without options, asks on a terminal. --from FILE shows what becomes of each
    line of the file.
    """
    console: Console = ctx.obj
    directory = console.directory
    if origin and ops.is_adoptable(origin, directory):
        chosen = python if ctx.get_parameter_source("python") is not ParameterSource.DEFAULT else None
        wanted = ops.AdoptOptions(
            file=directory / origin,
            name=name,
            python=chosen,
            platforms=platforms,
            channels=channels,
            dependencies=dependencies,
            pypi=pypi,
            cuda=cuda,
            groups=groups,
            keep=keep,
            schema=schema,
        )
        tell_adopted(console, ops.adopt(console.context(anywhere=True), wanted, directory), as_json=as_json)
        return
    if keep or groups or as_json:
        raise UsageError(
            "`--keep`, `--group` and `--json` need a file of another tool", hint="name it: `--from requirements.txt`"
        )
    options = ops.InitOptions(
        name=name,
        python=python,
        platforms=platforms,
        channels=channels,
        dependencies=dependencies,
        pypi=pypi,
        cuda=cuda,
        template=origin,
        schema=schema,
    )
    if _has_no_options(ctx) and sys.stdin.isatty():
        options = ask(options, defaults=ops.init_defaults(directory))
    made = ops.init(directory, options, today=console.today)
    if made.schema:
        console.say(f"wrote {made.schema}; `envgen schema` prints it again after an update of envgen")
    if made.spec and made.spec.added_channel:
        what = f"Python {made.spec.python} for {' and '.join(made.spec.platforms)}"
        console.say(f"added the channel {made.spec.added_channel}: no other source has {what}")
    if made.spec and (glibc := made.spec.needed_glibc):
        console.say(f"Python {made.spec.python} comes from Debian and needs glibc {glibc} or newer")
    steps = console.in_full("next: `envgen lock`, then `envgen create`", made.file.stem)
    console.say(f"wrote {made.file.relative_to(directory)}; {steps}")
    console.say("in a git repository, `envgen merge-lock --install` lets branches merge their locks")


def _has_no_options(ctx: click.Context) -> bool:
    options = (parameter.name for parameter in ctx.command.params if isinstance(parameter, click.Option))
    return all(
        ctx.get_parameter_source(name) is ParameterSource.DEFAULT for name in options if name not in {None, "schema"}
    )
