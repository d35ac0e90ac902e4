"""A wheel's METADATA without the wheel: beside it (PEP 658), by ranges from its zip directory, or else as a whole."""

from __future__ import annotations

import io
import struct
import threading
import zipfile
import zlib
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion

from envgen import limits
from envgen.digest import Sha256
from envgen.errors import ArtifactError, InvalidMetadataError, NetworkError
from envgen.metadata import parse_metadata_of
from envgen.names import project_name
from envgen.sources import metadata_cache
from envgen.system.credentials import display
from envgen.system.http import RangeUnsupportedError

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterable
    from pathlib import Path
    from typing import BinaryIO

    from envgen.metadata import WheelMetadata
    from envgen.names import ProjectName
    from envgen.sources.pypi_page import ProjectFile
    from envgen.system.http import Http
    from envgen.system.store import Store

_BLOCK = 1 << 15
"""Bytes of the grid on which ranges are fetched."""

_TAIL = 2 * _BLOCK
"""Bytes of the first range: METADATA and directory of most wheels lie in it."""

_HELD = 16 << 20
"""Bytes of ends of wheels that are held for whoever reads their directories next: those of 256 wheels."""

_OK, _NOT_FOUND = 200, 404

_DAMAGED = (zlib.error, struct.error, EOFError, RuntimeError, ValueError)
"""What `zipfile` raises for damaged zips beside its own BadZipFile: for a bad or short stream, for an odd version or
method (NotImplementedError, a RuntimeError), for a flag of encryption, for a name that is no UTF-8."""


class _NotServedError(Exception):
    """A server answers with something that is not the METADATA of the wheel."""


class MetadataReader:
    """Reads METADATA of listed wheels; what a digest proves is kept for ever.

    Args:
        http: does the requests.
        store: keeps METADATA.
        warn: is told, once for each server, that it does not serve the METADATA that its index promises.
        now: aware; None where what no digest proves is not to be kept.
        recent: whether to take what was read without proof a while ago.

    Attributes:
        took_recent: whether something of that kind was taken.
    """

    def __init__(
        self,
        *,
        http: Http,
        store: Store,
        warn: Callable[[str], None],
        now: dt.datetime | None = None,
        recent: bool = False,
    ) -> None:
        self.took_recent = False
        self._now = now
        self._recent = recent
        self._http = http
        self._store = store
        self._warn = warn
        self._warned: set[str | None] = set()
        self._held = _Held()

    def open(self, file: ProjectFile) -> RangeFile:
        """Open a listed wheel to be read by ranges, with what was read of it for its METADATA; see `open_remote`."""
        if held := self._held.take(file.url):
            held.seek(0)
            return held
        return open_remote(self._http, file)

    def read(self, file: ProjectFile, sha: Sha256) -> WheelMetadata:
        """Return the METADATA of the wheel `file`, whose digest is `sha`.

        Raises:
            ArtifactError: the wheel has no readable METADATA, or that of another project or version.
            NetworkError: it cannot be had.
        """
        project, version = _identity(file.filename)
        promised = file.metadata if isinstance(file.metadata, Sha256) else None
        found = metadata_cache.proved(self._store, sha, project, version, promised=promised)
        if found is None and (path := self._store.artifact(sha)):
            found = self._of_artifact(path, file, sha)
        if found is None and file.metadata:
            try:
                found = self._beside(file, sha, promised)
            except _NotServedError as error:
                self._tell(file.url, str(error))
        return found or self._inside(file, sha)

    def _beside(self, file: ProjectFile, sha: Sha256, promised: Sha256 | None) -> WheelMetadata | None:
        """Fetch the PEP 658 file; None where there is none.

        Raises:
            _NotServedError: the server answers with something else.
            InvalidMetadataError: it is what the index promises, and not readable.
        """
        shown = display(f"{file.url}.metadata")
        try:
            response = self._http.get(f"{file.url}.metadata", limit=limits.METADATA, optional=True)
        except NetworkError as error:
            raise _NotServedError(str(error)) from error
        if response.status == _NOT_FOUND:
            return None
        if response.status != _OK:
            raise _NotServedError(f"{shown} returned status {response.status}")
        if promised and (got := Sha256.of(response.body)) != promised:
            raise _NotServedError(f"{shown} has sha256 {got}, expected {promised}")
        return self._checked(file, sha, promised, response.body)

    def _checked(self, file: ProjectFile, sha: Sha256, promised: Sha256 | None, raw: bytes) -> WheelMetadata:
        try:
            found = parse_metadata_of(raw, *_identity(file.filename))
        except ArtifactError as error:
            if promised and isinstance(error, InvalidMetadataError):
                raise  # the index made it from the wheel, which says the same
            what = f"{display(file.url)}.metadata is not the METADATA of that wheel: {error}"
            raise _NotServedError(what) from error
        if promised:
            metadata_cache.keep_promised(self._store, sha, promised, raw)
        return found

    def _tell(self, url: str, what: str) -> None:
        """Warn of a server once: what is wrong with one wheel's METADATA is mostly wrong with all of it."""
        host = urlsplit(url).hostname
        if host not in self._warned:
            self._warned.add(host)
            self._warn(f"{what}; reading metadata from the wheels of this server instead")

    def _inside(self, file: ProjectFile, sha: Sha256) -> WheelMetadata:
        identity = _identity(file.filename)
        if self._recent and self._now and (found := metadata_cache.recent(self._store, sha, *identity, now=self._now)):
            self.took_recent = True
            return found
        try:
            raw = metadata_of(remote := open_remote(self._http, file), file.filename)
        except RangeUnsupportedError:
            return self._from_whole(file, sha)
        except zipfile.BadZipFile:
            # a proxy that cuts ranges wrongly; the whole file is checked against its digest
            return self._from_whole(file, sha)
        found = parse_metadata_of(raw, *identity)
        self._held.put(file.url, remote)
        if self._now:
            metadata_cache.keep_recent(self._store, sha, raw, now=self._now)
        return found

    def _from_whole(self, file: ProjectFile, sha: Sha256) -> WheelMetadata:
        path = self._store.ensure_artifact(sha, lambda out: self._http.download(file.url, out, expected=sha))
        return self._of_artifact(path, file, sha)

    def _of_artifact(self, path: Path, file: ProjectFile, sha: Sha256) -> WheelMetadata:
        try:
            with path.open("rb") as stream:
                raw = metadata_of(stream, file.filename)
        except zipfile.BadZipFile as error:
            raise ArtifactError(f"`{file.filename}` is not a valid zip file: {error}") from error
        found = parse_metadata_of(raw, *_identity(file.filename))
        metadata_cache.keep_read(self._store, sha, raw)
        return found


