"""Arguments that several verbs share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from envgen.errors import UserError
from envgen.manifest.select import find_root, spec_files
from envgen.platforms import Platform

if TYPE_CHECKING:
    from collections.abc import Callable

    Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


class _PlatformType(click.Choice[str]):
    """A conda subdir, parsed."""

    def __init__(self) -> None:
        super().__init__([str(p) for p in Platform])

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return Platform(super().convert(value, param, ctx))


def _environments(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:  # noqa: ARG001  click's
    """Complete the name of an environment; a fault is no reason to disturb somebody who types."""
    try:
        return [path.stem for path in spec_files(find_root(Path.cwd())) if path.stem.startswith(incomplete)]
    except UserError:
        return []


def complete_packages(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:  # noqa: ARG001  click's
    """Complete the name of a locked package, in any environment of the project."""
    try:
        locks = sorted((find_root(Path.cwd()) / "locks").glob("*-lock.yml"))
        lines = [line for path in locks for line in path.read_text(encoding="utf-8").splitlines()]
    except (UserError, OSError, UnicodeDecodeError):
        return []
    found = {line.removeprefix("- name: ").strip("'") for line in lines if line.startswith("- name: ")}
    return sorted(name for name in found if name.startswith(incomplete))


env_argument = click.argument("env", required=False, shell_complete=_environments)
json_option = click.option("--json", "as_json", is_flag=True, help="Write JSON to standard output.")
prefix_option = click.option(
    "-p", "--prefix", type=click.Path(path_type=Path), help="The environment in this folder, wherever it is."
)
name_option = click.option("-n", "--name", help="The environment of this name.")


def platform_option(text: str) -> Decorator:
    """Make `--platform`, which can be given several times."""
    return click.option("--platform", "platforms", type=_PlatformType(), multiple=True, help=text)
