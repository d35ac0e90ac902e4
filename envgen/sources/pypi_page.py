"""What the wheel index lists for one project: PEP 691 documents, or HTML where a mirror has no JSON.

A page can list thousands of files, of which a solve looks at those of a few versions: entries are grouped by the
plain text of their version and typed when somebody asks for that version.
"""

from __future__ import annotations

import datetime as dt
import re
from collections import defaultdict
from functools import cache, lru_cache
from sys import intern
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urljoin, urlsplit

from msgspec import Struct

from envgen.digest import Sha256
from envgen.errors import NetworkError
from envgen.moments import parse_moment
from envgen.names import project_name
from envgen.sources.packed_entries import PackedEntries, PlainEntries
from envgen.sources.pypi_json import UnexpectedError, json_page, named, shown
from envgen.urls import display, without_login

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from envgen.names import ProjectName
    from envgen.sources.pypi_json import Entry

_JSON = "application/vnd.pypi.simple.v1+json"

_INPUT = re.compile(rb"<(form|input|script)\b", re.IGNORECASE)
"""What pages for people have, and pages of an index do not."""

_WEAKER = ("sha512", "sha384", "sha224", "sha1", "md5")
"""Digests that an index may give in place of sha256, the best first; pip compares these."""

_MALFORMED = (ValueError, RecursionError)
"""What parsing a document of any content raises."""

_LARGEST = 1 << 50
"""Bytes beyond which a size is not believed: more than all wheels of the public index together."""

_WEB = frozenset({"http", "https"})
_SAFE_LINKS = {"https": {"https"}, "http": _WEB}

_ODD = frozenset("?#; \\")
"""What addresses may mean more by than they say: they are taken apart with care."""

SDIST_ENDINGS = (".tar.gz", ".zip", ".tar.bz2", ".tgz")

ACCEPT = f"{_JSON}, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
"""What to ask for: JSON first, since HTML has neither sizes nor upload times."""


