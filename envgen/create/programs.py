"""Which program `envgen run` starts: one of the environment, else one that `PATH` has and the user is told of."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from shlex import quote
from shutil import which
from typing import TYPE_CHECKING

from envgen.errors import NoProgramError
from envgen.prefix.conda_meta import record_files

if TYPE_CHECKING:
    from collections.abc import Mapping

    from envgen.events import Reporter

_NEVER_OUTSIDE = re.compile(r"(python|pip)(\d+(\.\d+)?)?")
"""What must not come from another place: it would run, or install, with packages of another Python."""

_PYTHON_RECORD = re.compile(r"python-\d")

_SHARED = frozenset({"/bin", "/usr/bin", "/usr/local/bin"})
"""Folders that are envgen's where it was installed into the Python of the system; everything else is there as well."""

_VIRTUAL_ENV = ("VIRTUAL_ENV", "VIRTUAL_ENV_PROMPT", "PYTHONHOME")
"""Variables of another Python: `uv pip` prefers the first to `CONDA_PREFIX`, and the last breaks every other Python."""


def own_folder() -> Path:
    """Return the folder with the programs of the Python that runs envgen."""
    return Path(os.path.realpath(Path(sys.executable).parent))


def without_own(environment: Mapping[str, str], *, prefix: Path, own: Path) -> dict[str, str]:
    """Return the variables of a process without another Python, and without envgen's own folder on `PATH`.

    Args:
        environment: of this process.
        prefix: the environment that will be active; its folder stays, also where envgen is installed in it.
        own: from `own_folder`.
    """
    kept = {key: value for key, value in environment.items() if key not in _VIRTUAL_ENV}
    if "PATH" not in kept or str(own) in _SHARED or own == Path(os.path.realpath(prefix / "bin")):
        return kept
    folders = kept["PATH"].split(":")
    return kept | {"PATH": ":".join(folder for folder in folders if os.path.realpath(folder or ".") != str(own))}


def check_program(program: str, environment: Mapping[str, str], *, prefix: Path, own: Path, reporter: Reporter) -> None:
    """Find a program as `exec` does, and tell where it comes from if that is not the environment.

    Args:
        program: a name, or a path; a file that is not executable is left to `exec`.
        environment: variables of the program, with the environment active.
        prefix: the environment.
        own: from `own_folder`.
        reporter: hears of a program from elsewhere.

    Raises:
        NoProgramError: it is not found; or it is Python or pip, and the environment has none; or the environment has
            lost its Python.
    """
    _check_python(prefix)
    if "/" in program:
        if not which(program) and not Path(program).is_file():
            raise NoProgramError(f"failed to run `{program}`: there is no such file")
        return
    found = which(program, path=environment.get("PATH", ""))
    if found and found.startswith(f"{prefix}/"):
        return
    if _NEVER_OUTSIDE.fullmatch(program):
        elsewhere = f"; `{found}` belongs to another Python and is not used" if found else ""
        raise NoProgramError(
            f"failed to run `{program}`: not in the environment `{prefix}`{elsewhere}", hint=_how_to_add(program)
        )
    if not found:
        raise NoProgramError(
            f"failed to run `{program}`: not found in the environment or on PATH", hint=_not_from(own, program)
        )
    reporter.note(f"`{program}` is not in the environment: running `{found}`")


def _check_python(prefix: Path) -> None:
    """Raise where scripts that start with `#!/usr/bin/env python` would find the Python of the machine."""
    is_installed = any(_PYTHON_RECORD.match(path.name) for path in record_files(prefix))
    if is_installed and not os.access(prefix / "bin/python", os.X_OK):
        raise NoProgramError(
            f"the environment `{prefix}` is damaged: `bin/python` is missing or a broken link",
            hint=f"restore it with `envgen create --verify --prefix {quote(str(prefix))}`",
        )


def _how_to_add(program: str) -> str:
    package = "pip" if program.startswith("pip") else "python"
    where = "`pypi`" if package == "pip" else "`dependencies`"
    return f"add `{package}` under {where} in the spec, then run `envgen lock` and `envgen create`"


def _not_from(own: Path, program: str) -> str | None:
    beside = which(program, path=str(own))
    return f"`{beside}` belongs to envgen's own Python and is not used; add its package to the spec" if beside else None
