"""Which reader a file is for, by its name."""

from __future__ import annotations

import fnmatch
from typing import TYPE_CHECKING

from envgen.adopt.conda_lock_yml import read_conda_lock
from envgen.adopt.environment_yml import read_environment
from envgen.adopt.pixi import read_pixi
from envgen.adopt.pixi_lock import read_pixi_lock
from envgen.adopt.pylock import read_pylock
from envgen.adopt.pyproject import read_pyproject
from envgen.adopt.requirements import read_requirements
from envgen.adopt.uv_lock import read_uv_lock
from envgen.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from envgen.adopt.adopted import Adopted, Read

_COMPANIONS = {
    "pyproject.toml": ("uv.lock", "pylock.toml", "pixi.lock"),
    "pixi.toml": ("pixi.lock",),
    "environment.yml": ("conda-lock.yml",),
    "environment.yaml": ("conda-lock.yml",),
}
"""File -> locks beside it that have its versions; the first that is there counts."""

UNREAD = {"pyproject.toml": ("poetry.lock", "pdm.lock", "Pipfile.lock")}
"""File -> locks beside it for which there is no reader."""

_READERS: dict[str, Callable[[str, str, Read, Collection[str]], Adopted]] = {
    "pyproject.toml": lambda text, name, _, groups: read_pyproject(text, name, groups),
    "uv.lock": lambda text, name, _, groups: read_uv_lock(text, name, groups),
    "pixi.toml": lambda text, name, *_: read_pixi(text, name),
    "pixi.lock": lambda text, name, *_: read_pixi_lock(text, name),
    "pylock*.toml": lambda text, name, *_: read_pylock(text, name),
    "*.txt": lambda text, name, read, _: read_requirements(text, name, read),
    "*.in": lambda text, name, read, _: read_requirements(text, name, read),
    "*-lock.y*ml": lambda text, name, *_: read_conda_lock(text, name),
    "*.y*ml": lambda text, name, read, _: read_environment(text, name, read),
}
"""Pattern of file names -> reader; the first that fits counts."""

_KNOWN = "requirements.txt, requirements.in, pyproject.toml, environment.yml, conda-lock.yml, uv.lock, pylock.toml, "
_KNOWN += "pixi.toml and pixi.lock"


def companions(name: str) -> tuple[str, ...]:
    """Return the locks that may be beside a file and have its versions; pip-compile writes `x.txt` from `x.in`."""
    stem, dot, suffix = name.rpartition(".")
    return (f"{stem}.txt",) if dot and suffix == "in" else _COMPANIONS.get(name, ())


def is_file_name(text: str) -> bool:
    """Return whether `--from` was given a file rather than the name of a spec that ships."""
    return "/" in text or text.endswith((".txt", ".in", ".toml", ".yml", ".yaml", ".lock", ".cfg", ".py"))


def read_adopted(name: str, read: Read, groups: Collection[str] = ()) -> Adopted:
    """Read a file of another tool.

    Args:
        name: of the file; it decides the format.
        read: reads it, and what it includes.
        groups: extras and dependency groups of a project to take over.

    Raises:
        SpecError: it cannot be read, or contradicts itself.
        UserError: no reader knows files of that name, or groups are asked of a format without.
    """
    base = name.rpartition("/")[2]
    if groups and base not in {"pyproject.toml", "uv.lock"}:
        raise UserError(f"`{base}` has no groups", hint="use `--group` with `pyproject.toml` or `uv.lock`")
    for pattern, reader in _READERS.items():
        if fnmatch.fnmatchcase(base, pattern):
            return reader(read(name), name, read, groups)
    raise UserError(f"the format of `{base}` is not known", hint=f"there are readers for {_KNOWN}")
