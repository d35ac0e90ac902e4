"""The environment's own kernel of Jupyter, which shows the name of the environment.

ipykernel brings a kernel `python3`, shown as "Python 3 (ipykernel)". Its file belongs to that package and stays as it
is; another kernel stands beside it, in a folder that is envgen's. Jupyter finds it below `sys.prefix`
(`jupyter_core.paths.ENV_JUPYTER_PATH`), also where nothing was activated. A variable (`JUPYTER_PATH`, in images) would
lead the Jupyter of another environment here as well, which was activated over this one.
"""

from __future__ import annotations

import json
from enum import StrEnum
from typing import TYPE_CHECKING

from envgen.prefix.removal import remove_paths
from envgen.system.fs import atomic_write

if TYPE_CHECKING:
    from pathlib import Path

KERNEL = "share/jupyter/kernels/envgen/kernel.json"
"""Its folder is the kernel's identifier, the same in every environment: notebooks that name it open elsewhere, too."""


class KernelChange(StrEnum):
    """What becomes of the kernel of a prefix."""

    WRITE = "write"
    REMOVE = "remove"


def kernel_text(prefix: str, name: str) -> str:
    """Render the `kernel.json` of an environment.

    Args:
        prefix: the environment, absolute.
        name: which Jupyter shows.
    """
    argv = [f"{prefix}/bin/python", "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    document = {"argv": argv, "display_name": name, "language": "python", "metadata": {"debugger": True}}
    return json.dumps(document, indent=1) + "\n"


def changed_kernel(prefix: Path, name: str | None) -> KernelChange | None:
    """Return what has to change for a prefix to have a kernel of a name, or none; None where nothing has to."""
    there = _read(prefix)
    if name is None:
        return None if there is None else KernelChange.REMOVE
    return None if there == kernel_text(str(prefix), name) else KernelChange.WRITE


def write_kernel(prefix: Path, name: str | None) -> None:
    """Write the kernel of a prefix, or remove it where there is no name; one that is as it should be is left alone."""
    match changed_kernel(prefix, name), name:
        case KernelChange.WRITE, str():
            atomic_write(prefix / KERNEL, kernel_text(str(prefix), name))
        case KernelChange.REMOVE, _:
            remove_paths(prefix, [KERNEL])


def odd_kernel(prefix: Path, name: str | None) -> str | None:
    """Describe a kernel that is not the environment's own; None where it is, or there is none, as in what Nix built."""
    there = _read(prefix)
    if there is None or (name is not None and there == kernel_text(str(prefix), name)):
        return None
    return "the environment has no kernel" if name is None else f"is not the kernel `{name}` that `create` writes"


def _read(prefix: Path) -> str | None:
    try:
        return (prefix / KERNEL).read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, NotADirectoryError):
        return None
