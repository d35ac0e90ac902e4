"""The suites of a Debian archive: their signed releases, and what each offers for one architecture.

Both are read once in the life of a `DebianSuites`, for all callers: recipes and the base of an image share suites, and
platforms share their releases.
"""

from __future__ import annotations

import io
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, TypeVar, cast
from urllib.parse import urlsplit

import zstandard
from msgspec import Struct

from envgen import limits
from envgen.debs import DebianArea
from envgen.digest import Sha256
from envgen.errors import ArtifactError, DigestMismatchError, NetworkError, UnsatisfiableError
from envgen.inflate import Inflated, InflateError
from envgen.sources.debian_age import remark_on_clock
from envgen.sources.debian_contents import condense_contents, keep_libraries, parse_libraries
from envgen.sources.debian_index import PackageIndex, condense
from envgen.sources.debian_release import verify_release
from envgen.system import child
from envgen.system.child import ChildError
from envgen.system.credentials import display

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Hashable, Mapping, Sequence
    from pathlib import Path
    from typing import BinaryIO

    from envgen.sources.debian_release import Index, Release
    from envgen.system.http import Http
    from envgen.system.mirrors import Mirrors
    from envgen.system.store import Store

    T = TypeVar("T")

_CACHE_KIND = "debian-index-2"
"""Kind of the condensed indices in the store; the number changes with what `condense` makes."""

_CONTENTS_KIND = "debian-contents-1"
"""Kind of the condensed `Contents` in the store."""

_PACKED = (".gz", ".xz")
"""How indices are packed, best first: `Packages.gz` is a third larger than xz, and unpacked in a fifth of the time."""

_MAX_RELEASE = 8 << 20
"""Bytes of an `InRelease`; Debian's largest has 150 kB."""

_MAX_INDEX = 256 << 20
"""Bytes of a packed `Packages`; Debian's largest has 9 MB."""

_WORTH_A_CHILD = 1 << 20
"""Bytes of a packed `Packages` that take longer to condense than a process to start."""


class DatedRelease(Struct, frozen=True, kw_only=True):
    """A release, and what the clock says of it.

    Attributes:
        release: verified.
        date: when it was made, now where that is in the future.
        remark: that this machine's clock is not right, in words; None where it seems to be.
    """

    release: Release
    date: dt.datetime
    remark: str | None


