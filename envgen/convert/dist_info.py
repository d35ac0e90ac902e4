"""The dist-info of projects that a recipe installed with pip: as conda packages have it, the same with every build."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from envgen.convert.wheel_record import installed_entry, render_record
from envgen.digest import Sha256

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from installer.records import RecordEntry

_OF_THE_BUILD = ("direct_url.json", "REQUESTED")
"""What pip writes of how it was called: the address of the build folder, and that it was called for this project."""


def settle_dist_info(package: Path, *, rewritten: Collection[str]) -> None:
    """Remove what pip says of the build from each dist-info, and list in RECORD what is there.

    Args:
        package: an extracted package.
        rewritten: paths of files that hold the prefix: their digests are not known before they are installed.
    """
    for record in sorted(package.rglob("*.dist-info/RECORD")):
        for name in _OF_THE_BUILD:
            (record.parent / name).unlink(missing_ok=True)
        site = record.parent.parent
        with record.open(encoding="utf-8", newline="") as stream:
            listed = sorted({row[0] for row in csv.reader(stream) if row})
        lines = [_entry(package, site, path, rewritten) for path in listed if _is_there(package, site / path)]
        record.write_bytes(render_record([*lines, installed_entry(f"{record.parent.name}/RECORD", None, 0)]))


def _is_there(package: Path, path: Path) -> bool:
    return path.is_file() and path.resolve().is_relative_to(package.resolve()) and path.name != "RECORD"


def _entry(package: Path, site: Path, path: str, rewritten: Collection[str]) -> RecordEntry:
    file = site / path
    if file.resolve().relative_to(package.resolve()).as_posix() in rewritten:
        return installed_entry(path, None, 0)
    data = file.read_bytes()
    return installed_entry(path, Sha256.of(data), len(data))