class _Held:
    """Remote wheels of which the end is here, by address; those that were read last, as far as there is room."""

    def __init__(self) -> None:
        self._files: dict[str, RangeFile] = {}
        self._lock = threading.Lock()
        self._size = 0

    def put(self, url: str, file: RangeFile) -> None:
        with self._lock:
            self._drop(url)
            self._files[url] = file
            self._size += file.held
            while self._size > _HELD:
                self._drop(next(iter(self._files)))

    def take(self, url: str) -> RangeFile | None:
        with self._lock:
            return self._drop(url)

    def _drop(self, url: str) -> RangeFile | None:
        if found := self._files.pop(url, None):
            self._size -= found.held
        return found


def _identity(filename: str) -> tuple[ProjectName, str]:
    try:
        name, version, _, _ = parse_wheel_filename(filename)
    except (InvalidWheelFilename, InvalidVersion) as error:
        raise ArtifactError(f"`{filename}` is not the name of a wheel: {error}") from error
    return project_name(name), str(version)


def open_remote(http: Http, file: ProjectFile) -> RangeFile:
    """Open a listed wheel with its end already there: the directory, and usually METADATA just before it.

    Raises:
        RangeUnsupportedError: the server sends all or nothing.
        NetworkError: it cannot be had.
        zipfile.BadZipFile: other bytes came than were asked for.
    """
    return open_ranges(http, file.url, file.size)


def open_ranges(http: Http, url: str, expected: int | None, *, tail: int = _TAIL) -> RangeFile:
    """Open a remote file with its end already there; see `open_remote`.

    Args:
        http: does the requests.
        url: of the file.
        expected: its size, where an index or a lock says so; it may be wrong.
        tail: bytes of its end to fetch at once, a multiple of 32 KiB.
    """
    end, size = _end(http, url, expected, tail)
    return RangeFile(lambda first, last: http.get_range(url, first, last), size=size, tail=end)


def _end(http: Http, url: str, size: int | None, length: int) -> tuple[bytes, int]:
    """Fetch the last bytes, and the size; that of the index may be wrong, and HTML pages have none.

    Where the size is known, ranges are asked for from the front: some servers have none that count from the end.
    """
    if size is None:
        return http.get_tail(url, length)
    try:
        tail, real = http.get_part(url, max(0, size - length), size - 1)
    except RangeUnsupportedError:  # what begins beyond the end of the file is refused, too
        return http.get_tail(url, length)
    return (tail, size) if real == size else http.get_part(url, max(0, real - length), real - 1)


