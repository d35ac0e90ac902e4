"""A loopback HTTP server for tests: files with ETags and ranges, and faults on request."""

from __future__ import annotations

import _thread
import hashlib
import ssl
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from msgspec import Struct, field

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

LIFETIME = 600.0
"""Seconds after which a forgotten server stops by itself, and refuses connections."""

_PIECE = 64 << 10


class Faults(Struct, frozen=True, kw_only=True):
    """What goes wrong. Counts are per path.

    Attributes:
        drop_after: close the connection after that many bytes of a body ...
        drops: ... this many times.
        unavailable: answer 503 this many times first.
        retry_after: the header of those answers.
        missing: paths that answer 404.
        gone: paths that answer 410.
        statuses: path -> the status that it always answers.
        pages: paths that answer 200 with a page for people, as the sign-in page of a network does.
        unchanged: paths that answer 304, whatever was asked.
        redirect: path -> where it has moved to.
        pause: seconds between pieces of 64 KiB ...
        paused: ... of these paths; of all where there are none.
        silent: paths that are answered after that many seconds: path -> seconds.
        ranges: False ignores Range headers.
        etags: False sends none.
        etag: the one to send with every body, whatever it is.
        authorization: answer 401 unless the Authorization header is this one.
        bearer: answer 401 unless the Authorization header has this token, which `/token` gives to anybody.
        realm: where the 401 says that tokens are.
        altered: paths whose bodies have their last byte flipped.
        content_types: path -> Content-Type; `application/octet-stream` otherwise.
        headers: sent with every body.
    """

    drop_after: int | None = None
    drops: int = 1
    unavailable: int = 0
    retry_after: str | None = None
    missing: frozenset[str] = frozenset()
    gone: frozenset[str] = frozenset()
    statuses: Mapping[str, int] = field(default_factory=dict)
    pages: frozenset[str] = frozenset()
    unchanged: frozenset[str] = frozenset()
    redirect: Mapping[str, str] = field(default_factory=dict)
    pause: float = 0
    paused: frozenset[str] = frozenset()
    silent: Mapping[str, float] = field(default_factory=dict)
    ranges: bool = True
    etags: bool = True
    etag: str | None = None
    authorization: str | None = None
    bearer: str | None = None
    realm: str = "/token"
    altered: frozenset[str] = frozenset()
    content_types: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


class Request(Struct, frozen=True, kw_only=True):
    """One request as it came in: unquoted path without query, lower-case header names, port of the client."""

    method: str
    path: str
    headers: dict[str, str]
    client: int


class Server:
    """A running server: its base URL without a trailing slash, and what it was asked."""

    def __init__(self, content: Path | Mapping[str, bytes], faults: Faults, certificate: Path | None) -> None:
        self.content = content
        self.faults = faults
        self.requests: list[Request] = []
        self._counts: dict[tuple[str, str], int] = {}
        self._lock = threading.Lock()
        self.http = _HTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"owner": self}))
        self.url = f"{'https' if certificate else 'http'}://127.0.0.1:{self.http.server_address[1]}"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.http.socket = context.wrap_socket(self.http.socket, server_side=True, do_handshake_on_connect=False)

    def stop(self) -> None:
        """Accept no more connections. Those to a socket that only listens would wait, and hang whoever made them."""
        self.http.shutdown()
        self.http.server_close()

    def paths(self) -> list[str]:
        """List the paths that were asked for, in order."""
        return [request.path for request in self.requests]

    def spend(self, kind: str, path: str, budget: int) -> bool:
        """Use one of `budget` faults of a kind on a path; return False when they are used up."""
        with self._lock:
            used = self._counts.get((kind, path), 0)
            self._counts[kind, path] = used + 1
        return used < budget

    def body(self, path: str) -> bytes | None:
        """Read what lies at a path; a folder serves its `index.html`."""
        if not isinstance(self.content, Path):
            found = self.content.get(path)
        else:
            file = (self.content / path.lstrip("/")).resolve()
            file = file / "index.html" if file.is_dir() else file
            inside = file.is_relative_to(self.content.resolve()) and file.is_file()
            found = file.read_bytes() if inside else None
        if found and path in self.faults.altered:
            return found[:-1] + bytes([found[-1] ^ 1])
        return found


