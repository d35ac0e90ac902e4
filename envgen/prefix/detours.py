"""Links on the way to the files of a prefix: linking and removing follow them, so none of them may lead outside."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

from envgen.errors import UserError
from envgen.paths import folders_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def refuse_detours(prefix: Path, paths: Iterable[str]) -> frozenset[str]:
    """Refuse to change files below a folder of the prefix that is a link out of it; one status for each folder.

    Links that stay inside are allowed: Debian's `include/python3.11` is one.

    Args:
        prefix: the environment, which may itself be reached through links.
        paths: that will be written or removed, relative to it.

    Returns:
        Those of the folders above the paths that are there, or whose name something else has.

    Raises:
        UserError: names the link, and where it leads.
    """
    root = os.path.realpath(prefix)
    there = {""}
    for folder in sorted(folders_of(paths)):  # a folder comes before those in it
        if folder.rpartition("/")[0] not in there:
            continue
        # thousands of them: text is five times as fast as `Path` here
        place = f"{root}/{folder}"
        if not os.path.lexists(place):
            continue
        there.add(folder)
        if os.path.islink(place) and not _is_inside(target := os.path.realpath(place), root):  # noqa: PTH114
            raise UserError(
                f"`{prefix / folder}` is a link out of the environment, to `{target}`; a package has files below it",
                hint=f"remove the link: `rm {shlex.quote(str(prefix / folder))}`",
            )
    return frozenset(there)


def _is_inside(path: str, root: str) -> bool:
    return path == root or path.startswith(f"{root}/")