class RangeFile(io.RawIOBase):
    """A remote file of known size as a seekable stream; fetches what is read, in whole blocks, once.

    Args:
        fetch: `fetch(start, end)` returns the bytes from `start` to `end`, both included.
        size: bytes of the remote file.
        tail: the last bytes of it, a multiple of the block unless they are all.

    Attributes:
        size: bytes of the remote file.
    """

    def __init__(self, fetch: Callable[[int, int], bytes], *, size: int, tail: bytes) -> None:
        super().__init__()
        self._fetch = fetch
        self.size = size
        self._pad = -size % _BLOCK  # blocks count from the end of the file: only its first one is short
        self._position = 0
        self._blocks: dict[int, bytes] = {}
        self._keep(size - len(tail), size, tail)

    @property
    def held(self) -> int:
        """Return how many bytes of the file are here."""
        return sum(map(len, self._blocks.values()))

    @property
    def is_whole(self) -> bool:
        """Return whether every byte of the file is here."""
        return len(self._blocks) * _BLOCK >= self.size

    def readable(self) -> bool:
        """Return True: it can be read."""
        return True

    def seekable(self) -> bool:
        """Return True: it can be sought."""
        return True

    def tell(self) -> int:
        """Return the position of the next read."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Set the position of the next read."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def read(self, size: int = -1, /) -> bytes:
        """Read up to `size` bytes, all that is left if negative."""
        start = self._position
        end = self.size if size < 0 else min(start + size, self.size)
        if start >= end:
            return b""
        first, last = (start + self._pad) // _BLOCK, (end - 1 + self._pad) // _BLOCK
        if end - start > limits.WHEEL_DIRECTORY:
            raise ArtifactError(f"its directory has {end - start} bytes, expected at most {limits.WHEEL_DIRECTORY}")
        for gap in _runs(index for index in range(first, last + 1) if index not in self._blocks):
            low, high = self._start_of(gap.start), self._start_of(gap.stop)
            self._keep(low, high, self._fetch(low, high - 1))
        self._position = end
        joined = b"".join(self._blocks[index] for index in range(first, last + 1))
        return joined[start - self._start_of(first) : end - self._start_of(first)]

    def _start_of(self, block: int) -> int:
        return max(0, block * _BLOCK - self._pad)

    def _keep(self, start: int, end: int, data: bytes) -> None:
        if len(data) != end - start or start < 0:
            raise zipfile.BadZipFile(f"expected bytes {start} to {end}, got {len(data)} bytes")
        first, after = (start + self._pad) // _BLOCK, (end + self._pad) // _BLOCK
        for block in range(first, after):
            self._blocks[block] = data[self._start_of(block) - start : self._start_of(block + 1) - start]


def _runs(indices: Iterable[int]) -> list[range]:
    """Join increasing numbers into runs without a gap."""
    runs: list[range] = []
    for index in indices:
        if runs and runs[-1].stop == index:
            runs[-1] = range(runs[-1].start, index + 1)
        else:
            runs.append(range(index, index + 1))
    return runs


def metadata_of(stream: io.RawIOBase | BinaryIO, filename: str) -> bytes:
    """Read METADATA out of a wheel.

    Args:
        stream: the wheel, seekable.
        filename: of the wheel; says which `.dist-info` counts where there are several.

    Raises:
        ArtifactError: there is none, more than one, or an unreasonably large one.
        zipfile.BadZipFile: the stream is not a zip file, or a damaged one.
    """
    try:
        return _metadata_of(stream, filename)
    except (*_DAMAGED, OSError) as error:
        if isinstance(error, OSError) and error.errno:  # the system's fault; bzip2's for a bad stream has no number
            raise
        raise zipfile.BadZipFile(f"failed to read it: {error!r}") from error


def _metadata_of(stream: io.RawIOBase | BinaryIO, filename: str) -> bytes:
    with zipfile.ZipFile(stream) as wheel:
        found = [info for info in wheel.infolist() if _is_metadata(info.filename)]
        if len(found) > 1:
            project = canonicalize_name(filename.partition("-")[0])
            found = [i for i in found if canonicalize_name(i.filename.partition("-")[0]) == project]
        if len(found) != 1:
            raise ArtifactError(f"`{filename}` has {len(found)} METADATA files, expected one")
        return _content(wheel, found[0], filename)


def _content(wheel: zipfile.ZipFile, member: zipfile.ZipInfo, filename: str) -> bytes:
    """Read a member, no more of it than it declares: of DEFLATE alone `zipfile` inflates no more than is read."""
    method, size = member.compress_type, member.file_size
    if method not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise zipfile.BadZipFile(f"METADATA has compression method {method}, expected stored or deflated")
    if size > limits.METADATA:
        raise ArtifactError(f"METADATA of `{filename}` has {size} bytes, expected at most {limits.METADATA}")
    with wheel.open(member) as stream:
        return stream.read(size)


def _is_metadata(member: str) -> bool:
    return member.endswith(".dist-info/METADATA") and member.count("/") == 1
