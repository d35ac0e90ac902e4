"""Files that an index gives no sha256 for: hashed by download, so that a lock can pin them."""

from __future__ import annotations

import json
import shutil
import tempfile
from typing import TYPE_CHECKING, BinaryIO

from envgen.digest import Digest, Sha256, chunks
from envgen.errors import IntegrityError, NetworkError
from envgen.system.file_url import file_path
from envgen.urls import display

if TYPE_CHECKING:
    from envgen.system.http import Http
    from envgen.system.store import Store

_KIND = "unproven"
_UNCHANGED = 304


def measure(http: Http, store: Store, url: str, *, stated: str = "") -> Sha256:
    """Return the digest of a file as its server has it now.

    A file that was downloaded for this before is not downloaded again where the server says by ETag that it is still
    the same one. What is downloaded stays in the store as an artifact.

    Args:
        http: the network.
        store: keeps the file.
        url: of the file.
        stated: another digest that the index gives for it, `md5=…`; empty for none.

    Raises:
        NetworkError: it cannot be had.
        IntegrityError: it has another digest than is stated.
    """
    if url.startswith("file:"):
        with _open(url) as stream:
            _compare(stream, stated, url)
            return _digest(stream)
    key = Sha256.of(url.encode())
    if known := _known(http, store, key, url):
        return known
    with tempfile.TemporaryFile(dir=store.root) as out:
        etag = http.download_unproven(url, out)
        _compare(out, stated, url)
        found = _digest(out)
        out.seek(0)
        store.ensure_artifact(found, lambda into: shutil.copyfileobj(out, into))
    if etag:
        store.put(_KIND, key, json.dumps([etag, found]).encode())
    return found


def _open(url: str) -> BinaryIO:
    path = file_path(url)
    try:
        return path.open("rb")
    except OSError as error:
        raise NetworkError(f"failed to read `{path}`: {error.strerror}") from error


def _compare(stream: BinaryIO, stated: str, url: str) -> None:
    """Compare a file with a digest of any kind, and go back to its start."""
    stream.seek(0)
    algorithm, _, expected = stated.partition("=")
    if not expected:
        return
    digest = Digest(algorithm)
    for data in chunks(stream):
        digest.update(data)
    stream.seek(0)
    if digest.hexdigest() != expected:
        raise IntegrityError(f"{display(url)} has {algorithm} {digest.hexdigest()}, its index has {expected}")


def _digest(stream: BinaryIO) -> Sha256:
    digest = Digest()
    for data in chunks(stream):
        digest.update(data)
    return digest.sha256


def _known(http: Http, store: Store, key: Sha256, url: str) -> Sha256 | None:
    """Return the digest that is kept of a file, if its server says that the file is still the same one."""
    kept = store.cached(_KIND, key)
    if kept is None:
        return None
    etag, sha = json.loads(kept)
    return Sha256.parse(sha) if http.is_unchanged(url, etag) else None
