"""HTTP: one client with retries, resumed downloads, proxies, and credentials that are never shown."""

from __future__ import annotations

import random
import ssl
import threading
import time
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import unquote, urlsplit

from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    LocationValueError,
    NameResolutionError,
    NewConnectionError,
    ProxyError,
    ReadTimeoutError,
)

from envgen.errors import DigestMismatchError, NetworkError
from envgen.events import NullReporter
from envgen.system.bulk import LARGE, BulkClient
from envgen.system.connection import (
    USER_AGENT,
    check_address,
    lost_connection,
    proxy_for,
    redirected,
    silent,
    tls_context,
)
from envgen.system.credentials import Credentials, display
from envgen.system.file_url import is_file_url, open_file_url
from envgen.system.flow import Flow
from envgen.system.keyring import KeyringLogins
from envgen.system.pace import DripError
from envgen.system.pools import CONNECT_TIMEOUT, READ_TIMEOUT, PooledAnswer, new_pool
from envgen.system.refusals import refuse_failure
from envgen.system.retry import ATTEMPTS, RetryPolicy, TransientError
from envgen.system.streamed_response import ABSENT, RangeUnsupportedError, Response, StreamedResponse
from envgen.system.transfer import Transfer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import urllib3

    from envgen.digest import Sha256
    from envgen.events import Reporter
    from envgen.system.bulk import BulkAnswer
    from envgen.system.credentials import Secret

__all__ = ["Http", "RangeUnsupportedError", "Response", "display"]

_REDIRECTS = 10
_REDIRECT_STATUSES = frozenset({301, 302, 303, 307, 308})

_REACH_HINT = "check the network, HTTPS_PROXY and NO_PROXY, or set a mirror that this machine can reach"
_CERTIFICATE_HINT = "if a proxy intercepts TLS connections, set SSL_CERT_FILE to a file with its CA certificate"


