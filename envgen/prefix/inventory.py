"""What a prefix holds, as its `conda-meta` says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envgen.prefix.conda_meta import HISTORY, load, record_files
from envgen.prefix.installed import InstalledPackage
from envgen.prefix.state import read_state, record_status
from envgen.prefix.transaction import unfinished

if TYPE_CHECKING:
    from pathlib import Path

    from envgen.prefix.state import PrefixState


def is_environment(prefix: Path) -> bool:
    """Return whether conda would take the folder for an environment."""
    return (prefix / HISTORY).is_file()


def read(prefix: Path, state: PrefixState | None = None) -> tuple[InstalledPackage, ...]:
    """Read what is installed, sorted by name; nothing where there is no prefix.

    Packages that an interrupted change was touching do not count as installed, whatever their records say.

    Args:
        prefix: the environment.
        state: from `read_state`, where the caller has it.

    Raises:
        IntegrityError: a record cannot be read.
    """
    left, known = unfinished(prefix), state or read_state(prefix)
    doubtful = left.records if left else ()
    found = (_installed(path, known) for path in record_files(prefix) if path.stem not in doubtful)
    return tuple(sorted(found, key=lambda installed: installed.name))


def _installed(path: Path, state: PrefixState | None) -> InstalledPackage:
    """Return a package from the state where its record did not change since, else read the record."""
    known = state.fitting(path.stem, record_status(path)) if state else None
    return known.installed if known else InstalledPackage.of_record(load(path))
