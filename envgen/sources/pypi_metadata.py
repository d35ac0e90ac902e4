"""A wheel's METADATA without the wheel: beside it (PEP 658), by ranges from its zip directory, or else as a whole."""

from __future__ import annotations

import io
import lzma
import struct
import zipfile
import zlib
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from envgen.digest import Sha256
from envgen.errors import ArtifactError, DigestMismatchError
from envgen.sources import metadata_cache
from envgen.system.http import RangeUnsupportedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import BinaryIO

    from envgen.sources.pypi_page import ProjectFile
    from envgen.system.http import Http
    from envgen.system.store import Store

_BLOCK = 1 << 15
"""Bytes of the grid on which ranges are fetched."""

_TAIL = 2 * _BLOCK
"""Bytes of the first range: METADATA and directory of most wheels lie in it."""

_LARGEST = 8 << 20
"""Bytes of METADATA beyond which a wheel is refused: real ones end below one MiB."""

_OK = 200

_DAMAGED = (zlib.error, lzma.LZMAError, struct.error, EOFError, RuntimeError, ValueError)
"""What `zipfile` raises for damaged zips beside its own BadZipFile: for a bad or short stream, for an odd version or
method (NotImplementedError, a RuntimeError), for a flag of encryption, for a name that is no UTF-8."""


class MetadataReader:
    """Reads METADATA of listed wheels and keeps it for ever by the wheel's sha256."""

    def __init__(self, *, http: Http, store: Store) -> None:
        self._http = http
        self._store = store

    def read(self, file: ProjectFile, sha: Sha256) -> bytes:
        """Return the METADATA of the wheel `file`, whose digest is `sha`.

        Raises:
            ArtifactError: the wheel has no readable METADATA.
            NetworkError: it cannot be had.
        """
        if (raw := metadata_cache.known(self._store, sha)) is not None:
            return raw
        found = self._beside(file)
        raw = self._inside(file, sha) if found is None else found
        metadata_cache.keep(self._store, sha, raw)
        return raw

    def _beside(self, file: ProjectFile) -> bytes | None:
        """Fetch the PEP 658 file; None where the index has none, also where it said that it has."""
        if not file.metadata:
            return None
        url = f"{file.url}.metadata"
        response = self._http.get(url)
        if response.status != _OK:
            return None
        if isinstance(file.metadata, Sha256) and (got := Sha256.of(response.body)) != file.metadata:
            what = f"METADATA of {file.filename}"
            raise DigestMismatchError(what=what, where="the wheel index", expected=file.metadata, got=got)
        return response.body

    def _inside(self, file: ProjectFile, sha: Sha256) -> bytes:
        try:
            return metadata_of(self._remote(file), file.filename)
        except RangeUnsupportedError:
            pass  # then the whole file
        except zipfile.BadZipFile:
            pass  # a proxy that cuts ranges wrongly; the whole file is checked against its digest
        return self._from_whole(file, sha)

    def _remote(self, file: ProjectFile) -> RangeFile:
        """Open the wheel with its end already there: the directory, and usually METADATA just before it."""
        if file.size is None:  # HTML pages have no sizes, and some servers no ranges that count from the end
            tail, size = self._http.get_tail(file.url, _TAIL)
        else:
            size = file.size
            tail = self._http.get_range(file.url, max(0, size - _TAIL), size - 1)
        return RangeFile(lambda start, end: self._http.get_range(file.url, start, end), size=size, tail=tail)

    def _from_whole(self, file: ProjectFile, sha: Sha256) -> bytes:
        def fetch(out: BinaryIO) -> None:
            self._http.download(file.url, out, expected=sha, size=file.size)

        path = self._store.ensure_artifact(sha, fetch)
        try:
            with path.open("rb") as stream:
                return metadata_of(stream, file.filename)
        except zipfile.BadZipFile as error:
            raise ArtifactError(f"`{file.filename}` is not a usable zip file: {error}") from error


class RangeFile(io.RawIOBase):
    """A remote file of known size as a seekable stream; fetches what is read, in whole blocks, once.

    Args:
        fetch: `fetch(start, end)` returns the bytes from `start` to `end`, both included.
        size: bytes of the remote file.
        tail: the last bytes of it, a multiple of the block unless they are all.
    """

    def __init__(self, fetch: Callable[[int, int], bytes], *, size: int, tail: bytes) -> None:
        super().__init__()
        self._fetch = fetch
        self._size = size
        self._pad = -size % _BLOCK  # blocks count from the end of the file: only its first one is short
        self._position = 0
        self._blocks: dict[int, bytes] = {}
        self._keep(size - len(tail), size, tail)

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def seekable(self) -> bool:
        """Say that it can be sought."""
        return True

    def tell(self) -> int:
        """Return the position of the next read."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Set the position of the next read."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def read(self, size: int = -1, /) -> bytes:
        """Read up to `size` bytes, all that is left if negative."""
        start = self._position
        end = self._size if size < 0 else min(start + size, self._size)
        if start >= end:
            return b""
        first, last = (start + self._pad) // _BLOCK, (end - 1 + self._pad) // _BLOCK
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
            raise zipfile.BadZipFile(f"bytes {start} to {end} came as {len(data)} bytes")
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
        zipfile.BadZipFile: the stream is no zip file, or a damaged one.
    """
    try:
        return _metadata_of(stream, filename)
    except (*_DAMAGED, OSError) as error:
        if isinstance(error, OSError) and error.errno:  # the system's fault; bzip2's for a bad stream has no number
            raise
        raise zipfile.BadZipFile(f"it cannot be read: {error!r}") from error


def _metadata_of(stream: io.RawIOBase | BinaryIO, filename: str) -> bytes:
    with zipfile.ZipFile(stream) as wheel:
        found = [info for info in wheel.infolist() if _is_metadata(info.filename)]
        if len(found) > 1:
            project = canonicalize_name(filename.partition("-")[0])
            found = [i for i in found if canonicalize_name(i.filename.partition("-")[0]) == project]
        if len(found) != 1:
            raise ArtifactError(f"`{filename}` has {len(found)} METADATA files, expected one")
        if found[0].file_size > _LARGEST:
            raise ArtifactError(f"METADATA of `{filename}` has {found[0].file_size} bytes, expected at most {_LARGEST}")
        return wheel.read(found[0])


def _is_metadata(member: str) -> bool:
    return member.endswith(".dist-info/METADATA") and member.count("/") == 1
