"""What decided who owns what in a prefix, so that a change of it is noticed although no package changed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from envgen.prefix.conda_meta import META
from envgen.system.fs import atomic_write

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

CONFLICTS = ".envgen-conflicts"


def is_settled(prefix: Path, conflicts: Mapping[str, str]) -> bool:
    """Return whether a prefix was linked by these entries of `conflicts`; one that is not there was, by none."""
    try:
        known = json.loads((prefix / META / CONFLICTS).read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        known = {}
    except ValueError:  # cut short: settled again
        return False
    return bool(known == dict(conflicts))


def settle(prefix: Path, conflicts: Mapping[str, str]) -> None:
    """Record by which entries of `conflicts` a prefix is linked; no file where there are none."""
    file = prefix / META / CONFLICTS
    if conflicts:
        atomic_write(file, json.dumps(dict(conflicts)))
    else:
        file.unlink(missing_ok=True)
