"""The dynamic loader of this machine, asked which file it takes for a library."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from envgen.system.process import ProcessError, run

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

VARIABLE = "LD_LIBRARY_PATH"

_LINE = re.compile(r"^\s+(?P<name>\S+) => (?P<path>/.+) \(0x[0-9a-f]+\)$", re.MULTILINE)
_TIMEOUT = 20.0
"""Seconds: the loader maps the libraries, of which cuDNN's largest has 0.5 GB."""


def ask_loader(names: Iterable[str], *, program: Path, environment: Mapping[str, str]) -> dict[str, Path]:
    """Return which file the loader takes for each of some libraries; without those that it finds nowhere.

    It is asked by the way that it loads `LD_PRELOAD`, for a program that is not started (`LD_TRACE_LOADED_OBJECTS`,
    as `ldd` does it).

    Args:
        names: of libraries, as `dlopen` takes them.
        program: any of the machine that is linked dynamically.
        environment: the variables of the process that is to load them.
    """
    asked = [name for name in names if not re.search(r"[\s:/]", name)]
    variables = {key: value for key, value in environment.items() if not key.startswith("LD_")}
    variables |= {"LD_TRACE_LOADED_OBJECTS": "1", "LD_PRELOAD": " ".join(asked)}
    if VARIABLE in environment:
        variables[VARIABLE] = environment[VARIABLE]
    try:
        said = run([program], env=variables, timeout=_TIMEOUT).stdout.decode(errors="replace")
    except ProcessError:
        return {}
    found = parse_answer(said)
    return {name: found[name] for name in asked if name in found}


def parse_answer(text: str) -> dict[str, Path]:
    """Read what the loader prints, a tab before each line: `libz.so.1 => /lib/libz.so.1 (0x00007f73b1b50000)`."""
    return {match["name"]: Path(match["path"]) for match in _LINE.finditer(text)}


def folders_of_variable(environment: Mapping[str, str]) -> tuple[Path, ...]:
    """List the folders of LD_LIBRARY_PATH; an empty entry is the working directory."""
    text = environment.get(VARIABLE, "")
    return tuple(Path(folder or ".") for folder in re.split("[:;]", text)) if text else ()
