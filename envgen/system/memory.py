"""The memory of this process, as the C library gives it out."""

from __future__ import annotations

from contextlib import suppress

_M_ARENA_MAX = -8
"""Of `malloc.h` of glibc."""

_ARENAS = 2
"""Pieces of memory that threads share, where glibc has eight for each processor."""


def share_memory() -> None:
    """Limit the arenas of the C library, so that threads use memory that others have freed.

    Each of 16 threads that read pages of an index keeps what it freed for itself otherwise: 100 MB of 540 for a lock of
    450 packages. C libraries without such a setting are left as they are.
    """
    import ctypes  # noqa: PLC0415  most commands need none

    with suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, _ARENAS)
