"""`run` and `shell-hook`: an environment on disk at work."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from envgen.create.activate import Shell, run_environment, shell_hook
from envgen.ops.places import Place, find_environment
from envgen.system.process import replace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from envgen.ops.context import Context


def run(context: Context, *, env: str | None, place: Place, argv: Sequence[str]) -> NoReturn:
    """Become a command inside an environment: this process is replaced, so signals and exit codes are the command's.

    Raises:
        UserError: no such environment, or no such command in it.
    """
    prefix = find_environment(context, env=env, place=place)
    replace(argv, run_environment(prefix, context.environment))


def hook(context: Context, *, env: str | None, place: Place, shell: Shell) -> str:
    """Write what a shell evaluates to activate an environment.

    Raises:
        UserError: no such environment.
    """
    return shell_hook(find_environment(context, env=env, place=place), shell, context.environment)
