"""What is installed in an environment on disk, as a state to compare."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from envgen.diff.delta import Entry, State
from envgen.digest import Sha256
from envgen.errors import UserError
from envgen.packages import PackageKind
from envgen.platforms import Platform
from envgen.prefix.conda_meta import load, record_files
from envgen.prefix.foreign import find_foreign, find_uninstalled
from envgen.prefix.installed import InstalledPackage
from envgen.prefix.provenance import LOCAL, PYPI

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from envgen.prefix.foreign import ForeignPackage


def installed_state(prefix: Path, *, label: str) -> tuple[Platform, State]:
    """Read what is in an environment, and which platform it is for.

    That is what its records say, without what pip uninstalled, and with what pip installed beside it or over it.

    Raises:
        IntegrityError: a record cannot be read.
        UserError: its packages are for several platforms, or for none that is known.
    """
    records = [load(path) for path in record_files(prefix)]
    subdirs = {str(record.get("subdir")) for record in records} & set(Platform)
    if len(subdirs) != 1:
        raise UserError(f"the environment `{label}` is for an unknown platform")
    installed = tuple(map(InstalledPackage.of_record, records))
    foreign = find_foreign(prefix, installed)
    gone = find_uninstalled(prefix, installed) | {one.replaces for one in foreign}
    entries = (*(_entry(record) for record in records if record["name"] not in gone), *map(_foreign, foreign))
    return Platform(subdirs.pop()), State(entries=entries)


def _foreign(package: ForeignPackage) -> Entry:
    return Entry(
        name=package.project,
        kind=PackageKind.WHEEL,
        version=package.version,
        build="",
        digest=None,
        size=None,
        installer=package.installer or "another tool",
    )


def _entry(record: Mapping[str, Any]) -> Entry:
    """Read a record of `conda-meta`: a wheel by its project and digest, which stand in its package URL."""
    url = _package_url(record) or str(record.get("url", ""))
    where, _, query = url.removeprefix("pkg://").partition("?")
    if not url.startswith("pkg://pypi/"):
        kind = PackageKind.RECIPE if url.startswith("pkg://") else PackageKind.CHANNEL
        digest = Sha256(record["sha256"]) if kind is PackageKind.CHANNEL and record.get("sha256") else None
        size = record.get("size") if kind is PackageKind.CHANNEL else 0
        return Entry(
            name=record["name"],
            kind=kind,
            version=record["version"],
            build=record["build"],
            digest=digest,
            size=size,
        )
    project, _, version = where.removeprefix("pypi/").partition("@")
    facts = dict(part.partition("=")[::2] for part in query.split("&"))
    digest = Sha256(facts["checksum"].removeprefix("sha256:")) if "checksum" in facts else None
    return Entry(name=project, kind=PackageKind.WHEEL, version=unquote(version), build="", digest=digest, size=None)


def _package_url(record: Mapping[str, Any]) -> str | None:
    """Return the package URL of what envgen made, with the two slashes that records had before they had `purls`."""
    if record.get("channel") not in {PYPI, LOCAL}:
        return None
    found = record.get("purls") or ()
    return next((f"pkg://{str(purl).removeprefix('pkg:')}" for purl in found), None)
