"""Pools of connections to servers, whose answers are read by `PacedSocket`."""

from __future__ import annotations

import io
from http.client import HTTPResponse
from typing import TYPE_CHECKING, Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

from envgen.system.credentials import without_login
from envgen.system.pace import PacedSocket

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

CONNECTIONS = 16
"""Open connections per server: with more, look-ups and handshakes failed in trials; with fewer the line stood idle."""

CONNECT_TIMEOUT, READ_TIMEOUT = 15.0, 60.0
"""Seconds to connect, and between two packets."""

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
