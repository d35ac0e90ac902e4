"""Where each file of a wheel goes, decided by names and RECORD alone: nothing is read or written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from envgen.convert.wheel_layout import library_family
from envgen.errors import ArtifactError
from envgen.paths import folders_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from installer.records import RecordEntry

    from envgen.convert.wheel_layout import WheelLayout

_OWN = ("RECORD", "INSTALLER")
"""Files of dist-info that converting writes."""


class Placed(Struct, frozen=True, kw_only=True):
    """A file of a wheel in a prefix.

    Attributes:
        member: its name in the wheel.
        path: relative to the prefix.
        listed: what RECORD says of it; None where RECORD does not count.
        alias_of: path of the identical library that it becomes a link to.
    """

    member: str
    path: str
    listed: RecordEntry | None
    alias_of: str | None


def place_members(
    members: Collection[str], layout: WheelLayout, record: Mapping[str, RecordEntry], scripts: Collection[str]
) -> list[Placed]:
    """Assign each file its path; an entry point wins over a script, as with pip.

    Args:
        members: names of the files.
        layout: where they go.
        record: what RECORD says of them; without those whose entries do not count.
        scripts: paths of entry points.

    Raises:
        ArtifactError: two files go to one path, or to a place that a wheel has no right to.
    """
    own = {layout.installed_info(name): name for name in _OWN}
    paths: dict[str, str] = {}
    for name, path in layout.places(members):
        if path in scripts:
            continue
        if other := paths.get(path) or own.get(path):
            raise ArtifactError(f"`{name}` and `{other}` in `{layout.what}` are both installed at `{path}`")
        paths[path] = name
    for path in sorted(paths.keys() & folders_of([*paths, *scripts]).keys()):
        raise ArtifactError(f"`{paths[path]}` in `{layout.what}` is installed at `{path}`, which is a folder")
    aliases = _aliases({path: record[name] for path, name in paths.items() if name in record})
    return [
        Placed(member=name, path=path, listed=record.get(name), alias_of=aliases.get(path))
        for path, name in paths.items()
    ]


def _aliases(listed: Mapping[str, RecordEntry]) -> dict[str, str]:
    """Find the copies of one library in one folder under its several names: path -> the one that stays a file.

    Zip files hold no links, so `libccl.so`, `libccl.so.1` and `libccl.so.1.0` (216 MB each) came as three files. The
    longest name, the one with the full version, stays. Files without a hash in RECORD are not compared.
    """
    families: dict[tuple[str, str], list[str]] = {}
    for path, entry in listed.items():
        if entry.hash_ and (family := library_family(path)):
            families.setdefault((family, str(entry.hash_)), []).append(path)
    found: dict[str, str] = {}
    for paths in families.values():
        real = max(paths, key=lambda path: (len(path), path))
        found |= {path: real for path in paths if path != real}
    return found
