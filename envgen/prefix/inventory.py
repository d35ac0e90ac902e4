"""What a prefix holds, as its `conda-meta` says."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from envgen.prefix.conda_meta import HISTORY, load, record_files
from envgen.prefix.transaction import unfinished

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledPackage:
    """A package in a prefix.

    Attributes:
        name: conda name.
        version: of the package.
        build: its build string.
        key: the extracted package that it was linked from (`packages/<key>` of a store); None where another tool
            linked it and did not say.
        files: its paths, relative to the prefix.
        requested: the spec's own words that asked for it, or "".
    """

    name: str
    version: str
    build: str
    key: str | None
    files: tuple[str, ...]
    requested: str

    @property
    def dist(self) -> str:
        """`name-version-build`, the stem of its record's file."""
        return f"{self.name}-{self.version}-{self.build}"


def is_environment(prefix: Path) -> bool:
    """Return whether conda would take the folder for an environment."""
    return (prefix / HISTORY).is_file()


def read(prefix: Path) -> tuple[InstalledPackage, ...]:
    """Read what is installed, sorted by name; nothing where there is no prefix.

    Packages that an interrupted change was touching do not count as installed, whatever their records say.

    Raises:
        IntegrityError: a record cannot be read.
    """
    left = unfinished(prefix)
    doubtful = left.records if left else ()
    found = (_installed(load(path)) for path in record_files(prefix) if path.stem not in doubtful)
    return tuple(sorted(found, key=lambda installed: installed.name))


def _installed(record: Mapping[str, Any]) -> InstalledPackage:
    source = record.get("extracted_package_dir")
    return InstalledPackage(
        name=record["name"],
        version=record["version"],
        build=record["build"],
        key=Path(source).name if source else None,
        files=tuple(record.get("files", ())),
        requested=record.get("requested_spec") or "",
    )
