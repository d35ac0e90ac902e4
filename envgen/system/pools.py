"""Pools of connections to servers, whose answers are read by `PacedSocket`."""

from __future__ import annotations

import io
from contextlib import suppress
from http.client import HTTPResponse
from typing import TYPE_CHECKING, Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

from envgen.system.credentials import without_login
from envgen.system.pace import DripError, PacedSocket

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

CONNECTIONS = 16
"""Open connections per server: with more, look-ups and handshakes failed in trials; with fewer the line stood idle."""

CONNECT_TIMEOUT, READ_TIMEOUT = 15.0, 60.0
"""Seconds to connect, and between two packets."""

_WORTH_READING = 64 << 10
"""Bytes: reading them is cheaper than a new connection with its TLS handshake."""

_SHARED: Mapping[str, Any] = {
    "maxsize": CONNECTIONS,
    "block": True,
    "timeout": urllib3.Timeout(connect=CONNECT_TIMEOUT, read=READ_TIMEOUT),
}
"""Options of the pools of all proxies."""


class _Response(HTTPResponse):
    """An answer that is read by `PacedSocket`."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fp = io.BufferedReader(PacedSocket(self.fp.detach()))


class _HttpConnection(HTTPConnection):
    response_class = _Response


class _HttpsConnection(HTTPSConnection):
    response_class = _Response


class _HttpPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _HttpConnection


class _HttpsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _HttpsConnection


def new_pool(proxy: str | None, context: ssl.SSLContext) -> urllib3.PoolManager:
    """Make the pools of a proxy, or of all servers that are reached without one.

    Args:
        proxy: its address, with a login if it needs one.
        context: of TLS, for servers and for the proxy.
    """
    pool = _proxies(proxy, context) if proxy else urllib3.PoolManager(ssl_context=context, **_SHARED)
    pool.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}
    return pool


def _proxies(proxy: str, context: ssl.SSLContext) -> urllib3.ProxyManager:
    bare, login = without_login(proxy)
    headers = {"Proxy-Authorization": login.value} if login else None
    return urllib3.ProxyManager(bare, proxy_headers=headers, ssl_context=context, proxy_ssl_context=context, **_SHARED)


class PooledAnswer:
    """An answer over a connection of a pool; errors are those of the library.

    Args:
        pool: from `new_pool`.
        url: what to get.
        headers: of the request; where they accept gzip, the body is decoded.

    Attributes:
        status: of HTTP.
        reason: what the server calls it.
        headers: lower-case names.
    """

    def __init__(self, pool: urllib3.PoolManager, url: str, headers: Mapping[str, str]) -> None:
        self._response = pool.request("GET", url, headers=headers, redirect=False, retries=False, preload_content=False)
        self._decode = headers.get("Accept-Encoding") == "gzip"
        self.status = self._response.status
        self.reason = self._response.reason or ""
        self.headers = {name.lower(): value for name, value in self._response.headers.items()}

    def read(self, most: int) -> bytes:
        """Return up to so many further bytes of the body, none at its end."""
        return self._response.read1(most, decode_content=self._decode)

    def put_away(self) -> None:
        """Return the connection if little is left to read, as of the many 404s of an index, else close it."""
        response = self._response
        if not response.closed and (response.length_remaining or 0) <= _WORTH_READING:
            with suppress(HTTPError, DripError):
                response.read(_WORTH_READING)
        response.close()
        response.release_conn()
