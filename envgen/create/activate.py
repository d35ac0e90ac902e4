"""What activating an environment means, by the rules of `conda activate`, for machines that have no conda.

Written after `conda.activate` (24.7): the variables are the same, so that `conda deactivate` and a later
`conda activate` undo what is done here. Rattler's activator was tried (0.28) and not taken: it leaves `$` and
backticks of values to the shell, breaks on quotes in a path, sets no `CONDA_DEFAULT_ENV`, and does not leave the
environment that was active before.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from shlex import quote
from shutil import which
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from envgen.documents import read_json
from envgen.errors import UserError
from envgen.prefix.inventory import is_environment
from envgen.system.process import ProcessError, run

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_PATH = "/usr/local/bin:/usr/bin:/bin"
"""Where there is no `PATH`: what shells assume then."""

_UNSET = "***unset***"
"""`conda env config vars unset` leaves this as a value (`conda.base.constants.CONDA_ENV_VARS_UNSET_VAR`)."""

_RUNNING = "__envgen_running"
"""A variable of the shell that sources scripts: which one it is at."""

OF_THE_SHELL = frozenset({_RUNNING, "BASH_ENV", "ENV", "OLDPWD", "PWD", "SHLVL", "_"})
"""Variables between us and a shell (it sets some, and reads a script named by others): the program gets ours back."""

ENTER, LEAVE = "activate.d", "deactivate.d"
"""Folders of scripts below `etc/conda`."""

_SCRIPT_TIME = 60.0
"""Seconds that activation scripts may take before something is wrong."""

_MARK = "envgen-was-in:"
_TOLD_AT_EXIT = f"""trap 'printf "%s%s" "{_MARK}" "${_RUNNING}" >&2' EXIT"""
"""A script that ends the shell is named by the shell's last words; `exec` at the end leaves the trap behind."""


class Shell(StrEnum):
    """A shell that `shell_hook` can write for."""

    BASH = "bash"
    ZSH = "zsh"
    POSIX = "posix"
    FISH = "fish"

    @property
    def suffix(self) -> str:
        """Extension of the scripts in `activate.d` that are for this shell."""
        return ".fish" if self is Shell.FISH else ".sh"


class Activation(Struct, frozen=True, kw_only=True):
    """What a shell has to do, in this order.

    Attributes:
        prefix: the environment.
        level: how many environments are active then, this one among them.
        again: the environment is active already.
        former: the environment that is left, or None.
        leave: scripts of the environment that was active, to be sourced first.
        unset: variables to remove.
        export: variables to set; `PATH` is among them.
        enter: scripts of the environment, to be sourced last.
        prompt: what stands before the prompt.
    """

    prefix: Path
    level: int
    again: bool
    former: Path | None
    leave: tuple[Path, ...]
    unset: tuple[str, ...]
    export: Mapping[str, str]
    enter: tuple[Path, ...]
    prompt: str


def activation(prefix: Path, environment: Mapping[str, str], *, shell: Shell = Shell.POSIX) -> Activation:
    """Plan the activation of an environment, from the variables of a shell.

    Args:
        prefix: the environment, absolute.
        environment: the variables of the shell; another environment may be active in it, or the same one.
        shell: whose scripts to take.

    Raises:
        UserError: `prefix` is no environment, or its variables cannot be read.
    """
    if not is_environment(prefix):
        raise UserError(f"`{prefix}` is not an environment", hint="create it with `envgen create`")
    level = _level(environment)
    active = environment.get("CONDA_PREFIX") if level else None
    again = active == str(prefix)
    name = _name(prefix)
    export = {
        "PATH": _path(environment.get("PATH", _PATH), leave=active, enter=prefix),
        "CONDA_PREFIX": str(prefix),
        "CONDA_SHLVL": str(level if again else level + 1),
        "CONDA_DEFAULT_ENV": name,
        "CONDA_PROMPT_MODIFIER": f"({name}) ",
    }
    if active and not again:
        export[f"CONDA_PREFIX_{level}"] = active
    own = _own_variables(prefix)
    wanted = {key: value for key, value in own.items() if value != _UNSET}
    if not again:  # deactivating restores what was there
        export |= {f"__CONDA_SHLVL_{level}_{key}": environment[key] for key in wanted if key in environment}
    return Activation(
        prefix=prefix,
        level=level if again else level + 1,
        again=again,
        former=Path(active) if active and not again else None,
        leave=scripts(Path(active), LEAVE, shell)[::-1] if active else (),
        unset=tuple(sorted(own.keys() - wanted.keys())),
        export={**export, **wanted},
        enter=scripts(prefix, ENTER, shell),
        prompt=f"({name}) ",
    )