class ProjectFile(Struct, frozen=True, kw_only=True):
    """A wheel that the index lists.

    Attributes:
        filename: as listed.
        url: absolute.
        sha256: of the file; None where the index gives another digest, an unreadable one or none.
        size: bytes, where the index says so.
        requires_python: as listed, unchecked.
        uploaded: aware moment of upload, where the index says so readably.
        yanked: withdrawn by its authors (PEP 592).
        yanked_reason: why, in their words; empty where they do not say.
        digest: another one than sha256, where the index gives only that: `md5=…`; empty otherwise.
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
    yanked_reason: str = ""
    digest: str = ""


class ProjectPage:
    """The wheels of one project by version, and the versions of which there is a source archive.

    Args:
        url: of the page; relative links count from it.
        entries: names and fields of files as PEP 691 spells them, unchecked; those without a name of a file in use
            are left out.
        project: whose page it is, where it may list wheels of others: these are left out.
        status: of the project (PEP 792), such as `archived`; None where the index has none.
        pack: compress the entries, such that no document is held.

    Attributes:
        strangers: names of wheels of other projects that the page lists.
        measurable: whether files without a sha256 may be hashed by download.
        undated: whether files without an upload time may be taken where the spec has `exclude-newer`.
        versions: texts as they stand in the names of wheels, in no useful order.
        sdists: texts of versions in the names of source archives.
    """

    def __init__(
        self,
        *,
        url: str,
        entries: Iterable[tuple[Any, Entry]],
        project: ProjectName | None = None,
        status: str | None = None,
        pack: bool = False,
    ) -> None:
        self.status = status
        self.strangers: list[str] = []
        self.measurable = False
        self.undated = False
        # once for each spelling: a page has thousands of files, whose names begin in a few ways
        is_own = cache(lambda name: project is None or project_name(name) == project)
        wheels: defaultdict[str, list[Entry]] = defaultdict(list)
        archives: defaultdict[str, list[Entry]] = defaultdict(list)
        for filename, entry in entries:
            if not isinstance(filename, str) or not filename.isprintable():
                continue
            if filename.endswith(".whl"):
                first, _, rest = filename[:-4].partition("-")
                if is_own(first):
                    wheels[rest.partition("-")[0]].append(entry)
                else:
                    self.strangers.append(filename)
            elif filename.endswith(SDIST_ENDINGS):
                first, _, rest = filename.rpartition("-")
                if is_own(first):
                    archives[_without_ending(rest)].append(entry)
        hold = PackedEntries if pack else PlainEntries
        self._wheels = _VersionFiles(hold(dict(wheels)), url)
        self._archives = _VersionFiles(hold(dict(archives)), url)
        self.versions: Sequence[str] = tuple(wheels)
        self.sdists: frozenset[str] = frozenset(archives)

    def files(self, version: str) -> tuple[ProjectFile, ...]:
        """Parse the wheels of one of `versions`, in the order of the page.

        Raises:
            NetworkError: an entry has no usable address.
        """
        return self._wheels.of(version)

    def archives(self, version: str) -> tuple[ProjectFile, ...]:
        """Parse the source archives of one of `sdists`, in the order of the page.

        Raises:
            NetworkError: see `files`.
        """
        return self._archives.of(version)

    def all_archives(self) -> Iterable[ProjectFile]:
        """Parse every source archive of the page.

        Raises:
            NetworkError: see `files`.
        """
        return (file for version in sorted(self.sdists) for file in self.archives(version))

    def all_files(self) -> Iterable[ProjectFile]:
        """Parse every wheel of the page.

        Raises:
            NetworkError: see `files`.
        """
        return (file for version in self.versions for file in self.files(version))


class _VersionFiles:
    """Files of a page by version, typed when somebody asks for the version.

    Args:
        entries: of the versions.
        url: of the page.
    """

    def __init__(self, entries: PackedEntries | PlainEntries, url: str) -> None:
        self._entries = entries
        self._url = url
        self._typed: dict[str, tuple[ProjectFile, ...]] = {}

    def of(self, version: str) -> tuple[ProjectFile, ...]:
        """Parse the files of a version.

        Raises:
            NetworkError: an entry has no usable address, or is nested too deeply.
        """
        if version not in self._typed:
            try:
                entries = self._entries.of(version)
            except _MALFORMED as error:
                raise NetworkError(f"{display(self._url)} lists a file that cannot be read: {error}") from error
            self._typed[version] = tuple(_file(entry, self._url) for entry in entries)
        return self._typed[version]


def parse_page(body: bytes, *, content_type: str, url: str, project: ProjectName, pack: bool = False) -> ProjectPage:
    """Read a page of the Simple API.

    Args:
        body: the document.
        content_type: as the server said.
        url: where the page came from; relative links count from it.
        project: whose page it is.
        pack: see `ProjectPage`.

    Raises:
        NetworkError: it is no such page.
    """
    try:
        entries, status = json_page(body) if "json" in content_type else (_html_entries(body, url), None)
    except _MALFORMED as error:
        what = str(error) if isinstance(error, UnexpectedError) else repr(error)
        raise NetworkError(
            f"{display(url)} returned a document for `{project}` that is not a page of the Simple API: {what}",
            hint="check that the configured index is a Simple API; its URL usually ends in `/simple`",
        ) from error
    return ProjectPage(url=url, entries=entries, project=project, status=status, pack=pack)


def _html_entries(body: bytes, url: str) -> list[tuple[Any, Entry]]:
    if b"\0" in body:
        raise UnexpectedError("it is not text")
    # its libraries take 0.1 s to import, and few indices have no JSON
    from envgen.sources.pypi_html import MALFORMED, html_entries  # noqa: PLC0415

    try:
        links = html_entries(body, url=url)
    except MALFORMED as error:
        raise UnexpectedError(repr(error)) from error
    if not links and _INPUT.search(body):
        raise UnexpectedError("it has a form and no links, as a page to sign in")
    return named({**link, "filename": _filename(link["filename"], link["url"])} for link in links)


def file_project(filename: str) -> ProjectName:
    """Name the project of a listed file: the first part of a wheel's name, all but the version of an archive's."""
    if filename.endswith(".whl"):
        return project_name(filename.partition("-")[0])
    return project_name(filename.rpartition("-")[0])


def _filename(text: str, url: str) -> str:
    """Return the name of a linked file: PEP 503 wants it as the text of the link, older pages have a path there."""
    endings = (".whl", *SDIST_ENDINGS)
    last = unquote(urlsplit(url).path.rpartition("/")[2])
    names = (name for name in (text, last) if name.endswith(endings) and "/" not in name)
    return next(names, text)


def _without_ending(filename: str) -> str:
    return next(filename.removesuffix(ending) for ending in SDIST_ENDINGS if filename.endswith(ending))


def _file(entry: Mapping[str, Any], base: str) -> ProjectFile:
    """Parse an entry. What it says beside its address only helps to choose: what departs from PEP 691 is ignored.

    Raises:
        NetworkError: it has no usable address.
    """
    # PEP 714: `core-metadata` is the new name of `dist-info-metadata`
    beside = entry.get("core-metadata")
    beside = entry.get("dist-info-metadata") if beside is None else beside
    requires_python, sha256 = entry.get("requires-python"), _sha256(entry.get("hashes"))
    return ProjectFile(
        filename=entry["filename"],
        url=_address(entry, base),
        sha256=sha256,
        size=_size(entry.get("size")),
        requires_python=intern(requires_python) if isinstance(requires_python, str) else None,  # METADATA says it, too
        uploaded=_moment(entry.get("upload-time")),
        yanked=bool(entry.get("yanked")) or entry.get("yanked") == "",  # PEP 592: an empty reason is one too
        metadata=(_sha256(beside) or True) if isinstance(beside, dict) else bool(beside),
        yanked_reason=found if isinstance(found := entry.get("yanked"), str) else "",
        digest="" if sha256 else _weaker(entry.get("hashes")),
    )


def _link(base: str, link: str) -> str:
    """Resolve a link of a page. It may lead to another host, but not to this machine's files or off TLS.

    A login in it is removed: it would replace the user's own for that host.

    Raises:
        NetworkError: it leads from `https:` to something else, or from `http:` to a file.
    """
    start, rest = _start(link)
    if start and _is_plain(base, start) and not _ODD.intersection(rest):
        return link
    url = urljoin(base, link)
    have, want = urlsplit(base).scheme, urlsplit(url).scheme
    if want not in _SAFE_LINKS.get(have, {have, *_WEB}):
        raise NetworkError(f"{display(base)} links to `{want}:`, expected `{have}:`")
    return without_login(url) if _is_planted(base, url) else url


def _start(link: str) -> tuple[str, str]:
    """Split an address behind its server; the first part is empty where it has none."""
    scheme, colon, rest = link.partition("://")
    server, slash, path = rest.partition("/")
    return (f"{scheme}{colon}{server}{slash}", path) if slash and not _ODD.intersection(server) else ("", link)


@lru_cache(maxsize=1 << 10)  # the thousands of links of a page lead to one server or two
def _is_plain(base: str, start: str) -> bool:
    """Return whether links that begin with a scheme and a server stand as they are on a page."""
    have, want = urlsplit(base).scheme, urlsplit(start).scheme
    return want in _SAFE_LINKS.get(have, ()) and "@" not in start and urljoin(base, start) == start


def _is_planted(base: str, url: str) -> bool:
    """Return whether a link has a login that is not that of the page's own address."""
    own, other = urlsplit(base).netloc, urlsplit(url).netloc
    return "@" in other and own != other


