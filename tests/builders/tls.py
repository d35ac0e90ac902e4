"""A registry behind TLS on the port that rattler's client asks for, 443: it drops the port of an `oci://` address."""

from __future__ import annotations

import datetime as dt
import http.client
import ssl
import threading
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from msgspec import Struct

from tests.builders.registry import host_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PORT = 443
_ASKED = {"accept", "range"}
_ANSWERED = {"content-type", "docker-content-digest"}


class TlsRegistry(Struct, frozen=True, kw_only=True):
    """A registry at `localhost`.

    Attributes:
        authority: certificate that signed the server's.
        asked: path of every request.
    """

    authority: Path
    asked: list[str]


@contextmanager
def behind_tls(registry: str, folder: Path) -> Iterator[TlsRegistry]:
    """Serve a registry at `https://localhost`, with tokens for anybody; skip the test where that port cannot be had."""
    pytest.importorskip("cryptography")
    authority, own = _certificates(folder)
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            asked.append(self.path)
            status, headers, body = self._answer()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        def do_HEAD(self) -> None:
            self.do_GET()

        def _answer(self) -> tuple[int, dict[str, str], bytes]:
            if self.path.startswith("/token"):
                body = b'{"token": "anybody"}'
                return HTTPStatus.OK, {"Content-Length": str(len(body))}, body
            there = http.client.HTTPConnection(*host_of(registry), timeout=30)
            there.request(self.command, self.path, headers=_some(self.headers, _ASKED))
            answer = there.getresponse()
            body = answer.read()
            there.close()
            size = answer.getheader("Content-Length") or str(len(body))
            return answer.status, {**_some(answer.headers, _ANSWERED), "Content-Length": size}, body

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class's name
            """Print nothing."""

    try:
        server = ThreadingHTTPServer(("127.0.0.1", PORT), Handler)
    except OSError as error:
        pytest.skip(f"port {PORT} cannot be served: {error}")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own)
    server.daemon_threads = True
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield TlsRegistry(authority=authority, asked=asked)
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=10)


def _some(headers: Any, names: set[str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() in names}


def _certificates(folder: Path) -> tuple[Path, Path]:
    """Write the certificate of an authority, and that of `localhost` with its key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    begin = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
    signer, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority of a test")])

    def builder(name: x509.Name, public: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        made = x509.CertificateBuilder().subject_name(name).issuer_name(issuer).public_key(public)
        made = made.serial_number(x509.random_serial_number())
        return made.not_valid_before(begin).not_valid_after(begin + dt.timedelta(days=30))

    top = builder(issuer, signer.public_key()).add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
    host = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    alternative = x509.SubjectAlternativeName([x509.DNSName("localhost")])
    own = builder(host, key.public_key()).add_extension(alternative, False)
    own = own.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
    authority, server = folder / "authority.pem", folder / "localhost.pem"
    folder.mkdir(parents=True, exist_ok=True)
    pem = serialization.Encoding.PEM
    authority.write_bytes(top.sign(signer, hashes.SHA256()).public_bytes(pem))
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    server.write_bytes(own.sign(signer, hashes.SHA256()).public_bytes(pem) + private)
    return authority, server
