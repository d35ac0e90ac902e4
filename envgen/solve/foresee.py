"""What a solve will ask the wheel index first, before the full version of Python is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envgen.solve.catalogue import Catalogue
from envgen.solve.spec_requirements import Request

if TYPE_CHECKING:
    from envgen.solve.task import SolveTask


async def foresee(task: SolveTask) -> None:
    """Ask the index of a task for the newest wheels that its lines allow and for all that these require.

    The answers are of use only where the index gives them again to who asks next.

    Raises:
        UserError: a line of the spec cannot be understood.
        NetworkError: a source fails.
    """
    request = Request.of(task, None)
    catalogue = Catalogue(task, required=request.required, python=None, limited=request.limited)
    catalogue.closure.ask_all(line.requirement for line in request.lines)
    await catalogue.closure.collect()
