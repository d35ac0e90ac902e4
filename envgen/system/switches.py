"""Variables that turn something on or off."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envgen.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping

_ON, _OFF = ("1", "true", "yes", "on"), ("0", "false", "no", "off")


def is_on(environment: Mapping[str, str], name: str) -> bool:
    """Return whether a variable turns something on; one that is empty or not set does not.

    Raises:
        UserError: it says something else.
    """
    text = environment.get(name, "").strip().lower()
    if text and text not in _ON + _OFF:
        raise UserError(f"{name}: expected 1 or 0, got {environment[name]!r}", hint=f"for example: `{name}=1`")
    return text in _ON