def run_environment(prefix: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of a program that is run in an environment.

    Where the environment has activation scripts, a shell sources them; what they print goes to stderr.

    Args:
        prefix: the environment, absolute.
        environment: of this process.

    Raises:
        UserError: see `activation`; or an activation script fails or does not end.
    """
    found = activation(prefix, environment)
    if not (found.enter or found.leave):
        kept = {key: value for key, value in environment.items() if key not in found.unset}
        return {**kept, **found.export}
    shell = which("bash", path=environment.get("PATH", _PATH)) or "/bin/sh"
    return evaluated([shell], found, environment)


def evaluated(shell: Sequence[str], found: Activation, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables after a shell of its own has activated an environment.

    Args:
        shell: the program and its options, that of a POSIX shell or fish.
        found: what it does.
        environment: its variables.

    Raises:
        UserError: an activation script fails or does not end.
    """
    if Path(shell[0]).name == Shell.FISH:
        lines = ("begin", ":", *fish_lines(found), "end >&2")
    else:
        lines = (_TOLD_AT_EXIT, "{", ":", *_tracked(found), "} >&2")
    script = "\n".join((*lines, "exec /usr/bin/env -0"))
    ours = {key: value for key, value in environment.items() if key in OF_THE_SHELL}
    given = {key: value for key, value in environment.items() if key not in OF_THE_SHELL}
    try:
        done = run([*shell, "-c", script], env=given, timeout=_SCRIPT_TIME)
    except ProcessError as error:
        raise _script_fault(error, found.prefix) from error
    printed = done.stdout.decode(errors="surrogateescape")
    after = dict(entry.split("=", 1) for entry in printed.split("\0") if "=" in entry)
    return {key: value for key, value in after.items() if key not in OF_THE_SHELL} | ours


def _tracked(found: Activation) -> Iterator[str]:
    """Write what activates, each script after a line that remembers its name for `_TOLD_AT_EXIT`."""
    for line in posix_lines(found, prompt=False):
        if line.startswith(". "):
            yield f"{_RUNNING}={line[2:]}"
        yield line


def _script_fault(error: ProcessError, prefix: Path) -> UserError:
    said, _, script = error.tail.rpartition(_MARK)
    where = f"the activation script `{script}`" if script else f"an activation script of `{prefix}`"
    ending = f"exited the shell with status {error.status}" if error.status is not None else "did not finish in time"
    limit = "" if error.status is not None else f" ({_SCRIPT_TIME:.0f} s)"
    words = f":\n{said.strip()}" if said.strip() else ""
    return UserError(
        f"{where} {ending}{limit}; activation scripts must set variables and return{words}",
        hint="fix the script, or lock another version of the package that contains it",
    )


def _level(environment: Mapping[str, str]) -> int:
    text = environment.get("CONDA_SHLVL", "").strip()
    return int(text) if text.isdigit() and environment.get("CONDA_PREFIX") else 0


def _name(prefix: Path) -> str:
    """Return the name that conda shows: that of the folder if it is in a folder `envs`, else the whole path."""
    return prefix.name if prefix.parent.name == "envs" else str(prefix)


def _path(path: str, *, leave: str | None, enter: Path) -> str:
    """Insert `bin` of the environment where that of the active one is, or first."""
    folders = path.split(":")
    old = f"{leave}/bin" if leave else None
    place = folders.index(old) if old in folders else 0
    kept = [folder for folder in folders if folder != old]
    return ":".join([*kept[:place], f"{enter}/bin", *kept[place:]])


def _own_variables(prefix: Path) -> dict[str, str]:
    """Read the variables of packages, then those of the environment, which win."""
    found: dict[str, str] = {}
    for file in sorted((prefix / "etc/conda/env_vars.d").glob("*")):
        found |= _strings(file, _json(file))
    state = prefix / "conda-meta/state"
    if state.exists():
        found |= _strings(state, _json(state).get("env_vars", {}))
    return found


def _json(file: Path) -> dict[str, Any]:
    try:
        document = read_json(file.read_bytes())
    except (OSError, ValueError) as error:
        raise UserError(f"failed to read variables from `{file}`: {error}") from error
    return document if isinstance(document, dict) else {}


def _strings(file: Path, variables: Mapping[str, Any]) -> dict[str, str]:
    wrong = [key for key in variables if not key.isidentifier()]
    if wrong:
        raise UserError(f"`{file}`: {wrong[0]!r} is not a valid name of a variable")
    return {key: str(value) for key, value in variables.items()}


def scripts(prefix: Path, folder: str, shell: Shell) -> tuple[Path, ...]:
    """List the scripts of an environment for a shell, in the order in which activation sources them."""
    return tuple(sorted((prefix / "etc/conda" / folder).glob(f"*{shell.suffix}")))


def posix_lines(found: Activation, *, prompt: bool = True) -> Iterator[str]:
    """Yield what a POSIX shell evaluates."""
    yield from (f". {quote(str(script))}" for script in found.leave)
    if prompt:  # before CONDA_PROMPT_MODIFIER changes: it says what the active environment put there
        shown = f'PS1={quote(found.prompt)}"${{PS1#"${{CONDA_PROMPT_MODIFIER-}}"}}"'
        yield f'if [ -n "${{PS1-}}" ]; then {shown}; fi'
    yield from (f"unset {name}" for name in found.unset)
    yield from (f"export {name}={quote(value)}" for name, value in found.export.items())
    yield from (f". {quote(str(script))}" for script in found.enter)


def fish_lines(found: Activation) -> Iterator[str]:
    """Yield what fish evaluates."""
    yield from (f"source {fish_quote(str(script))}" for script in found.leave)
    yield from (f"set -e {name}" for name in found.unset)
    for name, value in found.export.items():
        values = value.split(":") if name == "PATH" else [value]
        yield f"set -gx {name} {' '.join(map(fish_quote, values))}"
    yield from (f"source {fish_quote(str(script))}" for script in found.enter)


def fish_quote(text: str) -> str:
    """Return text in single quotes, in which fish knows two escapes: of the quote and of the backslash."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
