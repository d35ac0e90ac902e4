"""`envgen completion`: what a shell evaluates to complete verbs, options, environments and packages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from click.shell_completion import get_completion_class

from envgen.cli.every_verb import examples
from envgen.errors import EnvgenError

if TYPE_CHECKING:
    from envgen.cli.console import Console

_SHELLS = ("bash", "zsh", "fish")
_VARIABLE = "_ENVGEN_COMPLETE"


@click.command(
    "completion",
    epilog=examples(
        'eval "$(envgen completion bash)"  # in ~/.bashrc',
        'eval "$(envgen completion zsh)"  # in ~/.zshrc',
        "envgen completion fish | source  # in config.fish",
    ),
)
@click.argument("shell", type=click.Choice(_SHELLS))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the completion script for SHELL."""
    found = get_completion_class(shell)
    if found is None:
        raise EnvgenError(f"no completion for `{shell}`")
    console: Console = ctx.obj
    console.verbatim(found(ctx.find_root().command, {}, "envgen", _VARIABLE).source())
