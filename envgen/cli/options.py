"""Arguments that several verbs share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

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


def _environments(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:  # noqa: ARG001  click's
    return [name for name in ops.environment_names(Path.cwd()) if name.startswith(incomplete)]


def complete_packages(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:  # noqa: ARG001  click's
    """Complete the name of a locked package, in any environment of the project."""
    return [name for name in ops.package_names(Path.cwd()) if name.startswith(incomplete)]


class _FirstName(click.Option):
    """An option that help shows by the first of its names; the others are what it was called before."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        record = super().get_help_record(ctx)
        return record and (self.opts[0], record[1])


env_argument = click.argument("env", required=False, shell_complete=_environments)
env_option = click.option(
    "-e",
    "--env",
    metavar="ENV",
    shell_complete=_environments,
    help="name of the spec; default: the only one, or the default one",
)
environments_argument = click.argument("envs", metavar="[ENV]...", nargs=-1, shell_complete=_environments)
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
    help="take files from what `envgen bundle` wrote, before anything is downloaded; may be repeated (ENVGEN_BUNDLE)",
)
prefix_option = click.option("-p", "--prefix", type=click.Path(path_type=Path), help="path of the environment")
name_option = click.option("-n", "--name", help="name of the environment")


def platform_option(text: str) -> Decorator:
    """Build the option `--platform`, which may be repeated."""
    return click.option("--platform", "platforms", type=PlatformType(), multiple=True, help=text)


def dry_run_option(text: str) -> Decorator:
    """Make `--dry-run`, which is `--plan` too."""
    return click.option("--dry-run", "--plan", "dry_run", is_flag=True, cls=_FirstName, help=text)
