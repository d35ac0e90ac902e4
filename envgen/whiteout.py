"""Names that mean "removed" in a layer: no file of an image can have one.

OCI image specification, `layer.md`: a name that begins with `.wh.` removes the file of a lower layer that is called as
the rest says, and `.wh..wh..opq` removes everything in its folder. The specification has no way to write such a file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from envgen.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable

_PREFIX = ".wh."


def is_whiteout(path: str) -> bool:
    """Return whether a runtime takes a path, or a folder above it, for a removal."""
    return _PREFIX in path and any(part.startswith(_PREFIX) for part in path.split("/"))


def refuse_whiteouts(owner: str, paths: Iterable[str]) -> None:
    """Refuse files that would remove others.

    Args:
        owner: what brings them, for messages.
        paths: of its files.

    Raises:
        UserError: names the first of them.
    """
    found = sorted(path for path in paths if is_whiteout(path))
    if found:
        more = f" and {len(found) - 1} more" if len(found) > 1 else ""
        raise UserError(
            f"`{owner}` contains `{found[0]}`{more}: in an image, a name that begins with `{_PREFIX}` removes a file",
            hint=f"use another version of `{owner}` in images, or remove it; environments on disk are not affected",
        )
