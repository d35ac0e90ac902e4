"""A wheel index: which wheels a project has, what a wheel requires, and where its bytes are."""

from __future__ import annotations

import asyncio
import json
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from msgspec import Struct

from envgen.digest import Sha256
from envgen.errors import ArtifactError, GoneError, NetworkError, OfflineError
from envgen.events import NullReporter
from envgen.indexes import DEFAULT, index_words, variable_of
from envgen.sources.pypi_metadata import MetadataReader
from envgen.sources.pypi_page import ACCEPT, parse_page
from envgen.sources.unproven import measure
from envgen.sources.wheel_folder import page_of_folder
from envgen.structs import replace
from envgen.system.credentials import display

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Hashable, Iterable

    from envgen.metadata import WheelMetadata
    from envgen.names import ProjectName
    from envgen.packages import Wheel
    from envgen.sources.pypi_metadata import RangeFile
    from envgen.sources.pypi_page import ProjectFile, ProjectPage
    from envgen.system.http import Http
    from envgen.system.store import Store

    T = TypeVar("T")

_PAGES = "index-pages"
_PLAIN = 16 << 20
"""Bytes of documents that are held as they are: to compress all would take 3 % of the time of a lock of 130 wheels."""

_NOT_MODIFIED, _NOT_FOUND = 304, 404
_SILENT = NullReporter()