class Http:
    """The one client: thread safe, at most `CONNECTIONS` connections per server; `file:` URLs work too.

    Args:
        environment: proxies and certificates (see `connection`), logins (`NETRC`, `HOME`).
        reporter: hears of second tries, and as details of every request.
        sleep: waits that many seconds.
        jitter: returns a number in [0, 1) that spreads the tries of many clients.
        attempts: failures in a row after which a server counts as down.
        check: refuses addresses, other than `file:` ones, by raising.
    """

    def __init__(
        self,
        *,
        environment: Mapping[str, str],
        reporter: Reporter | None = None,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
        attempts: int = ATTEMPTS,
        check: Callable[[str], object] = check_address,
    ) -> None:
        self._environment = environment
        self._check = check
        self._reporter = reporter or NullReporter()
        self._retry = RetryPolicy(sleep=sleep, jitter=jitter, note=self._reporter.note, attempts=attempts)
        self._keyring = KeyringLogins(environment=environment, note=self._reporter.note, credentials=self._credentials)
        self._lock = threading.Lock()
        self._pools: dict[str | None, urllib3.PoolManager] = {}
        self._bulk = BulkClient(environment, self._reporter.detail)
        self._known: Credentials | None = None

    def get(
        self,
        url: str,
        *,
        accept: str | None = None,
        etag: str | None = None,
        limit: int = 64 << 20,
        hint: str | None = None,
        optional: bool = False,
    ) -> Response:
        """Fetch a document.

        Args:
            url: what; user and password in it go into a header.
            accept: content types.
            etag: of the version at hand; the answer is 304 where it is still the one.
            limit: most bytes to take.
            hint: what the user can do where the server cannot be reached.
            optional: every status is an answer, since the caller can do without the document.

        Raises:
            NetworkError: no answer after all tries, a larger one than `limit`, or one that means failure.
        """
        headers = {"Accept-Encoding": "gzip"}
        headers |= {"Accept": accept} if accept else {}
        headers |= {"If-None-Match": etag} if etag else {}

        def once() -> Response:
            with self._open(url, headers, optional=optional) as answer:
                status = HTTPStatus.NOT_FOUND if answer.status in ABSENT else answer.status
                if status == HTTPStatus.NOT_MODIFIED and not etag:
                    raise TransientError(f"{display(url)} returned 304 (not modified) to an unconditional request")
                return Response(status=status, headers=answer.headers, body=answer.body(limit), url=answer.url)

        return self._retry.call(once, hint=hint or _REACH_HINT)

    def get_range(self, url: str, start: int, end: int, *, hint: str | None = None) -> bytes:
        """Fetch the bytes from `start` to `end`, both included; `get_part` says what may be raised."""
        return self.get_part(url, start, end, hint=hint)[0]

    def get_part(self, url: str, start: int, end: int, *, hint: str | None = None) -> tuple[bytes, int]:
        """Fetch the bytes from `start` to `end`, both included, less those beyond the end of the file.

        Returns:
            The bytes, and the size of the whole file.

        Raises:
            RangeUnsupportedError: the server sends all or nothing, or the file ends before `start`.
            GoneError: the file is not there.
            NetworkError: no answer after all tries, or one that means failure.
        """
        return self._ranged(url, f"bytes={start}-{end}", most=end - start + 1, hint=hint)

    def get_tail(self, url: str, length: int, *, hint: str | None = None) -> tuple[bytes, int]:
        """Fetch the last `length` bytes of a file, or all of a smaller one.

        Returns:
            The bytes, and the size of the whole file.

        Raises:
            RangeUnsupportedError: the server sends all or nothing.
            GoneError: the file is not there.
            NetworkError: no answer after all tries, or one that means failure.
        """
        return self._ranged(url, f"bytes=-{length}", most=length, hint=hint)

    def download(
        self,
        url: str,
        out: BinaryIO,
        *,
        expected: Sha256,
        size: int | None = None,
        advance: Callable[[int], None] | None = None,
        hint: str | None = None,
    ) -> int:
        """Copy a file into `out`, an empty seekable one; a broken transfer goes on where it broke.

        Args:
            url: what.
            out: takes the bytes.
            expected: their digest.
            size: their number, where it is known.
            advance: is told how many new bytes have come.
            hint: what the user can do where the server cannot be reached.

        Returns:
            The number of bytes.

        Raises:
            GoneError: the file is not there.
            DigestMismatchError: other bytes came.
            IntegrityError: more than `size` came.
            NetworkError: no answer after all tries, or one that means failure.
        """
        transfer = Transfer(out, what=display(url), size=size, advance=advance)
        got = self._complete(url, transfer, hint)
        if got != expected and transfer.resumed:  # the pieces may be of two versions of the file
            transfer.restart()
            got = self._complete(url, transfer, hint)
        if got != expected:
            name = unquote(urlsplit(url).path.rpartition("/")[2])
            raise DigestMismatchError(what=f"`{name}`", where=display(url), expected=expected, got=got)
        return transfer.done

    def download_unproven(self, url: str, out: BinaryIO) -> str | None:
        """Copy a file whose digest nobody knows into `out`, an empty seekable file.

        Returns:
            Its strong ETag, where the server sends one.

        Raises:
            GoneError: the file is not there.
            NetworkError: no answer after all tries, or one that means failure.
        """
        self._complete(url, transfer := Transfer(out, what=display(url)), None)
        return transfer.etag

    def is_unchanged(self, url: str, etag: str) -> bool:
        """Return whether a server says that a file is still the one with this ETag; False where it does not answer."""
        try:
            with self._open(url, {"If-None-Match": etag}) as answer:
                return answer.status == HTTPStatus.NOT_MODIFIED
        except NetworkError:
            return False

    def use_keyring(self, url: str) -> None:
        """Allow the `keyring` program to be asked for the login of an index at this address, if it needs one."""
        self._keyring.add(url)

    def remember(self, url: str, authorization: str) -> None:
        """Send a value as `Authorization` to the server of a URL from now on, and to no other."""
        self._credentials().remember(url, authorization)

    def stream(self, url: str, *, size: int, hint: str | None = None) -> Iterator[bytes]:
        """Yield the bytes of a file as they come; `Flow.pieces` says what may be raised, and nothing is verified."""
        return Flow(url, partial(self._open, url, large=size >= LARGE), size=size).pieces(
            self._retry, hint=hint or _REACH_HINT
        )

    def close(self) -> None:
        """Close idle connections."""
        with self._lock:
            for pool in self._pools.values():
                pool.clear()
        self._bulk.close()

    def _complete(self, url: str, transfer: Transfer, hint: str | None) -> Sha256:
        def once() -> None:
            before = transfer.done
            try:
                self._go_on(url, transfer)
            except TransientError as fault:
                fault.moved = transfer.done - before
                raise

        self._retry.call(once, hint=hint or _REACH_HINT)
        return transfer.sha256()

    def _go_on(self, url: str, transfer: Transfer) -> None:
        if transfer.complete:
            return
        headers = {"Accept-Encoding": "identity"} | transfer.request_headers()
        with self._open(url, headers, large=transfer.missing >= LARGE) as answer:
            answer.refuse_absent()
            transfer.take(answer)
        if transfer.short:
            raise TransientError(f"{display(url)} ended after {transfer.done} bytes")

    def _ranged(self, url: str, wanted: str, *, most: int, hint: str | None) -> tuple[bytes, int]:
        def once() -> tuple[bytes, int]:
            with self._open(url, {"Accept-Encoding": "identity", "Range": wanted}) as answer:
                answer.refuse_absent()
                return answer.part(wanted, most)

        return self._retry.call(once, hint=hint or _REACH_HINT)

    @contextmanager
    def _open(
        self, url: str, headers: Mapping[str, str], *, optional: bool = False, large: bool = False
    ) -> Iterator[StreamedResponse]:
        """Send a request and yield the head of its answer: status 2xx, 304, 404, 410, 416, any if `optional`.

        A `large` body is received by `BulkClient`.
        """
        if is_file_url(url):
            with open_file_url(url, headers) as answer:
                yield answer
            return
        self._check(url)
        bare, secret = self._credentials().take(url)
        with _explained(bare):
            final, response = self._follow(bare, headers, secret, large=large)
            if response.status == HTTPStatus.UNAUTHORIZED and (other := self._keyring.login(url, final, secret)):
                response.put_away()
                secret = other
                final, response = self._follow(bare, headers, secret, large=large)
            if not optional:
                login = self._credentials().source(final, asked=bare, secret=secret)
                self._refuse_failure(response, final, login=login)
            try:
                yield StreamedResponse(url=final, status=response.status, headers=response.headers, read=response.read)
            finally:
                response.put_away()

    def _follow(
        self, url: str, headers: Mapping[str, str], secret: Secret | None, *, large: bool
    ) -> tuple[str, PooledAnswer | BulkAnswer]:
        """Send a request, following redirects; each server is sent its own credentials only."""
        first = url
        for _ in range(_REDIRECTS):
            response = self._ask(url, headers, secret, large=large)
            self._reporter.detail(f"GET {display(url)} {headers.get('Range', '')}".rstrip() + f": {response.status}")
            location = response.headers.get("location")
            if response.status in _REDIRECT_STATUSES and location:
                response.put_away()
                url = redirected(url, location)
                secret = self._credentials().after(first, url)
            else:
                return url, response
        raise NetworkError(f"{display(url)} redirects more than {_REDIRECTS} times")

    def _refuse_failure(self, response: PooledAnswer | BulkAnswer, url: str, *, login: str | None) -> None:
        try:
            refuse_failure(response.status, response.reason, response.headers, url=url, login=login)
        except NetworkError:
            response.put_away()
            raise

    def _ask(
        self, url: str, headers: Mapping[str, str], secret: Secret | None, *, large: bool
    ) -> PooledAnswer | BulkAnswer:
        own = {"User-Agent": USER_AGENT} | ({"Authorization": secret.value} if secret else {})
        proxy = proxy_for(url, self._environment)
        answer = self._bulk.ask(url, {**headers, **own}, proxy=proxy) if large else None
        return answer or PooledAnswer(self._pool(proxy), url, {**headers, **own})

    def _credentials(self) -> Credentials:
        with self._lock:
            self._known = self._known or Credentials.read(self._environment)
            return self._known

    def _pool(self, proxy: str | None) -> urllib3.PoolManager:
        with self._lock:
            if proxy not in self._pools:
                self._pools[proxy] = new_pool(proxy, tls_context(self._environment))
            return self._pools[proxy]


