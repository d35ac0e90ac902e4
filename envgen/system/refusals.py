"""Answers that mean failure: which may pass, and what helps where a server wants a login."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from envgen.errors import NetworkError
from envgen.printable import one_line
from envgen.system.credentials import display
from envgen.system.retry import TransientError
from envgen.system.streamed_response import ABSENT

if TYPE_CHECKING:
    from collections.abc import Mapping

_TRANSIENT_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})
_LOGIN_STATUSES = frozenset({401, 403, 407})
_SHOWN = 80
"""Characters of a server's own words that a hint shows."""


def refuse_failure(status: int, reason: str, headers: Mapping[str, str], *, url: str, login: str | None) -> None:
    """Raise what a status means, unless it is an answer: 2xx, 304, 404, 410 or 416.

    Args:
        status: of HTTP.
        reason: the server's word for it.
        headers: of the answer, by names in lower case.
        url: that answered.
        login: where the login is from that it was sent; None where it was sent none.

    Raises:
        TransientError: it may pass.
        NetworkError: it will not.
    """
    if status in ABSENT or status in {304, 416} or HTTPStatus(200) <= status < HTTPStatus(300):
        return
    said = f"{display(url)} returned status {status} {reason}".rstrip()
    if status in _TRANSIENT_STATUSES:
        raise TransientError(said, wait=_retry_after(headers.get("retry-after", "")))
    if status not in _LOGIN_STATUSES:
        raise NetworkError(said)
    sent = f"; it was sent the login from {login}" if login else ""
    raise NetworkError(f"{said}{sent}", hint=login_hint(headers.get("www-authenticate", ""), url=url, sent=bool(login)))


def login_hint(challenge: str, *, url: str, sent: bool) -> str:
    """Return what helps where a server wants a login.

    Args:
        challenge: its `WWW-Authenticate` (RFC 9110, 11.6.1): `Basic realm="packages"`, `Bearer realm="..."`.
        url: that was asked for.
        sent: whether it was sent one.
    """
    host = urlsplit(url).hostname
    scheme, _, rest = challenge.strip().partition(" ")
    if sent:
        return f"check the user and password of {host} there, and that they may read this"
    if scheme.lower() not in {"", "basic"}:
        asked = one_line(f"{scheme} {rest}".strip())[:_SHOWN]
        return (
            f"{host} asks for a token ({asked}): add it to `~/.netrc` as the password of {host}, with the user that"
            " its documentation names, such as `__token__`"
        )
    return "add the user and password for the server to `~/.netrc`"


def _retry_after(text: str) -> float:
    """Read seconds; the other form of the header, a date, is left to our own delays."""
    return float(text) if text.isascii() and text.isdigit() else 0.0
