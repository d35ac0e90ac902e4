"""METADATA of wheels out of packages in the store: for runs that must not ask an index."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.version import InvalidVersion

from envgen import limits
from envgen.errors import ArtifactError
from envgen.metadata import parse_metadata_of
from envgen.packages import Wheel
from envgen.prepare.plan import items_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from envgen.digest import Sha256
    from envgen.lock.model import Lock
    from envgen.metadata import WheelMetadata
    from envgen.project.context import Context


def metadata_here(context: Context, lock: Lock) -> Iterator[tuple[Sha256, WheelMetadata]]:
    """Yield sha256 and METADATA of each wheel of a lock whose package is in the store and says something valid."""
    for item in items_of(lock, context.names, inputs={}):
        wheel = item.package
        folder = context.store.package(item.wanted.key) if isinstance(wheel, Wheel) else None
        raw = _read(folder / lock.target.python.site_packages) if folder else None
        if raw is None or not isinstance(wheel, Wheel):
            continue
        try:
            yield wheel.sha256, parse_metadata_of(raw, wheel.project, wheel.version)
        except (ArtifactError, InvalidVersion):
            continue


def _read(site_packages: Path) -> bytes | None:
    """Read the one METADATA of a package; None where there is none, or a larger one than wheels have."""
    found = list(site_packages.glob("*.dist-info/METADATA"))
    if len(found) != 1 or found[0].stat().st_size > limits.METADATA:
        return None
    return found[0].read_bytes()