@contextmanager
def _explained(url: str) -> Iterator[None]:
    """Convert the library's errors to ours: temporary ones to `TransientError`."""
    host = urlsplit(url).hostname
    try:
        yield
    except LocationValueError as error:
        raise NetworkError(f"{display(url)!r} is not a valid URL: {error}") from error
    except DripError as drip:
        raise TransientError(f"{display(url)} sent {drip.count} bytes in {drip.seconds:.0f} s") from drip
    except NameResolutionError as error:
        raise TransientError(f"failed to reach {host}: its name cannot be resolved") from error
    except ProxyError as error:
        said = f"failed to reach {host}: the proxy failed to connect ({_cause(error)})"
        raise TransientError(said, hint="check HTTPS_PROXY, HTTP_PROXY and NO_PROXY") from error
    except NewConnectionError as error:  # a ConnectTimeoutError to the library, whatever went wrong
        raise TransientError(f"failed to reach {host}: {_cause(error)}") from error
    except ConnectTimeoutError as error:
        raise TransientError(f"failed to reach {host}: no connection within {CONNECT_TIMEOUT:.0f} s") from error
    except ReadTimeoutError as error:
        raise silent(host, READ_TIMEOUT) from error
    except HTTPError as error:
        if isinstance(_root(error), ssl.SSLCertVerificationError):
            said = f"failed to verify the certificate of {host}: {_cause(error)}"
            raise NetworkError(said, hint=_CERTIFICATE_HINT) from error
        raise lost_connection(host, _cause(error)) from error


def _root(error: BaseException) -> BaseException:
    """Find what a chain of exceptions began with."""
    inner = error.__cause__ or error.__context__ or next((a for a in error.args if isinstance(a, BaseException)), None)
    return _root(inner) if inner else error


def _cause(error: BaseException) -> str:
    root = _root(error)
    if isinstance(root, ssl.SSLCertVerificationError):
        return root.verify_message
    return (root.strerror if isinstance(root, OSError) else None) or str(root) or type(root).__name__