@contextmanager
def serve(
    content: Path | Mapping[str, bytes],
    *,
    faults: Faults | None = None,
    certificate: Path | None = None,
    lifetime: float = LIFETIME,
) -> Iterator[Server]:
    """Serve while the block lasts.

    Args:
        content: a folder, or a mapping of path (`/a/b`, unquoted, no query) to bytes.
        faults: what goes wrong.
        certificate: a PEM file with key and certificates makes it a TLS server.
        lifetime: seconds after which it stops by itself, and refuses connections.
    """
    server = Server(content, faults or Faults(), certificate)
    thread = threading.Thread(target=server.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    watchdog = threading.Timer(lifetime, server.stop)
    watchdog.daemon = True
    thread.start()
    watchdog.start()
    try:
        yield server
    finally:
        watchdog.cancel()
        server.stop()
        thread.join(timeout=5)


class _HTTPServer(ThreadingHTTPServer):
    """Answers each connection in a thread that `threading`, and so coverage, does not know.

    In CPython 3.11 a thread fails to start where another one begins to be traced at the same moment.
    """

    def process_request(self, request: Any, client_address: Any) -> None:
        _thread.start_new_thread(self.process_request_thread, (request, client_address))


class _Handler(BaseHTTPRequestHandler):
    owner: Server
    protocol_version = "HTTP/1.1"
    timeout = 10

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the base class's name
        """Print nothing."""

    def handle(self) -> None:
        try:
            super().handle()
        except (ConnectionError, ssl.SSLError):  # the client went away, or does not trust us
            self.close_connection = True

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.owner.requests.append(
            Request(method=self.command, path=path, headers=headers, client=self.client_address[1])
        )
        time.sleep(self.owner.faults.silent.get(path, 0))
        if not self._refuse(path):
            self._answer(path, headers)

    def _refuse(self, path: str) -> bool:
        faults = self.owner.faults
        if self.owner.spend("503", path, faults.unavailable):
            self._empty(503, {"Retry-After": faults.retry_after} if faults.retry_after else {})
        elif faults.authorization and self.headers.get("Authorization") != faults.authorization:
            self._empty(401, {"WWW-Authenticate": "Basic"})
        elif faults.bearer and path != "/token" and self.headers.get("Authorization") != f"Bearer {faults.bearer}":
            self._empty(401, {"WWW-Authenticate": f'Bearer realm="{faults.realm}",service="test"'})
        elif path in faults.redirect:
            self._empty(302, {"Location": faults.redirect[path]})
        elif path in faults.gone:
            self._empty(410, {})
        elif path in faults.statuses:
            self._empty(faults.statuses[path], {})
        elif path in faults.pages:
            self._empty(200, {"Content-Type": "text/html"})
        elif path in faults.unchanged:
            self._empty(304, {})
        elif path in faults.missing or self.owner.body(path) is None:
            self._empty(404, {})
        else:
            return False
        return True

    def _answer(self, path: str, headers: dict[str, str]) -> None:
        body = self.owner.body(path) or b""
        faults = self.owner.faults
        etag = faults.etag or f'"{hashlib.sha256(body).hexdigest()[:16]}"'
        extra = {"Content-Type": faults.content_types.get(path, "application/octet-stream")} | dict(faults.headers)
        if faults.etags:
            extra["ETag"] = etag
            if headers.get("if-none-match") == etag:
                return self._empty(304, extra)
        wanted = self._range(headers, len(body), etag) if faults.ranges else None
        if wanted is None:
            return self._send(200, body, extra)
        start, end = wanted
        if start > end:
            return self._empty(416, {"Content-Range": f"bytes */{len(body)}"})
        return self._send(206, body[start : end + 1], extra | {"Content-Range": f"bytes {start}-{end}/{len(body)}"})

    def _range(self, headers: dict[str, str], length: int, etag: str) -> tuple[int, int] | None:
        text = headers.get("range", "")
        if not text.startswith("bytes=") or headers.get("if-range", etag) != etag:
            return None
        first, _, last = text.removeprefix("bytes=").partition("-")
        if not first:
            return max(0, length - int(last)), length - 1
        return int(first), min(int(last), length - 1) if last else length - 1

    def _empty(self, status: int, headers: Mapping[str, str]) -> None:
        """Answer without content, with a short page where the protocol allows it, as real servers do."""
        page = b"" if status == 304 or self.command == "HEAD" else b"<html>as the status says</html>"
        self._head(status, len(page), headers)
        self.wfile.write(page)

    def _head(self, status: int, length: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status not in {204, 304}:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def _send(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        faults = self.owner.faults
        self._head(status, len(body), headers)
        if self.command == "HEAD":
            return
        drop = faults.drop_after is not None and self.owner.spend("drop", self.path, faults.drops)
        if drop:
            body = body[: faults.drop_after]
            self.close_connection = True
        for at in range(0, len(body), _PIECE):
            self.wfile.write(body[at : at + _PIECE])
            if faults.pause and (not faults.paused or self.path in faults.paused):
                time.sleep(faults.pause)
