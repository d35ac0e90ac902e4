"""Code that runs as another user."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

NOBODY = (65534, 65534)
"""User and group."""


def as_nobody(function: Callable[[], object]) -> None:
    """Call a function in a child that runs as nobody; needs root."""
    child = os.fork()
    if child:
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        return
    try:
        os.setgroups([])
        os.setgid(NOBODY[1])
        os.setuid(NOBODY[0])
        function()
    except BaseException as error:  # noqa: BLE001  the child must not return into pytest
        os.write(2, repr(error).encode())
        os._exit(1)
    os._exit(0)