def _address(entry: Mapping[str, Any], base: str) -> str:
    url = entry.get("url")
    try:
        if isinstance(url, str) and url and url.isprintable():
            return _link(base, url)
    except ValueError:
        pass  # brackets that hold no IPv6 address
    raise NetworkError(
        f"{display(base)} lists `{entry['filename']}` at {shown(url)}, expected a URL",
        hint="fix the index, or require a version that it lists correctly",
    )


def _size(value: Any) -> int | None:
    """Read a number of bytes; mirrors have 0 or -1 where they do not know."""
    known = isinstance(value, int) and not isinstance(value, bool) and 0 < value < _LARGEST
    return value if known else None


def _sha256(hashes: Any) -> Sha256 | None:
    text = hashes.get("sha256") if isinstance(hashes, dict) else None
    try:
        return Sha256.parse(text) if isinstance(text, str) else None
    except ValueError:  # HTML says it after a `#` that anything may follow; without a digest, a wheel is not chosen
        return None


def _weaker(hashes: Any) -> str:
    """Return the best digest of a file beside its sha256, as `md5=…`; empty where there is none."""
    known = hashes if isinstance(hashes, dict) else {}
    found = (f"{name}={text.lower()}" for name in _WEAKER if isinstance(text := known.get(name), str))
    return next(found, "")


def _moment(text: Any) -> dt.datetime | None:
    try:
        moment = parse_moment(text) if isinstance(text, str) else None
    except ValueError:
        return None
    if moment is None:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
