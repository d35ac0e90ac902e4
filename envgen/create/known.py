"""The environments of this machine that conda and envgen can find: in conda's folders, and in `environments.txt`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envgen.create.place import conda_settings
from envgen.create.register import registered, unregister
from envgen.errors import UserError
from envgen.prefix.inventory import is_environment
from envgen.prefix.origin import is_own

if TYPE_CHECKING:
    from pathlib import Path

    from envgen.project.context import Context


def known_environments(context: Context) -> tuple[Path, ...]:
    """Return every environment, in the order of conda's folders, then in that of the list."""
    below = [
        child for folder in conda_settings(context).envs_dirs if folder.is_dir() for child in sorted(folder.iterdir())
    ]
    every = dict.fromkeys((*below, *registered(context.home)))
    return tuple(prefix for prefix in every if is_environment(prefix))


def forget_dead(context: Context) -> tuple[Path, ...]:
    """Remove entries from `environments.txt` that are not environments any more, and return them."""
    dead = tuple(prefix for prefix in registered(context.home) if not is_environment(prefix))
    unregister(dead, home=context.home, reporter=context.reporter)
    return dead


def environment_name(context: Context, prefix: Path) -> str | None:
    """Return the name by which conda finds an environment; None where it has to be named by its path."""
    return prefix.name if prefix.parent in conda_settings(context).envs_dirs else None


def shown_name(context: Context, prefix: Path, env: str) -> str:
    """Return what an environment is called: the name by which conda finds it, else that of its spec, `env`."""
    return environment_name(context, prefix) or env


def require_own(context: Context, prefix: Path) -> None:
    """Raise unless envgen may remove or move an environment.

    Raises:
        UserError: another tool made it, it is reached by a link, or it is active.
    """
    if not is_own(prefix):
        raise UserError(
            f"the environment `{prefix}` was created by another tool",
            hint=f"remove or rename it with that tool, for example `conda env remove --prefix {prefix}`",
        )
    if prefix.is_symlink():
        raise UserError(
            f"`{prefix}` is a symbolic link to `{prefix.resolve()}`", hint="name that folder with `--prefix`"
        )
    if context.environment.get("CONDA_PREFIX") == str(prefix):
        raise UserError(f"the environment `{prefix}` is active in this shell", hint="leave it first with `deactivate`")
