"""Arguments that several verbs share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from envgen import ops
from envgen.platforms import Platform

if TYPE_CHECKING:
    from collections.abc import Callable

    Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


class PlatformType(click.Choice[str]):
    """A conda subdir, parsed."""

    def __init__(self) -> None:
        super().__init__([str(p) for p in Platform])

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the platform of a text."""
        return Platform(super().convert(value, param, ctx))


def complete_environments(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:  # noqa: ARG001  click's
    """Complete the name of an environment of the project."""
    return [name for name in ops.environment_names(_directory(ctx)) if name.startswith(incomplete)]


def complete_packages(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:  # noqa: ARG001  click's
    """Complete the name of a locked package, in any environment of the project."""
    return [name for name in ops.package_names(_directory(ctx)) if name.startswith(incomplete)]


def complete_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:  # noqa: ARG001  click's
    """Complete the name of an environment of this machine."""
    return [name for name in ops.machine_names(ctx.obj.environment) if name.startswith(incomplete)]


def complete_revisions(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG001  click's
    """Complete a git revision, also the second one of a range; files are completed by the shell."""
    first, dots, _ = incomplete.rpartition("..")
    names = (f"{first}{dots}{name}" for name in ops.revision_names(_directory(ctx), ctx.obj.environment))
    # the shells' own completion of paths: bash uses it where nothing else fits, and so it has to come first
    return [CompletionItem(incomplete, type="file"), *(CompletionItem(n) for n in names if n.startswith(incomplete))]


def complete_sides(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete what `diff` compares: a revision, a file, or an environment of this machine."""
    names = complete_names(ctx, param, incomplete)
    return [*complete_revisions(ctx, param, incomplete), *map(CompletionItem, names)]


def _directory(ctx: click.Context) -> Path:
    """Return where to look: the folder of `-C`, else the working directory."""
    found: Path | None = ctx.find_root().params.get("directory")
    return found or Path.cwd()


class _FirstName(click.Option):
    """An option that help shows by the first of its names; the others are what it was called before."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        record = super().get_help_record(ctx)
        return record and (self.opts[0], record[1])


def _remember(ctx: click.Context, param: click.Parameter, value: Any) -> Any:  # noqa: ARG001  click's
    """Store the environment that messages name in their commands: see `commands`."""
    one = value[0] if isinstance(value, tuple) and len(value) == 1 else value
    if isinstance(one, str) and ctx.obj is not None and not ctx.resilient_parsing:
        ctx.obj.environment_name = one
    return value


env_argument = click.argument("env", required=False, shell_complete=complete_environments, callback=_remember)
env_option = click.option(
    "-e",
    "--env",
    metavar="ENV",
    shell_complete=complete_environments,
    callback=_remember,
    help="name of the spec; default: the only one, or the default one",
)
environments_argument = click.argument(
    "envs", metavar="[ENV]...", nargs=-1, shell_complete=complete_environments, callback=_remember
)
no_build_option = click.option(
    "--no-build",
    is_flag=True,
    help="run no recipe script and no build of a source; refuse what was not built here",
)
no_check_option = click.option(
    "--no-check", is_flag=True, help="do not refuse packages that do not fit together (`envgen check`)"
)
json_option = click.option("--json", "as_json", is_flag=True, help="write JSON to standard output")
offline_option = click.option(
    "--offline", is_flag=True, help="use what is in the cache or in a bundle, and no network (ENVGEN_OFFLINE=1)"
)
bundle_option = click.option(
    "--bundle",
    "bundles",
    multiple=True,
    type=click.Path(path_type=Path),
    help="use files of this bundle, from `envgen bundle`, before any download; may be repeated (ENVGEN_BUNDLE)",
)
database_option = click.option(
    "--database",
    type=click.Path(path_type=Path),
    help="folder with an OSV database, as osv-scanner keeps it [default: $OSV_SCANNER_LOCAL_DB_CACHE_DIRECTORY]",
)
signature_option = click.option(
    "--require-signature",
    "required",
    metavar="PUB",
    multiple=True,
    type=click.Path(path_type=Path),
    help="refuse a lock that this public key has not signed; of several, one is enough (ENVGEN_REQUIRE_SIGNATURE)",
)
prefix_option = click.option("-p", "--prefix", type=click.Path(path_type=Path), help="path of the environment")
name_option = click.option("-n", "--name", shell_complete=complete_names, help="name of the environment")


def platform_option(text: str) -> Decorator:
    """Build the option `--platform`, which may be repeated."""
    return click.option("--platform", "platforms", type=PlatformType(), multiple=True, help=text)


def dry_run_option(text: str) -> Decorator:
    """Make `--dry-run`, which is `--plan` too."""
    return click.option("--dry-run", "--plan", "dry_run", is_flag=True, cls=_FirstName, help=text)
