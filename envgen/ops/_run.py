"""`run` and `shell-hook`: an environment on disk at work."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from envgen.create import activate
from envgen.create.place import Place, find_environment
from envgen.errors import NoProgramError, UserError
from envgen.manifest.select import spec_files
from envgen.system.process import replace

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from envgen.create.activate import Shell
    from envgen.project.context import Context


def run(context: Context, *, env: str | None, place: Place, argv: Sequence[str]) -> NoReturn:
    """Become a command inside an environment: this process is replaced, so signals and exit codes are the command's.

    Raises:
        NoProgramError: the environment has no such program.
        UserError: no such environment, or the program cannot be run.
    """
    try:
        environment = activate.run_environment(find_environment(context, env=env, place=place), context.environment)
        _need_program(argv[0], environment)
    except UserError as error:
        if env is None:
            error.hint = _forgotten_dashes(context, place, argv) or error.hint
        raise
    replace(argv, environment)


def _need_program(program: str, environment: Mapping[str, str]) -> None:
    """Find a program as `exec` does; a file that is not executable is left to `exec`."""
    if not shutil.which(program, path=environment.get("PATH", "")) and not Path(program).is_file():
        raise NoProgramError(f"failed to run `{program}`: not found in the environment or on PATH")


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
    """Write what a shell evaluates to activate an environment.

    Raises:
        UserError: no such environment.
    """
    return activate.shell_hook(find_environment(context, env=env, place=place), shell, context.environment)
