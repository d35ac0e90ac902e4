"""URLs without what only their owner may know: for whatever is written down or passed on."""

from __future__ import annotations

import re
from urllib.parse import urlsplit, urlunsplit

_TOKEN = re.compile(r"/t/(?P<token>[^/$][^/]*)(?=/|$)")
"""Conda's place for a token: `https://host/t/<token>/channel` (`conda.common.url.split_anaconda_token`).

Conda takes any `/t/x` for one. But folders by first letter are common, as in `pool/main/t/tzdata`: below the host's top
only what has a digit is taken for one. `$` begins a variable, which is no secret itself.
"""

_LOOKS_SECRET = re.compile(r"(?=.*\d)[A-Za-z0-9_-]+")
"""Servers give out UUIDs and the like, never without a digit. A folder such as `t/text2vec` is mistaken for one."""


def leak(text: str) -> str | None:
    """Say what in a text must not leave this machine: credentials, or the path of a home; None where nothing is."""
    if any(map(has_token, _URL.findall(text))):
        return "a token in a URL"
    return next((what for pattern, what in _LEAKS if pattern.search(text)), None)


_LEAKS = (
    (re.compile(r"://[^/\s'\"]*@"), "credentials in a URL"),
    (re.compile(r"(?<![\w.])(?:/|file:/+)(?:home|Users|root)/"), "a path of somebody's home"),
    (re.compile(r"\b[A-Za-z]:\\"), "a path of Windows"),
)
"""What must not be written down, besides tokens in URLs."""

_URL = re.compile(r"\w+://[^\s'\"]+")


def has_token(url: str) -> bool:
    """Tell whether the path of a URL holds conda's form of a token; a folder `t` on this machine is none."""
    try:
        parts = urlsplit(url)
    except ValueError:  # no URL at all, whatever it looks like
        return False
    return bool(parts.netloc) and any(map(_is_secret, _TOKEN.finditer(parts.path)))


def without_login(url: str) -> str:
    """Take user and password out of a URL."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def without_secrets(url: str) -> str:
    """Take user, password, token and query out of the URL of a channel, as conda does in its records."""
    parts = urlsplit(without_login(url))
    path = _TOKEN.sub(lambda found: "" if _is_secret(found) else found[0], parts.path) if parts.netloc else parts.path
    return urlunsplit(parts._replace(path=path, query="", fragment=""))


def _is_secret(found: re.Match[str]) -> bool:
    return found.start() == 0 or bool(_LOOKS_SECRET.fullmatch(found["token"]))