class WheelIndex:
    """A Simple API server, a page of links or a folder; any number of solves may ask it at once.

    Pages are fetched by each index object, so that a lock sees what was just published; METADATA that a digest proves
    is kept for ever. Requests run on a bounded pool of threads.

    Args:
        http: does the requests.
        store: keeps METADATA, and pages of servers that send an ETag.
        base_url: where project pages stand: `<base_url>/<project>/`; one page for all projects where it ends in
            `.html`; a folder of wheels where it is a `file:` URL.
        workers: requests at once; look-ups begin to fail under more concurrency than some resolvers stand.
        warn: is told what the server does wrong where that does no harm.
        name: of an index of the spec; "" for the default one.
        undated: whether files without an upload time are taken where the spec has `exclude-newer`.
        now: see `MetadataReader`.
        recent: see `MetadataReader`.
        current: see `Context.current_pages`.
    """

    def __init__(
        self,
        *,
        http: Http,
        store: Store,
        base_url: str,
        workers: int = 16,
        warn: Callable[[str], None] = _SILENT.warn,
        name: str = DEFAULT,
        undated: bool = False,
        now: dt.datetime | None = None,
        recent: bool = False,
        current: set[str] | None = None,
    ) -> None:
        self._http = http
        self._store = store
        self._base = base_url.rstrip("/")
        self._name = name
        self._undated = undated
        self._warn = warn
        self._told: set[str] = set()
        self._current = set[str]() if current is None else current
        self._reader = MetadataReader(http=http, store=store, warn=warn, now=now, recent=recent)
        http.use_keyring(self._base)
        self._pool = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="index")
        self._lock = threading.Lock()
        self._asked: dict[Hashable, Future[object]] = {}
        self._held = 0

    async def page(self, project: ProjectName) -> ProjectPage | None:
        """Fetch what the index lists for a project; None if it has no such project.

        Raises:
            NetworkError: the index cannot be reached or does not answer in its language.
        """
        return await self._once(("page", project), lambda: self._page(project))

    async def measured(self, file: ProjectFile) -> ProjectFile:
        """Return a listed file with its sha256: where the index gives none, the file is hashed by download.

        Raises:
            NetworkError: it cannot be had.
        """
        if file.sha256 is not None:
            return file
        sha = await self._once(("measured", file.url), lambda: self._measure(file))
        return replace(file, sha256=sha)

    async def metadata(self, file: ProjectFile) -> WheelMetadata:
        """Read what a listed wheel says of itself.

        Raises:
            ArtifactError: the wheel has no digest, or no valid METADATA.
            NetworkError: it cannot be had.
        """
        return await self._once(("metadata", file.filename, file.sha256), lambda: self._metadata(file))

    async def find(self, wheel: Wheel) -> ProjectFile | None:
        """Return what the index lists of a chosen wheel; None where it no longer does.

        Raises:
            NetworkError: the index cannot be reached.
        """
        page, version = await self.page(wheel.project), wheel.filename.split("-", 2)[1]
        if page is not None and wheel.made:
            return _same(wheel, page.all_archives())
        if page is None or version not in page.versions:
            return None
        return _same(wheel, page.files(version))

    def open(self, file: ProjectFile) -> RangeFile:
        """Open a listed wheel to be read by ranges; see `MetadataReader.open`."""
        return self._reader.open(file)

    def locate(self, wheel: Wheel) -> str:
        """Return the URL of a locked wheel, or of the source archive that it is built from, found by its digest.

        Raises:
            GoneError: the index offers no file with that digest any more.
            NetworkError: the index cannot be reached.
        """
        page = self._ask(("page", wheel.project), lambda: self._page(wheel.project)).result()
        found = _find(wheel, page) if page else None
        if found is None:
            raise GoneError(
                f"`{wheel.listed.filename}` with sha256 {wheel.listed.sha256} is no longer offered by {self._words}",
                hint="run `envgen lock --refresh` to lock one that is offered",
            )
        return found.url

    @property
    def took_recent(self) -> bool:
        """Return whether METADATA was taken that was read a while ago and that no digest proves."""
        return self._reader.took_recent

    def close(self) -> None:
        """Stop the threads; what was not started is dropped."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    @property
    def _words(self) -> str:
        return f"{index_words(self._name)} at {display(self._base)}"

    def _page(self, project: ProjectName) -> ProjectPage | None:
        """Find the page of a project; None if there is none."""
        try:
            page = self._own_page(project)
        except NetworkError as error:
            raise self._explained(error) from error
        if page is None:
            return None
        page.measurable = bool(self._name) or self._base.startswith("file:")
        page.undated = self._undated
        if page.strangers and not self._is_flat and str(project) not in self._told:
            self._told.add(str(project))
            what = f"{self._words} lists files of other projects for `{project}`, such as `{page.strangers[0]}`"
            self._warn(f"{what}: they are ignored")
        return page

    @property
    def _is_flat(self) -> bool:
        return self._base.endswith((".html", ".htm"))

    def _own_page(self, project: ProjectName) -> ProjectPage | None:
        if self._is_flat:
            page = self._listed(self._base, project)
            if page is None:  # the page of all projects: to take it for an empty one would blame the requirements
                raise NetworkError(f"{display(self._base)} does not exist", hint="check the address of the index")
            return page if page.versions or page.sdists else None
        if not self._base.startswith("file:"):
            return self._listed(f"{self._base}/{project}/", project)
        found = page_of_folder(self._base, project)
        return self._listed(found, project) if isinstance(found, str) else found

    def _explained(self, error: NetworkError) -> NetworkError:
        """Name the index of the spec in an error, and its variable where another address or a login helps."""
        if not self._name:
            return error
        other = f"or set {variable_of(self._name)} to another address of `{self._name}`, or one with a login in it"
        return NetworkError(f"index `{self._name}`: {error}", hint=f"{error.hint}, {other}" if error.hint else None)

    def _listed(self, url: str, project: ProjectName) -> ProjectPage | None:
        """Fetch a page, or take the kept one where the server says that it is current; None if there is none.

        Only what could be read is kept, and only if it lists a file: a network's login page has an ETag too.
        """
        key = Sha256.of(url.encode())
        kept = _Document.unpack(self._store.cached(_PAGES, key))
        found = kept if kept and key in self._current else self._fetch(url, kept)
        if found is not None and found is kept:
            self._current.add(key)
            with suppress(NetworkError):  # kept by another version of envgen, which read it otherwise
                return self._parsed(found, project)
            found = self._fetch(url, None)
        if found is None:
            return None
        page = self._parsed(found, project)
        if found.etag and (page.versions or page.sdists):
            self._store.put(_PAGES, key, found.pack())
            self._current.add(key)
        return page

    def _parsed(self, document: _Document, project: ProjectName) -> ProjectPage:
        with self._lock:
            self._held += len(document.body)
            pack = self._held > _PLAIN
        return document.parse(project, pack=pack)

    def _fetch(self, url: str, kept: _Document | None) -> _Document | None:
        """Fetch a page, or take the kept one where the server says that it is current; None if there is none.

        Where the network must not be used, the kept one is taken as it is.
        """
        try:
            response = self._http.get(url, accept=ACCEPT, etag=kept.etag if kept else None)
        except OfflineError:
            if kept:
                return kept
            raise
        if response.status == _NOT_MODIFIED:
            return kept
        if response.status == _NOT_FOUND:
            return None
        content_type = response.headers.get("content-type", "")
        return _Document(
            etag=response.headers.get("etag"), content_type=content_type, url=response.url, body=response.body
        )

    def _measure(self, file: ProjectFile) -> Sha256:
        if "sha256" not in self._told and not file.url.startswith("file:"):
            self._told.add("sha256")
            what = f"{self._words} provides no sha256 for `{file.filename}`"
            self._warn(f"{what}: such files are downloaded and locked by what came")
        return measure(self._http, self._store, file.url, stated=file.digest)

    def _metadata(self, file: ProjectFile) -> WheelMetadata:
        if file.sha256 is None:
            raise ArtifactError(f"the wheel index has no sha256 for `{file.filename}`")
        return self._reader.read(file, file.sha256)

    async def _once(self, key: Hashable, work: Callable[[], T]) -> T:
        # shielded: one caller that gives up must not take the answer away from the others
        return await asyncio.shield(asyncio.wrap_future(self._ask(key, work)))

    def _ask(self, key: Hashable, work: Callable[[], T]) -> Future[T]:
        with self._lock:
            if key not in self._asked:
                self._asked[key] = self._pool.submit(work)
            return self._asked[key]  # type: ignore[return-value]  # a key always stands for one type of answer


def _find(wheel: Wheel, page: ProjectPage) -> ProjectFile | None:
    """Find the file of a wheel on a page, which may list thousands: where its name says first."""
    if wheel.made:
        return _same(wheel, page.all_archives())
    version = wheel.listed.filename.removesuffix(".whl").split("-", 2)[1]
    near = page.files(version) if version in page.versions else ()
    wanted = (wheel.listed.filename, wheel.listed.sha256)
    return next((f for f in near if (f.filename, f.sha256) == wanted), None) or _same(wheel, page.all_files())


def _same(wheel: Wheel, files: Iterable[ProjectFile]) -> ProjectFile | None:
    """Find the file of a wheel: by its digest, else by its name where the index has none; the bytes decide later."""
    every, listed = list(files), wheel.listed
    found = [file for file in every if file.sha256 == listed.sha256]
    found.sort(key=lambda file: (file.filename != listed.filename, file.filename))
    unproven = [replace(f, sha256=listed.sha256) for f in every if f.sha256 is None and f.filename == listed.filename]
    return next(iter((*found, *unproven)), None)


class _Document(Struct, frozen=True, kw_only=True):
    """A fetched page; `url` is where it came from after redirects, without credentials."""

    etag: str | None
    content_type: str
    url: str
    body: bytes

    def parse(self, project: ProjectName, *, pack: bool) -> ProjectPage:
        return parse_page(self.body, content_type=self.content_type, url=self.url, project=project, pack=pack)

    def pack(self) -> bytes:
        return json.dumps([self.etag, self.content_type, self.url]).encode() + b"\n" + self.body

    @classmethod
    def unpack(cls, kept: bytes | None) -> _Document | None:
        if kept is None:
            return None
        head, _, body = kept.partition(b"\n")
        etag, content_type, url = json.loads(head)
        return cls(etag=etag, content_type=content_type, url=url, body=body)
