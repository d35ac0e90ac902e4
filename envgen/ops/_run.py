"""`run` and `shell-hook`: an environment on disk at work."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, NoReturn

from envgen.create import activate, programs
from envgen.create.place import Place, find_environment
from envgen.create.shell_hook import write_shell_hook
from envgen.errors import UserError
from envgen.manifest.select import spec_files
from envgen.system.process import replace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from envgen.create.activate import Shell
    from envgen.project.context import Context


def run(context: Context, *, env: str | None, place: Place, argv: Sequence[str]) -> NoReturn:
    """Replace this process by a command inside an environment: signals and exit codes are the command's.

    Raises:
        NoProgramError: there is no such program, or it is Python or pip and the environment has none.
        UserError: no such environment, or the program cannot be run.
    """
    try:
        prefix, own = find_environment(context, env=env, place=place), programs.own_folder()
        outside = programs.without_own(context.environment, prefix=prefix, own=own)
        environment = activate.run_environment(prefix, outside)
        programs.check_program(argv[0], environment, prefix=prefix, own=own, reporter=context.reporter)
    except UserError as error:
        if env is None:
            error.hint = _forgotten_dashes(context, place, argv) or error.hint
        raise
    replace(argv, environment)


def _forgotten_dashes(context: Context, place: Place, argv: Sequence[str]) -> str | None:
    """Guess that the first word of a command was meant to be the environment."""
    word, *rest = argv
    try:
        is_environment = word in {path.stem for path in spec_files(context.root)}
        is_environment = is_environment or bool(find_environment(context, env=None, place=Place(name=word)))
    except UserError:
        is_environment = False
    if not is_environment or place.prefix or place.name:
        return None
    return f"if `{word}` is the environment: `{shlex.join(['envgen', 'run', word, '--', *(rest or ['COMMAND'])])}`"


def shell_hook(context: Context, *, env: str | None, place: Place, shell: Shell) -> str:
    """Write what a shell evaluates to activate an environment, with a function `deactivate` that takes it back.

    Raises:
        UserError: no such environment.
    """
    return write_shell_hook(find_environment(context, env=env, place=place), shell, context.environment)
