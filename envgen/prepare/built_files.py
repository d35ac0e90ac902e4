"""Wheels that were built, as files of the store."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from envgen.builds import LocalSource
from envgen.digest import Sha256

if TYPE_CHECKING:
    from pathlib import Path

    from envgen.packages import Wheel
    from envgen.system.store import Store

FACTS = "built-wheels"
"""What the store knows of a build, by the digest of everything that determines it."""

_ACCEPTED = "accepted-builds"


def wheel_file(store: Store, wheel: Wheel) -> Path | None:
    """Find the file of a wheel; that of a project of the repository by what it is built from."""
    if is_local(wheel):
        raw = store.cached(FACTS, wheel.sha256)
        return store.artifact(Sha256(json.loads(raw)["sha256"])) if raw else None
    if wheel.made and wheel.made.terms.reproducible and (other := store.cached(_ACCEPTED, wheel.sha256)):
        return store.artifact(Sha256(other.decode()))
    return store.artifact(wheel.sha256)


def accept_other(store: Store, wheel: Wheel, sha256: Sha256) -> None:
    """Accept another wheel as the file of a locked one, whose build is not reproducible as the spec says."""
    store.put(_ACCEPTED, wheel.sha256, sha256.encode())


def is_local(wheel: Wheel) -> bool:
    """Return whether a wheel is built from a folder of the project, so that no lock has its digest."""
    return wheel.made is not None and isinstance(wheel.made.source, LocalSource)
