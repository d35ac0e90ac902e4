"""A container registry on loopback: Debian's `docker-registry`, and a line to it that counts and breaks."""

from __future__ import annotations

import http.client
import json
import shutil
import socket
import socketserver
import subprocess
import threading
import time
from contextlib import closing, contextmanager, suppress
from http import HTTPStatus
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROGRAM = shutil.which("docker-registry")
SKOPEO = shutil.which("skopeo")

LOGIN = ("user", "secret")
_HASHED = "$2b$04$j.43ss8/HavpAHXswW6yXObZdfRN22rKv4HgD3wYtPt1Re4XhJ5BW"
"""bcrypt of the password, as `htpasswd -B` writes it."""

_CONFIG = """\
version: 0.1
log: {{level: error}}
storage:
  filesystem: {{rootdirectory: {folder}/data}}
http: {{addr: "127.0.0.1:{port}"}}
"""
_AUTH = """\
auth:
  htpasswd: {{realm: demo, path: {folder}/htpasswd}}
"""

_PATIENCE = 60.0
"""Seconds in which a registry starts and ends on a machine with other work."""

_LIST = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.oci.image.index.v1+json\r\n"
    b"Content-Length: %d\r\nConnection: close\r\n\r\n"
)


@contextmanager
def registry(folder: Path, *, login: bool = False) -> Iterator[str]:
    """Run a registry and yield its address (`127.0.0.1:PORT`)."""
    assert PROGRAM
    port = _free_port()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "htpasswd").write_text(f"{LOGIN[0]}:{_HASHED}\n")
    config = folder / "config.yml"
    config.write_text((_CONFIG + (_AUTH if login else "")).format(folder=folder, port=port))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([PROGRAM, "serve", config], stdout=log, stderr=log)
        try:
            _wait(port, process)
            yield f"127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(timeout=_PATIENCE)


class Line(Struct, kw_only=True):
    """A line to a registry.

    Attributes:
        address: to talk to instead of the registry's.
        sent: bytes that went to the registry.
        breaks: how many connections break.
        after: bytes that a connection that breaks sends before.
        referrers: what this end answers who asks for the list of what refers to a manifest, as registries of OCI 1.1
            do; None leaves the registry to answer.
    """

    address: str
    sent: int = 0
    breaks: int = 0
    after: int = 0
    referrers: bytes | None = None


@contextmanager
def line(registry: str) -> Iterator[Line]:
    """Open a line to a registry."""
    host, _colon, port = registry.rpartition(":")
    found = Line(address="")

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            first = self.request.recv(1 << 16, socket.MSG_PEEK).partition(b"\r\n")[0]
            if found.referrers is not None and b"/referrers/" in first:
                self.request.recv(1 << 16)
                self.request.sendall(_LIST % len(found.referrers) + found.referrers)
                return
            with socket.create_connection((host, int(port))) as there, suppress(OSError):
                back = threading.Thread(target=_copy_back, args=(there, self.request), daemon=True)
                back.start()
                _forward(self.request, there, found)
                there.shutdown(socket.SHUT_WR)
                back.join(timeout=10)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        allow_reuse_address = True

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        found.address = f"127.0.0.1:{server.server_address[1]}"
        try:
            yield found
        finally:
            server.shutdown()
            thread.join(timeout=10)


def _forward(source: socket.socket, target: socket.socket, line: Line) -> None:
    here = 0
    while data := source.recv(1 << 16):
        here += len(data)
        if line.breaks > 0 and here > line.after:
            line.breaks -= 1
            source.shutdown(socket.SHUT_RDWR)
            target.shutdown(socket.SHUT_RDWR)
            return
        line.sent += len(data)
        target.sendall(data)


def _copy_back(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(port: int, server: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until and server.poll() is None:
        with suppress(OSError), closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
            connection.request("GET", "/v2/")
            connection.getresponse().read()
            return
        time.sleep(0.05)
    raise TimeoutError(f"the registry does not answer (exit code {server.poll()})")


def layer_of(registry: str, name: str, tag: str, *, number: int = 0) -> bytes:
    """Read a layer of a manifest, without any of envgen's code."""

    def get(path: str) -> bytes:
        with closing(http.client.HTTPConnection(*host_of(registry), timeout=30)) as connection:
            connection.request("GET", path, headers={"Accept": "application/vnd.oci.image.manifest.v1+json"})
            answer = connection.getresponse()
            assert answer.status == HTTPStatus.OK, path
            return answer.read()

    layers = json.loads(get(f"/v2/{name}/manifests/{tag}"))["layers"]
    return get(f"/v2/{name}/blobs/{layers[number]['digest']}")


def host_of(registry: str) -> tuple[str, int]:
    """Return the host and the port of an address."""
    host, _colon, port = registry.rpartition(":")
    return host, int(port)
