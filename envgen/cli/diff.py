"""`envgen diff`: what a change does to the locks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from envgen import ops
from envgen.cli import diff_text
from envgen.cli.diff_json import comparison_json
from envgen.cli.every_verb import examples
from envgen.cli.options import complete_environments, complete_sides, json_option, platform_option
from envgen.errors import UsageError

if TYPE_CHECKING:
    from envgen.cli.console import Console
    from envgen.platforms import Platform


@click.command(
    "diff",
    epilog=examples(
        "envgen diff main",
        "envgen diff v1..v2 --markdown",
        "envgen diff ~/.conda/envs/train",
        remark="OLD defaults to HEAD and NEW to the working tree. An environment is named or given by its path, and "
        "counts with what pip did to it.",
    ),
)
@click.argument("old", required=False, shell_complete=complete_sides)
@click.argument("new", required=False, shell_complete=complete_sides)
@click.option("--env", metavar="ENV", shell_complete=complete_environments, help="this environment only")
@platform_option("this platform only; may be repeated")
@click.option("--markdown", "as_markdown", is_flag=True, help="write Markdown, for a comment on a pull request")
@json_option
@click.pass_obj
def command(
    console: Console,
    old: str | None,
    new: str | None,
    env: str | None,
    platforms: tuple[Platform, ...],
    as_markdown: bool,
    as_json: bool,
) -> None:
    """Show what differs between two states: git revisions, lock files, or environments on disk."""
    if as_markdown and as_json:
        raise UsageError("`--markdown` and `--json` cannot be combined", hint="remove one of them")
    options = ops.DiffOptions(old=old, new=new, env=env, platforms=platforms)
    comparison = ops.diff(console.context(anywhere=new is not None), options)
    if as_json:
        console.json(comparison_json(comparison))
        return
    write = diff_text.markdown if as_markdown else diff_text.terminal
    console.lines(write(comparison))
