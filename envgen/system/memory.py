"""The memory of this process, as the C library gives it out."""

from __future__ import annotations

from contextlib import suppress

_M_ARENA_MAX, _M_MMAP_THRESHOLD, _M_TRIM_THRESHOLD = -8, -3, -1
"""Of `malloc.h` of glibc."""

_ARENAS = 2
"""Pieces of memory that threads share, where glibc has eight for each processor."""

_LARGE = 192 << 10
"""Bytes from which on a piece goes back to the system when it is freed.

Where it is not set, glibc raises it to the largest piece that was freed, and pages of an index leave holes of 70 MB.
With 128 KiB, what is packed and unpacked would be large, and each of its pages is a page fault.
"""

_SPARE = 8 << 20
"""Free bytes at the end of an arena that stay there: setting the one threshold fixes the other at 128 KiB."""


def share_memory() -> None:
    """Limit what the C library keeps of freed memory: threads share it, and large pieces go back to the system.

    For a lock of 450 packages, 100 MB of 540 are what each of 16 threads that read pages of an index freed and keeps
    for itself otherwise. C libraries without such settings are left as they are.
    """
    import ctypes  # noqa: PLC0415  most commands need none

    with suppress(OSError, AttributeError, TypeError):
        set_option = ctypes.CDLL(None).mallopt
        set_option(_M_ARENA_MAX, _ARENAS)
        set_option(_M_MMAP_THRESHOLD, _LARGE)
        set_option(_M_TRIM_THRESHOLD, _SPARE)
