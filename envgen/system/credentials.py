"""User names and passwords of servers: taken from URLs and netrc, sent to their own server only, never shown."""

from __future__ import annotations

import base64
import netrc
import os
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit, urlunsplit

from msgspec import Struct

from envgen.errors import UserError
from envgen.system.home import expand, find_home
from envgen.urls import display

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Credentials", "Origin", "Secret", "basic", "display", "origin", "without_login"]

_PORTS = {"http": 80, "https": 443}

Origin = tuple[str, str, int | None]
"""Scheme, host and port: what a credential belongs to (RFC 6454)."""


def origin(url: str) -> Origin:
    """Name the server of a URL."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or _PORTS.get(parts.scheme)


class Secret(Struct, frozen=True):
    """The value of an Authorization header; its text is masked."""

    value: str

    def __repr__(self) -> str:
        return "Secret(***)"


def basic(user: str, password: str) -> Secret:
    """Encode user and password as RFC 7617 says."""
    return Secret("Basic " + base64.b64encode(f"{user}:{password}".encode()).decode("ascii"))


class Credentials:
    """What is known of each server. A URL's own user and password hold for all of its server from then on.

    Args:
        entries: host -> what it is to be sent.
        default: what every other host that somebody asks for is to be sent.
    """

    def __init__(self, entries: Mapping[str, Secret], default: Secret | None = None) -> None:
        self._by_host = dict(entries)
        self._default = default
        self._by_origin: dict[Origin, Secret] = {}
        self._learnt: dict[Origin, Secret] = {}

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Credentials:
        """Read the file that `NETRC` names, else `~/.netrc`.

        Raises:
            UserError: the file has a fault, or `NETRC` names none.
        """
        named, home = environment.get("NETRC"), find_home(environment, os.getuid())
        path = expand(named, home) if named else home / ".netrc"
        try:
            hosts = netrc.netrc(str(path)).hosts
        except netrc.NetrcParseError as error:
            # the parser quotes what it does not understand, which may be a password: so not its words, not `from error`
            raise UserError(f"{path}:{error.lineno}: not in netrc format") from None
        except (FileNotFoundError, NotADirectoryError) as error:
            if named:
                raise UserError(f"NETRC: `{path}` does not exist") from error
            return cls({})
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"failed to read `{path}`: {error}") from error
        secrets = {host: basic(login, secret) for host, (login, _, secret) in hosts.items()}
        return cls(secrets, secrets.pop("default", None))

    def take(self, url: str) -> tuple[str, Secret | None]:
        """Split a URL into one without user and password, and what its server is to be sent."""
        bare, own = without_login(url)
        if own:
            self._by_origin[origin(bare)] = own
        return bare, self.known(bare) or self._default

    def after(self, asked: str, redirected: str) -> Secret | None:
        """Return the login for a server that another server names.

        The `default` entry of netrc stays with the host that was asked: what redirects lead to is often a store whose
        addresses are signed, which refuses a second login.
        """
        same = urlsplit(asked).hostname == urlsplit(redirected).hostname
        return self.known(redirected) or (self._default if same else None)

    def remember(self, url: str, authorization: str) -> None:
        """Keep what the server of a URL is to be sent from now on."""
        self._by_origin[origin(url)] = Secret(authorization)

    def known(self, url: str) -> Secret | None:
        """Return the login for the server of a URL, from settings for that very server."""
        own = self._learnt.get(origin(url)) or self._by_origin.get(origin(url))
        return own or self._by_host.get(urlsplit(url).hostname or "")

    def learn(self, url: str, user: str, password: str) -> Secret:
        """Keep what the `keyring` program has for the server of a URL, and return what it is to be sent."""
        self._learnt[origin(url)] = basic(user, password)
        return self._learnt[origin(url)]

    def source(self, url: str, *, asked: str, secret: Secret | None) -> str | None:
        """Name where the login is from that the server of a URL was sent; None where it was sent none.

        Args:
            url: that answered.
            asked: where redirects began.
            secret: that the first server was sent.
        """
        if not (secret if url == asked else self.after(asked, url)):
            return None
        if origin(url) in self._learnt:
            return "`keyring`"
        return "its configured address" if origin(url) in self._by_origin else "netrc"


def without_login(url: str) -> tuple[str, Secret | None]:
    """Split user and password off a URL."""
    parts = urlsplit(url)
    own, at, host = parts.netloc.rpartition("@")
    user, _, password = own.partition(":")
    secret = basic(unquote(user), unquote(password)) if at else None
    return urlunsplit(parts._replace(netloc=host)), secret
