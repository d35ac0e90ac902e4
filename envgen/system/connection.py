"""How to reach a server: addresses, redirects, and certificates and proxies as other programs' variables say."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from envgen import __version__
from envgen.errors import HostError, NetworkError, OfflineError, UserError
from envgen.system.credentials import display, without_login
from envgen.system.retry import TransientError

if TYPE_CHECKING:
    from collections.abc import Mapping

USER_AGENT = f"envgen/{__version__}"

_CA_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT", "CURL_CA_BUNDLE")


def tls_context(environment: Mapping[str, str]) -> ssl.SSLContext:
    """Make a context that verifies servers.

    CA certificates come from the first of `SSL_CERT_FILE`, `REQUESTS_CA_BUNDLE`, `PIP_CERT` and `CURL_CA_BUNDLE` that
    is set (a file, or a folder of hashed names), and from `SSL_CERT_DIR`; where none is, from the system.

    Raises:
        UserError: a variable names something that holds no certificates.
    """
    variable = _ca_variable(environment)
    path = ca_file(environment)
    folder = environment.get("SSL_CERT_DIR") or None
    if path and path.is_dir():
        path, folder = None, str(path)
    try:
        return ssl.create_default_context(cafile=path, capath=folder)
    except (OSError, ssl.SSLError) as error:
        if not (variable or folder):
            raise HostError(f"failed to read the CA certificates of this machine: {error.strerror or error}") from error
        what = f"{variable}: failed to read CA certificates from `{path}`: {error.strerror or error}"
        raise UserError(what, hint=f"set {variable} to a file of certificates in PEM format, or unset it") from error


def ca_file(environment: Mapping[str, str]) -> Path | None:
    """Return the file or folder of CA certificates that a variable names, in the order of `tls_context`."""
    variable = _ca_variable(environment)
    return Path(environment[variable]) if variable else None


def _ca_variable(environment: Mapping[str, str]) -> str | None:
    return next((name for name in _CA_VARIABLES if environment.get(name)), None)


def lost_connection(host: str | None, cause: str) -> TransientError:
    """Return the error that a connection broke."""
    return TransientError(f"lost the connection to {host}: {cause}")


def silent(host: str | None, seconds: float) -> TransientError:
    """Return the error that a server sends nothing."""
    return TransientError(f"{host} sent nothing for {seconds:.0f} s")


def proxy_for(url: str, environment: Mapping[str, str]) -> str | None:
    """Choose the proxy for a URL: `https_proxy`, `http_proxy`, `all_proxy` and `no_proxy`, lower or upper case.

    Raises:
        UserError: the variable names a kind of proxy that is not supported.
    """
    parts = urlsplit(url)
    found = _variable(f"{parts.scheme}_proxy", environment) or _variable("all_proxy", environment)
    if not found or bypasses(parts.hostname or "", parts.port, _variable("no_proxy", environment)):
        return None
    proxy = found if "://" in found else f"http://{found}"
    if urlsplit(proxy).scheme not in {"http", "https"}:
        raise UserError(f"unsupported proxy scheme `{urlsplit(proxy).scheme}`", hint="set HTTPS_PROXY=http://...")
    return proxy


def _variable(name: str, environment: Mapping[str, str]) -> str:
    return environment.get(name) or environment.get(name.upper()) or ""


def bypasses(host: str, port: int | None, no_proxy: str) -> bool:
    """Return whether `no_proxy` (`example.org,.corp,10.0.0.1:8080,*`) names a host or a domain above it."""
    for entry in filter(None, (part.strip().lower() for part in no_proxy.split(","))):
        name, _, wanted = entry.rpartition(":") if entry.rpartition(":")[2].isdigit() else (entry, "", "")
        name = name.removeprefix("*").removeprefix(".")
        fits = host.lower() == name or host.lower().endswith(f".{name}")
        if entry == "*" or (fits and (not wanted or str(port) == wanted)):
            return True
    return False


def refuse_network(url: str) -> None:
    """Refuse every address, for runs that must not use the network.

    Raises:
        OfflineError: always.
    """
    raise OfflineError(
        f"{display(url)} would have to be fetched",
        hint="add it with `--bundle`, or remove `--offline` and ENVGEN_OFFLINE",
    )


def check_address(url: str) -> None:
    """Refuse a URL that is not `http:` or `https:` with a host.

    Raises:
        NetworkError: it is none.
    """
    try:
        parts = urlsplit(url)
        good = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:  # the port, or a broken IPv6 address
        good = False
    if not good:
        raise NetworkError(f"{display(url)!r} is not a supported URL", hint="expected http, https or file")


def redirected(url: str, location: str) -> str:
    """Return where a redirect leads, without a login that it may hold.

    Raises:
        NetworkError: to no server, or from an encrypted connection to a plain one.
    """
    try:
        target, _ = without_login(urljoin(url, location))
    except ValueError as error:
        raise NetworkError(f"{display(url)} redirects to {display(location)!r}, which is not a valid URL") from error
    if urlsplit(target).scheme not in {"http", "https"}:
        what = f"{display(url)} redirects to `{urlsplit(target).scheme}:`, expected `http:` or `https:`"
        raise NetworkError(what)
    check_address(target)
    if (urlsplit(url).scheme, urlsplit(target).scheme) == ("https", "http"):
        raise NetworkError(f"{display(url)} redirects to {display(target)}, which is not encrypted")
    return target