class DebianSuites:
    """Reads suites, each of them once; any number of threads may ask.

    Args:
        http: the network.
        store: keeps condensed indices.
        mirrors: say where this machine reaches the archive.
        keys: returns the OpenPGP certificates that may sign releases; asked when there is a release to verify.
        now: aware; releases that have expired by then are refused.
        component: which part of the suites.
    """

    def __init__(
        self,
        *,
        http: Http,
        store: Store,
        mirrors: Mirrors,
        keys: Callable[[], Sequence[bytes]],
        now: dt.datetime,
        component: str = "main",
    ) -> None:
        self._http = http
        self._store = store
        self._mirrors = mirrors
        self._keys = keys
        self._now = now
        self._component = component
        self._lock = threading.Lock()
        self._asked: dict[Hashable, Future[object]] = {}

    def load(
        self, suites: Sequence[str], architecture: str
    ) -> tuple[tuple[PackageIndex, ...], Mapping[str, DatedRelease]]:
        """Return what some suites offer for an architecture, in their order, and their releases.

        Raises:
            UnsatisfiableError: a suite has no such architecture.
            NetworkError, IntegrityError: a release or an index cannot be had, or is not what was signed.
        """
        with ThreadPoolExecutor(max_workers=len(suites) or 1) as pool:
            indices = tuple(pool.map(lambda suite: self._index(suite, architecture), suites))
        return indices, {suite: self._release(suite) for suite in suites}

    def libraries(self, suites: Sequence[str], architecture: str) -> Mapping[str, tuple[str, ...]]:
        """Return which packages of some suites have a shared library: its file name -> their names.

        What was found is kept in the store for those who ask without a network.

        Raises:
            NetworkError, IntegrityError: an index cannot be had, or is not what was signed.
        """
        with ThreadPoolExecutor(max_workers=len(suites) or 1) as pool:
            condensed = list(pool.map(lambda suite: self._contents(suite, architecture), suites))
        keep_libraries(self._store, dict(zip(suites, condensed, strict=True)), architecture)
        return parse_libraries(condensed)

    def locate(self, url: str) -> str:
        """Return where the mirror of this machine has what the lock has at `url`."""
        return self._mirrors.expand(url)

    def _release(self, suite: str) -> DatedRelease:
        return self._once(("release", suite), lambda: self._fetch_release(suite))

    def _index(self, suite: str, architecture: str) -> PackageIndex:
        release = self._release(suite).release
        return self._once(("index", suite, architecture), lambda: self._read_index(release, architecture))

    def _once(self, key: Hashable, work: Callable[[], T]) -> T:
        """Return the answer to a question; later callers wait for the first one."""
        with self._lock:
            is_first = key not in self._asked
            future = self._asked.setdefault(key, Future())
        if is_first:
            try:
                future.set_result(work())
            except BaseException as error:  # noqa: BLE001  raised for everybody who asks, below
                future.set_exception(error)
        return future.result()  # type: ignore[return-value]  # a key always stands for one type of answer

    def _fetch_release(self, suite: str) -> DatedRelease:
        url = self._expand(suite, "InRelease")
        response = self._http.get(url, limit=_MAX_RELEASE)
        if response.status == HTTPStatus.NOT_FOUND:
            raise NetworkError(f"{display(url)} does not exist", hint=f"check that the mirror has the suite {suite}")
        found = verify_release(response.body, suite=suite, keys=self._keys(), now=self._now)
        where = urlsplit(url).hostname or display(url)
        remark = remark_on_clock(found, headers=response.headers, where=where, now=self._now)
        return DatedRelease(release=found, date=min(found.date, self._now), remark=remark)

    def _read_index(self, release: Release, architecture: str) -> PackageIndex:
        path = f"{self._component}/binary-{architecture}/Packages"
        index = next((release.indices[path + end] for end in _PACKED if path + end in release.indices), None)
        if index is None:
            raise UnsatisfiableError(
                f"Debian suite {release.suite} has no `{path}`", hint="choose another suite or platform"
            )
        condensed = self._store.cached(_CACHE_KIND, index.sha256)
        if condensed is None:
            condensed = self._condense(release, index)
            self._store.put(_CACHE_KIND, index.sha256, condensed)
        return PackageIndex(zstandard.decompress(condensed), archive=DebianArea.of_suite(release.suite))

    def _contents(self, suite: str, architecture: str) -> bytes:
        """Return the condensed `Contents` of a suite; empty where it has none, as those of point releases."""
        release = self._release(suite).release
        path = f"{self._component}/Contents-{architecture}.gz"
        index = release.indices.get(path)
        if index is None:
            return b""
        found = self._store.cached(_CONTENTS_KIND, index.sha256)
        if found is None:
            stream = Inflated(io.BytesIO(self._fetch(release, index)), ".gz", limit=limits.DEBIAN_INDEX)
            try:
                found = condense_contents(stream)
            except InflateError as e:
                raise ArtifactError(f"failed to unpack `{path}` of {suite}: {e}") from e
            self._store.put(_CONTENTS_KIND, index.sha256, found)
        return found

    def _condense(self, release: Release, index: Index) -> bytes:
        packed, ending = self._fetch(release, index), f".{index.path.rpartition('.')[2]}"
        try:
            if len(packed) < _WORTH_A_CHILD or not child.has_room():
                return condensed(io.BytesIO(packed), ending)
            with self._store.view() as folder:  # a file is not copied on its way, and not held here meanwhile
                (file := folder / "Packages").write_bytes(packed)
                del packed
                with suppress(ChildError):
                    return cast("bytes", child.call(condensed_file, file, ending))
                return condensed_file(file, ending)
        except InflateError as e:
            raise ArtifactError(f"failed to unpack `{index.path}` of {release.suite}: {e}") from e

    def _fetch(self, release: Release, index: Index) -> bytes:
        """Download an index by its digest, which a mirror in the middle of an update still has; else by name."""
        by_digest = f"{index.path.rpartition('/')[0]}/by-hash/SHA256/{index.sha256}"
        # Some mirrors copy no by-hash folders, whatever the release says.
        for path in (by_digest, index.path) if release.by_hash else (index.path,):
            url = self._expand(release.suite, path)
            response = self._http.get(url, limit=_MAX_INDEX)
            if response.status != HTTPStatus.NOT_FOUND:
                return _verified(response.body, index, where=response.url)
        raise NetworkError(
            f"{display(url)} does not exist", hint="the mirror is incomplete or is being updated: try again later"
        )

    def _expand(self, suite: str, path: str) -> str:
        return self._mirrors.expand(f"{DebianArea.of_suite(suite).placeholder}/dists/{suite}/{path}")


def condensed(packed: BinaryIO, ending: str) -> bytes:
    """Return a packed `Packages` file as the store keeps it.

    Raises:
        InflateError: it is damaged, or too large.
    """
    stream = Inflated(packed, ending, limit=limits.DEBIAN_INDEX)
    return zstandard.compress(condense(stream), 1)  # 3 takes 40 ms more and saves 3 %


def condensed_file(file: Path, ending: str) -> bytes:
    """Return `condensed` of a file, which a child reads itself."""
    with file.open("rb") as packed:
        return condensed(packed, ending)


def _verified(data: bytes, index: Index, *, where: str) -> bytes:
    got = Sha256.of(data)
    if got != index.sha256:
        raise DigestMismatchError(
            what=f"`{index.path}`",
            where=display(where),
            expected=index.sha256,
            got=got,
            hint="the mirror is being updated, or modifies files",
        )
    return data
