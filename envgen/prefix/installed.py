"""A package in a prefix, as its record says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Mapping


class InstalledPackage(Struct, frozen=True, kw_only=True):
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

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> InstalledPackage:
        """Parse a record of `conda-meta`, read by `conda_meta.load`."""
        source = record.get("extracted_package_dir")
        return cls(
            name=record["name"],
            version=record["version"],
            build=record["build"],
            key=Path(source).name if source else None,
            files=tuple(record.get("files", ())),
            requested=record.get("requested_spec") or "",
        )
