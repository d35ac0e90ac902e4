"""Files of an environment that no package brought: what a person put there, or pip beside the lock."""

from __future__ import annotations

import os
from pathlib import Path

from envgen.prefix.conda_meta import META, load, record_files
from envgen.prefix.kernel import KERNEL
from envgen.prefix.removal import PYCACHE


def strangers(prefix: Path) -> tuple[str, ...]:
    """List files and links that no record has, sorted; compiled Python files, `conda-meta` and the kernel do not count.

    Raises:
        IntegrityError: a record cannot be read.
    """
    owned = {KERNEL, *(name for file in record_files(prefix) for name in load(file).get("files", ()))}
    found: list[str] = []
    for folder, folders, names in os.walk(prefix):
        if Path(folder) == prefix:
            folders[:] = [name for name in folders if name != META]
        links = [name for name in folders if (Path(folder) / name).is_symlink()]
        folders[:] = [name for name in folders if name != PYCACHE]
        below = os.path.relpath(folder, prefix)
        inside = "" if below == "." else f"{below}/"
        found += [f"{inside}{name}" for name in (*names, *links) if f"{inside}{name}" not in owned]
    return tuple(sorted(found))
