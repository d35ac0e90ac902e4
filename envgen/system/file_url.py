"""`file:` URLs, answered as a server would: mirrors and channels may be folders."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from envgen.errors import NetworkError
from envgen.system.streamed_response import StreamedResponse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@contextmanager
def open_file_url(url: str, headers: Mapping[str, str]) -> Iterator[StreamedResponse]:
    """Open a local file; of a folder its `index.html`. Ranges work.

    Raises:
        NetworkError: the URL names another machine, or the file cannot be read.
    """
    path = file_path(url)
    try:
        stream = (path / "index.html" if path.is_dir() else path).open("rb")
    except FileNotFoundError:
        yield StreamedResponse(url=url, status=404, headers={}, read=lambda _: b"")
        return
    except OSError as error:
        raise NetworkError(f"failed to read `{path}`: {error.strerror}") from error
    with stream:
        size = path.stat().st_size
        start, end = byte_range(headers.get("Range"), size)
        stream.seek(start)
        left = end - start + 1

        def read(most: int) -> bytes:
            nonlocal left
            data = stream.read(min(most, left))
            left -= len(data)
            return data

        whole = "Range" not in headers
        head = {} if whole else {"content-range": f"bytes {start}-{end}/{size}"}
        yield StreamedResponse(url=url, status=200 if whole else 206, headers=head, read=read)


def is_file_url(url: str) -> bool:
    """Return whether a URL names a file of this machine."""
    return url.startswith("file:")


def file_path(url: str) -> Path:
    """Return the path of a `file:` URL.

    Raises:
        NetworkError: it names another machine.
    """
    parts = urlsplit(url)
    if parts.netloc not in {"", "localhost"}:
        raise NetworkError(f"{url} refers to another machine", hint="write file URLs with three slashes: file:///path")
    return Path(unquote(parts.path))


def byte_range(header: str | None, size: int) -> tuple[int, int]:
    """Read `bytes=3-9`, `bytes=3-` or `bytes=-7`: first and last position in a file of `size` bytes."""
    first, _, last = (header or "bytes=0-").removeprefix("bytes=").partition("-")
    if not first:
        return max(0, size - int(last)), size - 1
    return int(first), min(int(last or size), size - 1)
