"""Numbers for people."""

from __future__ import annotations

from envgen.sizes import human_size

__all__ = ["counted", "human_size"]


def counted(count: int, noun: str) -> str:
    """Write a count with its noun: `1 package`, `2 packages`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
