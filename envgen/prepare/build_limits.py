"""How long a step of a build may take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envgen import limits
from envgen.convert.build_log import TIMEOUT
from envgen.errors import UserError

if TYPE_CHECKING:
    from envgen.project.context import Context


def build_seconds(context: Context) -> float:
    """Return the seconds that one step of a build may take.

    Raises:
        UserError: the variable for it is not a number above 0.
    """
    text = context.environment.get(TIMEOUT, "")
    try:
        found = float(text or limits.BUILD_SECONDS)
    except ValueError as error:
        raise UserError(f"{TIMEOUT}: expected seconds, got {text!r}") from error
    if not found > 0:
        raise UserError(f"{TIMEOUT}: expected seconds above 0, got {text!r}")
    return found
