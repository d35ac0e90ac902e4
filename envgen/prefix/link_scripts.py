"""Link scripts of channel packages: conda runs them when it links; envgen names them and runs none."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from envgen.names import CondaName

_STEPS = ("pre-link", "post-link", "pre-unlink")
_SHELLS = (("bin", "sh"), ("Scripts", "bat"))
"""Where conda looks for them (`conda.core.link.run_script`), on Unix and on Windows."""

_HEAD = 4096
"""Bytes in which a script may say what it is for."""

_SHOWN = 100


def link_scripts(name: CondaName, package: Path) -> tuple[str, ...]:
    """List the link scripts of an extracted package, relative to it."""
    paths = (f"{folder}/.{name}-{step}.{shell}" for (folder, shell), step in product(_SHELLS, _STEPS))
    return tuple(path for path in paths if (package / path).is_file())


def described(packages: Iterable[tuple[CondaName, Path]]) -> str | None:
    """Describe which packages bring link scripts, and why where a script begins with a comment; None without any.

    Args:
        packages: name and extracted package of each.
    """
    scripts = {name: package / paths[0] for name, package in packages if (paths := link_scripts(name, package))}
    if not scripts:
        return None
    words = (f"`{name}`{_purpose(script)}" for name, script in sorted(scripts.items()))
    return f"link scripts of packages are not run: {', '.join(words)}"


def _purpose(script: Path) -> str:
    if script.is_symlink():
        return ""
    with script.open("rb") as stream:
        lines = stream.read(_HEAD).decode("utf-8", "replace").splitlines()
    comments = (line.strip("# \t") for line in lines if line.startswith("#") and not line.startswith("#!"))
    first = next(filter(None, comments), "")
    return f" ({first[:_SHOWN]})" if first else ""
