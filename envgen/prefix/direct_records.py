"""Records of packages that were linked without rattler, as `conda_meta.normalise` leaves those that it writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from envgen.packages import Wheel
from envgen.prefix.conda_meta import HISTORY, assemble, record_path, tell
from envgen.prefix.installed import InstalledPackage
from envgen.system.fs import write_anew

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from envgen.prefix.direct import DirectPackage
    from envgen.prefix.provenance import Provenance


class RenderedRecord(Struct, frozen=True, kw_only=True):
    """A record that is ready to be written.

    Attributes:
        installed: what it says.
        text: all of it.
    """

    installed: InstalledPackage
    text: str


def render_records(
    packages: Iterable[DirectPackage],
    *,
    provenance: Mapping[str, Provenance],
    requested: Mapping[str, str],
    link_digests: Mapping[str, str],
) -> dict[str, RenderedRecord]:
    """Render the records of packages.

    Args:
        packages: from `direct_packages`.
        provenance: name -> where the package came from.
        requested: name -> what the spec asked for, in its words.
        link_digests: from `conda_meta.link_digests`.

    Returns:
        Name -> record.
    """
    found = {}
    for one in packages:
        name = str(one.package.record.name)
        head = _head(one)
        tell(head, provenance[name], requested.get(name, ""))
        files = one.files
        text = assemble(head, files, one.entries(link_digests))
        found[name] = RenderedRecord(installed=InstalledPackage.of_record({**head, "files": files}), text=text)
    return found


def _head(one: DirectPackage) -> dict[str, Any]:
    """Return what a record says of a package but for its files, as rattler has it of `installer.repodata_record`."""
    record, origin = one.package.record, one.package.record.origin
    found = {**one.facts.index, "depends": list(record.depends), "constrains": list(record.constrains)}
    if not record.constrains:
        del found["constrains"]
    if not isinstance(origin, Wheel):
        found |= {"md5": origin.md5, "sha256": origin.sha256}
        if origin.size is not None:
            found["size"] = origin.size
    return found


def write_records(prefix: Path, records: Iterable[RenderedRecord]) -> None:
    """Write records into an environment that is marked as being changed, and the file by which conda tells one."""
    if not (prefix / HISTORY).exists():
        (prefix / HISTORY).touch()
    for record in records:
        write_anew(str(record_path(prefix, record.installed.dist)), record.text.encode(), mode=0o644)
