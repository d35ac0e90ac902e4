"""Numbers of bytes for people."""

from __future__ import annotations


def human_size(count: int) -> str:
    """Return a number of bytes with decimal units, as registries and disks have them: `4.6 GB`."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:  # noqa: PLR2004 - the unit's own factor
            return f"{value:.0f} {unit}" if unit in ("B", "kB") else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"
