"""What the wheel index lists for one project: PEP 691 documents, or HTML where a mirror has no JSON.

A page can list thousands of files, of which a solve looks at those of a few versions: entries are grouped by the
plain text of their version and typed when somebody asks for that version.
"""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

from pypi_simple import ProjectPage as HtmlPage

from envgen.digest import Sha256
from envgen.errors import NetworkError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pypi_simple import DistributionPackage

    from envgen.names import ProjectName

_JSON = "application/vnd.pypi.simple.v1+json"
_MALFORMED = (ValueError, KeyError, TypeError, AttributeError)
"""What taking a document of another shape apart raises."""

_SDIST_ENDINGS = (".tar.gz", ".zip", ".tar.bz2", ".tgz")

ACCEPT = f"{_JSON}, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
"""What to ask for: JSON first, since HTML has neither sizes nor upload times."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectFile:
    """A wheel that the index lists.

    Attributes:
        filename: as listed.
        url: absolute.
        sha256: of the file; None where the index gives another digest, an unreadable one or none.
        size: bytes, where the index says so.
        requires_python: as listed, unchecked.
        uploaded: aware moment of upload, where the index says so readably.
        yanked: withdrawn by its authors (PEP 592).
        metadata: whether METADATA is served beside the file (PEP 658), and its digest where the index gives one.
    """

    filename: str
    url: str
    sha256: Sha256 | None
    size: int | None
    requires_python: str | None
    uploaded: dt.datetime | None
    yanked: bool
    metadata: Sha256 | bool


class ProjectPage:
    """The wheels of one project by version, and the versions of which there is a source archive.

    Attributes:
        versions: texts as they stand in the names of wheels, in no useful order.
        sdists: texts of versions in the names of source archives.
    """

    def __init__(self, *, url: str, project: str, entries: Iterable[Mapping[str, Any]]) -> None:
        self._url = url
        self._project = project
        self._wheels: dict[str, list[Mapping[str, Any]]] = {}
        sdists = set()
        for entry in entries:
            stem, _, ending = entry["filename"].rpartition(".")
            if ending == "whl":
                self._wheels.setdefault(_second_part(stem), []).append(entry)
            elif entry["filename"].endswith(_SDIST_ENDINGS):
                sdists.add(_sdist_version(entry["filename"]))
        self.versions: Sequence[str] = tuple(self._wheels)
        self.sdists: frozenset[str] = frozenset(sdists)

    def files(self, version: str) -> tuple[ProjectFile, ...]:
        """Type the wheels of one of `versions`, in the order of the page.

        Raises:
            NetworkError: an entry lacks what it must have.
        """
        entries = self._wheels[version]
        try:
            return tuple(_file(entry, self._url) for entry in entries)
        except _MALFORMED as error:
            raise _no_page(self._project, error) from error

    def all_files(self) -> Iterable[ProjectFile]:
        """Type every wheel of the page.

        Raises:
            NetworkError: see `files`.
        """
        return (file for version in self.versions for file in self.files(version))


def parse_page(body: bytes, *, content_type: str, url: str, project: ProjectName) -> ProjectPage:
    """Read a page of the Simple API.

    Args:
        body: the document.
        content_type: as the server said.
        url: where the page came from; relative links count from it.
        project: whose page it is.

    Raises:
        NetworkError: it is no such page.
    """
    try:
        entries = _json_entries(body) if "json" in content_type else _html_entries(body, project=project, url=url)
        return ProjectPage(url=url, project=project, entries=entries)
    except _MALFORMED as error:
        raise _no_page(project, error) from error


def _no_page(project: str, error: Exception) -> NetworkError:
    return NetworkError(
        f"the wheel index answered for `{project}` with something that is no page of the Simple API: {error!r}",
        hint="is the configured index address the one of a Simple API (it usually ends in `/simple`)?",
    )


def _json_entries(body: bytes) -> list[Mapping[str, Any]]:
    document = json.loads(body)
    version = document["meta"]["api-version"]
    if version.partition(".")[0] != "1":  # PEP 629: a client must refuse an unknown major version
        raise ValueError(f"version {version!r} of the Simple API")
    found: list[Mapping[str, Any]] = document["files"]
    return found


def _html_entries(body: bytes, *, project: str, url: str) -> list[Mapping[str, Any]]:
    return [_as_json(package) for package in HtmlPage.from_html(project, body, base_url=url).packages]


def _as_json(package: DistributionPackage) -> Mapping[str, Any]:
    return {
        "filename": package.filename,
        "url": package.url,
        "hashes": package.digests,
        "requires-python": package.requires_python,
        "yanked": package.is_yanked,
        "core-metadata": package.metadata_digests or bool(package.has_metadata),
    }


def _second_part(stem: str) -> str:
    parts = stem.split("-", 2)
    return parts[1] if len(parts) > 1 else ""


def _sdist_version(filename: str) -> str:
    stem = next(filename.removesuffix(ending) for ending in _SDIST_ENDINGS if filename.endswith(ending))
    return stem.rpartition("-")[2]


def _file(entry: Mapping[str, Any], base: str) -> ProjectFile:
    # PEP 714: `core-metadata` is the new name of `dist-info-metadata`
    metadata = entry.get("core-metadata", entry.get("dist-info-metadata")) or False
    return ProjectFile(
        filename=entry["filename"],
        url=urljoin(base, entry["url"]),
        sha256=_sha256(entry.get("hashes")),
        size=entry.get("size"),
        requires_python=entry.get("requires-python"),
        uploaded=_moment(entry.get("upload-time")),
        yanked=bool(entry.get("yanked")) or entry.get("yanked") == "",  # PEP 592: an empty reason is one too
        metadata=(_sha256(metadata) or True) if isinstance(metadata, dict) else bool(metadata),
    )


def _sha256(hashes: Mapping[str, str] | None) -> Sha256 | None:
    try:
        return Sha256.parse(hashes["sha256"]) if hashes and "sha256" in hashes else None
    except ValueError:  # HTML says it after a `#` that anything may follow; without a digest, a wheel is not chosen
        return None


def _moment(text: str | None) -> dt.datetime | None:
    try:
        moment = dt.datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    if moment is None:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
