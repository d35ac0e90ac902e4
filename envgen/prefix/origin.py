"""Which lock an environment was made from, in a file of its own in `conda-meta`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from envgen.digest import Sha256
from envgen.prefix.conda_meta import META
from envgen.prefix.transaction import LOCK, ORIGIN
from envgen.system.fs import atomic_write

if TYPE_CHECKING:
    from collections.abc import Mapping

_FORMAT = 1


class Origin(Struct, frozen=True, kw_only=True):
    """The lock of an environment.

    Attributes:
        project: root of the project, absolute.
        environment: name of the spec.
        lock: path of the lock, relative to the project.
        sha256: of the lock's text.
    """

    project: Path
    environment: str
    lock: str
    sha256: Sha256


def is_own(prefix: Path) -> bool:
    """Return whether envgen made the environment: every change of one leaves its lock file behind."""
    return (prefix / META / LOCK).is_file()


def read_origin(prefix: Path) -> Origin | None:
    """Return what was remembered; None where nothing was, or it cannot be read."""
    try:
        document: Mapping[str, str] = json.loads((prefix / META / ORIGIN).read_bytes())
        return Origin(
            project=Path(document["project"]),
            environment=document["environment"],
            lock=document["lock"],
            sha256=Sha256(document["sha256"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def remember_origin(prefix: Path, origin: Origin) -> None:
    """Write which lock an environment was made from, unless the same is written there already."""
    if read_origin(prefix) == origin:
        return
    facts = {"project": str(origin.project), "environment": origin.environment, "lock": origin.lock}
    document = {"format": _FORMAT, **facts, "sha256": origin.sha256}
    atomic_write(prefix / META / ORIGIN, json.dumps(document, indent=2) + "\n")
