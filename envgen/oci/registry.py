"""Reading from a registry by envgen's own client: blobs by digest, manifests by tag, with the token that it asks for.

Registries that anybody may read from often want a token all the same, which they give to anybody
(https://distribution.github.io/distribution/spec/auth/token/). Logins come from `~/.netrc`, as for every other server.

Format: OCI distribution specification 1.1, "Pulling blobs" and "Pulling manifests".
"""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar
from urllib.parse import urlencode, urljoin

from envgen.documents import read_json
from envgen.errors import GoneError, NetworkError, UserError
from envgen.oci.push import Reference
from envgen.urls import display

if TYPE_CHECKING:
    from collections.abc import Callable

    from envgen.digest import Sha256
    from envgen.system.http import Http

T = TypeVar("T")

SCHEME = "oci://"

CONDA_ARCHIVE = "application/vnd.conda.package.v2"
"""Type of the layer that is a `.conda`, as rattler expects it."""

_UNAUTHORIZED = 401
_OK = 200
_FIELD = re.compile(r'(\w+)="([^"]*)"')


class BlobRepository:
    """One repository of a registry, to read from.

    Args:
        address: `oci://REGISTRY/NAME`.
        http: the network.

    Raises:
        UserError: the address is not one.
    """

    def __init__(self, address: str, *, http: Http) -> None:
        reference = Reference.parse(address.removeprefix(SCHEME))
        scheme = "http" if reference.is_loopback else "https"
        self._host = f"{scheme}://{reference.registry}"
        self._name = reference.name
        self._http = http
        self._lock = threading.Lock()
        self._logins = 0

    def download(
        self, sha: Sha256, out: BinaryIO, *, size: int | None = None, advance: Callable[[int], None] | None = None
    ) -> None:
        """Copy a blob to an empty file.

        Raises:
            GoneError: the repository does not have it.
            DigestMismatchError: it sends other bytes.
            NetworkError: it cannot be reached, or refuses.
        """
        url = f"{self._host}/v2/{self._name}/blobs/sha256:{sha}"
        self._with_token(lambda: self._http.download(url, out, expected=sha, size=size, advance=advance))

    def manifest(self, tag: str, *, accept: str) -> dict[str, Any] | None:
        """Read a manifest by tag or digest; None where there is none.

        Raises:
            NetworkError: the registry cannot be reached, refuses, or sends something else.
        """
        url = f"{self._host}/v2/{self._name}/manifests/{tag}"
        answer = self._with_token(lambda: self._http.get(url, accept=accept))
        if answer.status != _OK:
            return None
        try:
            found = read_json(answer.body)
        except ValueError as error:
            raise NetworkError(f"{url} is not a manifest: {error}") from error
        return found if isinstance(found, dict) else None

    def _with_token(self, ask: Callable[[], T]) -> T:
        """Send a request; if it is refused, get a token and send it again, since tokens expire after minutes."""
        before = self._logins
        if not before:
            self._log_in(before)
            return ask()
        try:
            return ask()
        except GoneError:
            raise
        except NetworkError:
            self._log_in(before)
            return ask()

    def _log_in(self, seen: int) -> None:
        """Get the token that the registry asks for, if it asks for one; one thread does it for all."""
        with self._lock:
            if self._logins != seen:
                return
            self._logins += 1
            answer = self._http.get(f"{self._host}/v2/", optional=True)
            challenge = answer.headers.get("www-authenticate", "")
            if answer.status != _UNAUTHORIZED or not challenge.lower().startswith("bearer "):
                return
            fields = dict(_FIELD.findall(challenge))
            if token := self._token(fields):
                self._http.remember(self._host, f"Bearer {token}")

    def _token(self, fields: dict[str, str]) -> str | None:
        """Ask for a token at the address that the registry names, which must not be a file: its text would be sent.

        Raises:
            NetworkError: the address is of another kind, or the server there cannot be reached.
        """
        realm = urljoin(self._host, fields.get("realm", ""))
        allowed = ("http://", "https://") if self._host.startswith("http://") else ("https://",)
        if not realm.lower().startswith(allowed):
            raise NetworkError(
                f"{self._host} names {display(realm)!r} as its server for tokens, expected {' or '.join(allowed)}…"
            )
        query = {"scope": f"repository:{self._name}:pull", **{k: fields[k] for k in ("service",) if k in fields}}
        answer = self._http.get(f"{realm}?{urlencode(query)}", optional=True)
        try:
            found = read_json(answer.body)
        except ValueError:
            return None
        token = (found.get("token") or found.get("access_token")) if isinstance(found, dict) else None
        return token if isinstance(token, str) and token.isprintable() else None


def checked_channel(address: str) -> str:
    """Return the address of a channel in a registry, without a slash at its end.

    Raises:
        UserError: it is not `oci://REGISTRY/PATH`.
    """
    text = address.rstrip("/")
    try:
        found = Reference.parse(text.removeprefix(SCHEME))
    except UserError:
        found = None
    if found is None or text != f"{SCHEME}{found.repository}":
        raise UserError(
            f"expected `oci://REGISTRY/PATH`, got {display(address)!r}",
            hint="for example: `oci://ghcr.io/team/channel`",
        )
    return text


def channel_place(subdir: str, name: str, tail: str) -> tuple[str, str]:
    """Return the path and the tag of a conda package below the address of a channel in a registry.

    As rattler reads them (`rattler_networking/src/oci_middleware.rs`).

    Args:
        subdir: the platform, or `noarch`.
        name: of the package.
        tail: `version-build`.
    """
    tag = tail.replace("+", "__p__").replace("!", "__e__").replace("=", "__eq__")
    return f"{subdir}/{'zzz' if name.startswith('_') else ''}{name}", tag
