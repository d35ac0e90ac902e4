"""`envgen report`: one page about an environment, and a bound on its size."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from envgen import ops
from envgen.cli.every_verb import examples
from envgen.cli.options import PlatformType, complete_revisions, database_option, env_argument, json_option
from envgen.cli.sizes import counted, human_size
from envgen.errors import UsageError, UserError

if TYPE_CHECKING:
    from envgen.cli.console import Console
    from envgen.ops import Report, ReportedBudget
    from envgen.platforms import Platform


@click.command(
    "report",
    epilog=examples("envgen report train --output report.html", "envgen report --against origin/main --budget 5GB"),
)
@env_argument
@click.option("--platform", type=PlatformType(), help="whose lock; default: this machine's, else the spec's first")
@click.option(
    "-o", "--output", metavar="FILE.html", type=click.Path(dir_okay=False, path_type=Path), help="write the page here"
)
@click.option(
    "--against",
    metavar="REV",
    shell_complete=complete_revisions,
    help="show what differs from a git revision, a lock file or a folder of locks",
)
@click.option("--budget", metavar="SIZE", help="exit with 1 if all packages together are larger than this, such as 5GB")
@database_option
@json_option
@click.pass_obj
def command(
    console: Console,
    env: str | None,
    platform: Platform | None,
    output: Path | None,
    against: str | None,
    budget: str | None,
    database: Path | None,
    as_json: bool,
) -> None:
    """Write one page about the lock of ENV: sizes, layers, accelerator stack, licences, findings, advisories, changes.

    The page is a single file and loads nothing. Sizes are those of files in the cache, of downloads for packages that
    are not there; nothing is fetched or built.
    """
    if not (output or as_json or budget):
        raise UsageError("no output for the report", hint="add `--output FILE.html`, `--json` or `--budget SIZE`")
    options = ops.ReportOptions(
        env=env, platform=platform, output=output, against=against, budget=budget, database=database
    )
    found = ops.report(console.context(offline=True, no_build=True), options)
    if as_json:
        console.json(msgspec.to_builtins(found))
    _remarks(console, found)
    if output:
        console.say(f"wrote `{output}`: {_name(found)}, {_total(found)}")
    if found.budget:
        _judge(console, found.budget)


def _remarks(console: Console, report: Report) -> None:
    if report.lacking:
        console.say(
            f"{counted(len(report.lacking), 'package')} not in the cache: their downloads are counted; "
            f"`envgen create {report.environment}` fetches them"
        )
    if report.unsized:
        console.warn(f"{counted(len(report.unsized), 'package')} of unknown size, counted as 0: {_few(report.unsized)}")
    if report.image and report.image.why:
        console.say(f"image layers are shown as groups: {report.image.why}")
    if report.difference and not report.difference.had_lock:
        console.warn(f"`{report.difference.against}` has no lock of {_name(report)}: all packages are shown as new")
    if report.others:
        console.say(f"not in this report: {', '.join(report.others)} (`--platform`)")


def _name(report: Report) -> str:
    return f"{report.environment} for {report.platform}"


def _total(report: Report) -> str:
    return f"{human_size(report.size)} in {counted(len(report.packages), 'package')}"


def _few(names: tuple[str, ...]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")  # noqa: PLR2004


def _judge(console: Console, budget: ReportedBudget) -> None:
    """Raise where the budget is exceeded, and name what exceeds it."""
    if not budget.exceeded:
        console.say(f"budget: {human_size(budget.total)} of {human_size(budget.limit)}")
        return
    what = "grew most" if budget.is_growth else "are largest"
    sign = "+" if budget.is_growth else ""
    causes = ", ".join(f"{name} ({sign}{human_size(size)})" for name, size in budget.causes.items())
    raise UserError(
        f"{human_size(budget.total)} is more than the budget of {human_size(budget.limit)}; these {what}: {causes}",
        hint="run `envgen why NAME` to show what requires a package",
    )
