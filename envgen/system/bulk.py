"""Large bodies, received by a client that needs the interpreter's lock once for 400 KiB, not for each packet of 16 KiB.

It receives and decrypts in a thread of its own, while others inflate. Of 1.6 GB it takes 2.2 CPU s where the library of
`pools` takes 4. HTTP/2 takes 3.6: its windows hold the server back.

The client stands on rustls, which refuses some certificates that OpenSSL takes, and says less of what went wrong. So it
is an extra: where it gets no answer, the request goes to the pool, which knows what to say.
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from datetime import timedelta
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

from envgen.system.connection import USER_AGENT, ca_file, lost_connection, silent
from envgen.system.credentials import display, without_login
from envgen.system.pace import Pace
from envgen.system.pools import CONNECT_TIMEOUT, CONNECTIONS, READ_TIMEOUT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pyreqwest.client import SyncClient
    from pyreqwest.request import SyncStreamRequest

LARGE = 1 << 20
"""Bytes of a body that is worth a connection of its own; the pool's may be open already."""

_AT_ONCE = 1
"""Bytes that the client collects before it hands them on: none, so that a drip is seen."""


class BulkAnswer:
    """An answer whose body is received in the background, 1 MB ahead of its reader.

    Attributes:
        status: of HTTP.
        reason: of that status.
        headers: lower-case names.
    """

    def __init__(self, request: SyncStreamRequest, host: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._request = request
        self._host = host
        self._clock = clock
        self._pace = Pace()
        self._response = request.__enter__()
        self.status = self._response.status
        self.reason = HTTPStatus(self.status).phrase if self.status in set(HTTPStatus) else ""
        self.headers = {name.lower(): value for name, value in self._response.headers.items()}

    def read(self, most: int) -> bytes:  # noqa: ARG002  cutting pieces would copy them
        """Return the next bytes, as many as came together; none at the end.

        Raises:
            DripError: they come too slowly.
            TransientError: the connection was lost.
        """
        from pyreqwest.exceptions import PyreqwestError, ReadTimeoutError  # noqa: PLC0415  loaded where it is used

        before = self._clock()
        try:
            data = self._response.body_reader.read_chunk()
        except ReadTimeoutError as error:
            raise silent(self._host, READ_TIMEOUT) from error
        except PyreqwestError as error:
            raise lost_connection(self._host, _cause(error)) from error
        self._pace.count(len(data or b""), self._clock() - before)
        return cast("bytes", data or b"")  # a buffer of the client: what a reader does with bytes, it can do with it

    def put_away(self) -> None:
        """Return the connection if its body was read to the end, else close it."""
        self._request.__exit__(None, None, None)


class BulkClient:
    """Asks for large bodies; thread safe.

    Args:
        environment: certificates; see `connection`.
        detail: hears of servers that are left to the pool.
    """

    def __init__(self, environment: Mapping[str, str], detail: Callable[[str], object]) -> None:
        self._environment = environment
        self._detail = detail
        self._lock = threading.Lock()
        self._clients: dict[str | None, SyncClient | None] = {}
        self._left: set[str] = set()

    def ask(self, url: str, headers: Mapping[str, str], *, proxy: str | None) -> BulkAnswer | None:
        """Send a GET request; None where the pool must ask.

        A client trusts the CA certificates of the machine besides those that a variable names. So a login goes to the
        pool where one does.
        """
        server = urlsplit(url)
        if server.netloc in self._left or ("Authorization" in headers and ca_file(self._environment)):
            return None
        client = self._client(proxy)
        if client is None:
            return None
        from pyreqwest.exceptions import PyreqwestError  # noqa: PLC0415

        try:
            request = client.get(url).headers(dict(headers)).streamed_read_buffer_limit(_AT_ONCE).build_streamed()
            return BulkAnswer(request, server.hostname or "")
        except (PyreqwestError, ValueError) as error:
            self._left.add(server.netloc)
            self._detail(f"{display(url)}: leaving this server to the other HTTP client ({_cause(error)})")
            return None

    def close(self) -> None:
        """Close idle connections."""
        with self._lock:
            for client in self._clients.values():
                if client:
                    client.close()
            self._clients.clear()

    def _client(self, proxy: str | None) -> SyncClient | None:
        with self._lock:
            if proxy not in self._clients:
                self._clients[proxy] = None
                # no certificates, or no thread or file to be had: the pool says so, or can do with less
                with suppress(OSError, RuntimeError, ValueError):
                    self._clients[proxy] = _new_client(proxy, self._environment)
            return self._clients[proxy]


@cache
def _load() -> None:
    """Load the library in a thread that stays until the process ends.

    Its allocator, mimalloc 3.3, takes the thread that loads it for the main one. Were that to end, a later thread that
    gets the same address would crash the process: https://github.com/microsoft/mimalloc/issues/1287

    Raises:
        RuntimeError: no thread is to be had.
    """
    loaded = threading.Event()

    def stay() -> None:
        with suppress(ImportError):  # the caller meets it as well, and raises it
            import pyreqwest.client  # noqa: F401, PLC0415  loaded where it is used
        loaded.set()
        threading.Event().wait()

    threading.Thread(target=stay, daemon=True).start()
    loaded.wait()


def _new_client(proxy: str | None, environment: Mapping[str, str]) -> SyncClient:
    _load()
    from pyreqwest.client import SyncClientBuilder  # noqa: PLC0415
    from pyreqwest.proxy import ProxyBuilder  # noqa: PLC0415

    builder = SyncClientBuilder().follow_redirects(False).referer(False).no_proxy().http1_only()
    builder = builder.gzip(False).brotli(False).zstd(False).deflate(False)
    builder = builder.connect_timeout(timedelta(seconds=CONNECT_TIMEOUT)).read_timeout(timedelta(seconds=READ_TIMEOUT))
    builder = builder.pool_max_idle_per_host(CONNECTIONS).user_agent(USER_AGENT)  # for proxies
    if authorities := ca_file(environment):
        builder = builder.add_root_certificate_pem(authorities.read_bytes())
    if proxy:
        bare, login = without_login(proxy)
        through = ProxyBuilder.all(bare)
        builder = builder.proxy(through.custom_http_auth(login.value) if login else through)
    return builder.build()


def _cause(error: Exception) -> str:
    causes = getattr(error, "details", {}).get("causes") or [{"message": str(error)}]
    return str(causes[-1]["message"])
