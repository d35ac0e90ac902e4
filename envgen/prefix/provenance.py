"""Where a package in a prefix says that it came from: nothing that is not so."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from msgspec import Struct

from envgen.packages import BuiltArchive, Wheel
from envgen.urls import without_secrets

if TYPE_CHECKING:
    from pathlib import Path

    from envgen.prefix.contents import LinkPackage
    from envgen.records import Record

PYPI = "pypi"
"""The channel that conda itself gives to what came from the wheel index (`conda.core.prefix_data`)."""

LOCAL = "local"
"""Conda's name for packages that were built on the machine."""

_PURL = "pkg://"
"""Scheme of package URLs, with the two slashes that parsers of purls must accept and writers leave out.

Conda takes `pkg:pypi` for a host and a port; `conda list --explicit` then dies (24.7: "Port could not be cast").
"""


class Provenance(Struct, frozen=True, kw_only=True):
    """What a record of `conda-meta` says of where its package came from.

    Attributes:
        url: of the archive, without credentials; the package URL (purl) of what has none.
        channel: as conda shows it.
        purl: of what is made here, where `url` is that of its archive.
        source: the extracted package, or None where the environment will live without it (an image).
    """

    url: str
    channel: str
    purl: str | None = None
    source: Path | None


def provenance(package: LinkPackage, *, portable: bool, archives: str | None = None) -> Provenance:
    """Return where a package came from.

    Args:
        package: about to be linked.
        portable: the environment will live on machines without the store it was linked from.
        archives: address of the channel that has the archives of wheels and of what recipes make; without, these have
            package URLs, which conda cannot fetch from, nor parse.
    """
    url, channel = _origin(package)
    source = None if portable else package.directory
    if archives is None or not url.startswith(_PURL):
        return Provenance(url=url, channel=channel, source=source)
    record = package.record
    archive = f"{archives}/{record.subdir}/{record.dist}.conda"
    return Provenance(url=archive, channel=channel, purl=f"pkg:{url.removeprefix(_PURL)}", source=source)


def _origin(package: LinkPackage) -> tuple[str, str]:
    origin = package.record.origin
    if isinstance(origin, Wheel):
        return wheel_purl(origin), PYPI
    if isinstance(origin, BuiltArchive):
        return built_purl(package.record), LOCAL
    url = without_secrets(origin.url)
    return url, url.rsplit("/", 2)[0]  # <channel>/<subdir>/<file>


def wheel_purl(wheel: Wheel) -> str:
    """Name a wheel, or the source archive that it is built from, by project, version, digest and file."""
    listed = wheel.listed
    return (
        f"{_PURL}pypi/{wheel.project}@{quote(wheel.version, safe='')}"
        f"?checksum=sha256:{listed.sha256}&file_name={quote(listed.filename, safe='')}"
    )


def built_purl(record: Record) -> str:
    """Name a package that was built here and never fetched."""
    version, build = quote(record.version, safe=""), quote(record.build, safe="")
    return f"{_PURL}conda/{record.name}@{version}?build={build}&subdir={record.subdir}"
