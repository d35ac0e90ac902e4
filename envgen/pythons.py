"""The Pythons that need no channel: what the shipped recipe takes from Debian. A test compares it with the recipe."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from envgen.glibc import Glibc

SERVED: dict[str, Glibc] = {"3.11": (2, 34), "3.13": (2, 38)}
"""Minor version -> the oldest glibc that it runs on; the preferred one first."""

DEFAULT = next(iter(SERVED))
"""What an environment gets where nobody says."""


def served_for(glibc: Glibc) -> tuple[str, ...]:
    """List the Pythons of the shipped recipe that run on a glibc."""
    return tuple(python for python, needed in SERVED.items() if needed <= glibc)
