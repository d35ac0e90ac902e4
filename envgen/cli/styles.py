"""Whether text on a terminal may be coloured, bold or dimmed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def are_wanted(environment: Mapping[str, str]) -> bool:
    """Return whether neither the user (https://no-color.org) nor the terminal is against escape sequences."""
    return not environment.get("NO_COLOR") and environment.get("TERM") != "dumb"
