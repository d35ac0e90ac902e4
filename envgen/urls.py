"""URLs without what only their owner may know: for whatever is written down or passed on."""

from __future__ import annotations

import re
from urllib.parse import urlsplit, urlunsplit

_TOKEN = re.compile(r"/t/[^/]+(?=/)")
"""Conda's place for a token: `https://host/t/<token>/channel` (`conda.common.url.split_anaconda_token`)."""


def without_login(url: str) -> str:
    """Take user and password out of a URL."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def without_secrets(url: str) -> str:
    """Take user, password, token and query out of the URL of a channel, as conda does in its records."""
    parts = urlsplit(without_login(url))
    path = _TOKEN.sub("", parts.path) if parts.netloc else parts.path  # a folder `t` on this machine is no token
    return urlunsplit(parts._replace(path=path, query="", fragment=""))
