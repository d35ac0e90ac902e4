"""The wheel index: which wheels a project has, what a wheel requires, and where its bytes are."""

from __future__ import annotations

import asyncio
import json
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from envgen.digest import Sha256
from envgen.errors import ArtifactError, GoneError, NetworkError
from envgen.events import NullReporter
from envgen.sources.pypi_metadata import MetadataReader, open_remote
from envgen.sources.pypi_page import ACCEPT, parse_page
from envgen.system.credentials import display

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from envgen.metadata import WheelMetadata
    from envgen.names import ProjectName
    from envgen.packages import Wheel
    from envgen.sources.pypi_metadata import RangeFile
    from envgen.sources.pypi_page import ProjectFile, ProjectPage
    from envgen.system.http import Http
    from envgen.system.store import Store

    T = TypeVar("T")

_PAGES = "index-pages"
_NOT_MODIFIED, _NOT_FOUND = 304, 404
_SILENT = NullReporter()


class WheelIndex:
    """A Simple API server; any number of solves may ask it at once.

    Pages are fetched by each index object, so that a lock sees what was just published; METADATA that a digest proves
    is kept for ever. Requests run on a bounded pool of threads.

    Args:
        http: does the requests.
        store: keeps METADATA, and pages of servers that send an ETag.
        base_url: where project pages stand: `<base_url>/<project>/`.
        workers: requests at once; look-ups begin to fail under more concurrency than some resolvers stand.
        warn: is told what the server does wrong where that does no harm.
    """

    def __init__(
        self,
        *,
        http: Http,
        store: Store,
        base_url: str,
        workers: int = 16,
        warn: Callable[[str], None] = _SILENT.warn,
    ) -> None:
        self._http = http
        self._store = store
        self._base = base_url.rstrip("/")
        self._reader = MetadataReader(http=http, store=store, warn=warn)
        self._pool = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="index")
        self._lock = threading.Lock()
        self._asked: dict[Hashable, Future[object]] = {}

    async def page(self, project: ProjectName) -> ProjectPage | None:
        """Fetch what the index lists for a project; None if it has no such project.

        Raises:
            NetworkError: the index cannot be reached or does not answer in its language.
        """
        return await self._once(("page", project), lambda: self._page(project))

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
        if page is None or version not in page.versions:
            return None
        return next((file for file in page.files(version) if file.sha256 == wheel.sha256), None)

    def open(self, file: ProjectFile) -> RangeFile:
        """Open a listed wheel to be read by ranges; see `open_remote`."""
        return open_remote(self._http, file)

    def locate(self, wheel: Wheel) -> str:
        """Return the URL of a locked wheel, found by its digest.

        Raises:
            GoneError: the index offers no file with that digest any more.
            NetworkError: the index cannot be reached.
        """
        page = self._ask(("page", wheel.project), lambda: self._page(wheel.project)).result()
        found = [file for file in page.all_files() if file.sha256 == wheel.sha256] if page else []
        if not found:
            raise GoneError(
                f"`{wheel.filename}` with sha256 {wheel.sha256} is no longer offered by the wheel index at"
                f" {display(self._base)}",
                hint=f"run `envgen lock --upgrade {wheel.project}` to lock one that is offered",
            )
        return min(found, key=lambda file: (file.filename != wheel.filename, file.filename)).url

    def close(self) -> None:
        """Stop the threads; what was not started is dropped."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _page(self, project: ProjectName) -> ProjectPage | None:
        """Fetch a page, or take the kept one where the server says that it is current; None if there is none.

        Only what could be read is kept, and only if it lists a file: a network's login page has an ETag too.
        """
        url = f"{self._base}/{project}/"
        if url.startswith("file:"):
            url += "index.html"
        key = Sha256.of(url.encode())
        kept = _Document.unpack(self._store.cached(_PAGES, key))
        found = self._fetch(url, kept)
        if found is not None and found is kept:
            with suppress(NetworkError):  # kept by another version of envgen, which read it otherwise
                return found.parse(project)
            found = self._fetch(url, None)
        if found is None:
            return None
        page = found.parse(project)
        if found.etag and (page.versions or page.sdists):
            self._store.put(_PAGES, key, found.pack())
        return page

    def _fetch(self, url: str, kept: _Document | None) -> _Document | None:
        """Fetch a page, or take the kept one where the server says that it is current; None if there is none."""
        response = self._http.get(url, accept=ACCEPT, etag=kept.etag if kept else None)
        if response.status == _NOT_MODIFIED:
            return kept
        if response.status == _NOT_FOUND:
            return None
        content_type = response.headers.get("content-type", "")
        return _Document(
            etag=response.headers.get("etag"), content_type=content_type, url=response.url, body=response.body
        )

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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Document:
    """A fetched page; `url` is where it came from after redirects, without credentials."""

    etag: str | None
    content_type: str
    url: str
    body: bytes

    def parse(self, project: ProjectName) -> ProjectPage:
        return parse_page(self.body, content_type=self.content_type, url=self.url, project=project)

    def pack(self) -> bytes:
        return json.dumps([self.etag, self.content_type, self.url]).encode() + b"\n" + self.body

    @classmethod
    def unpack(cls, kept: bytes | None) -> _Document | None:
        if kept is None:
            return None
        head, _, body = kept.partition(b"\n")
        etag, content_type, url = json.loads(head)
        return cls(etag=etag, content_type=content_type, url=url, body=body)
