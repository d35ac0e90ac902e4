"""Large bodies are received by a client of their own, and by the pool where that one gets no answer."""

from __future__ import annotations

import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from envgen.errors import NetworkError
from envgen.system.bulk import LARGE, BulkAnswer, BulkClient
from envgen.system.http import Http
from envgen.system.pace import DripError
from envgen.system.retry import TransientError
from tests.builders.server import Faults, serve
from tests.unit.system.rig import BODY, SHA, Rig

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Bulk:
    """A client, and what it told."""

    def __init__(self, **environment: str) -> None:
        self.told: list[str] = []
        self.client = BulkClient(environment, self.told.append)

    def read(self, url: str, *, proxy: str | None = None, **headers: str) -> bytes | None:
        answer = self.client.ask(url, headers, proxy=proxy)
        return None if answer is None else b"".join(bodies(answer))


def bodies(answer: BulkAnswer) -> Iterator[bytes]:
    """Read an answer to its end."""
    try:
        yield from iter(lambda: bytes(answer.read(1)), b"")
    finally:
        answer.put_away()


@pytest.fixture
def bulk() -> Iterator[Bulk]:
    made = Bulk()
    yield made
    made.client.close()


class TestAnswers:
    def test_a_body(self, bulk: Bulk) -> None:
        with serve({"/a": BODY}) as server:
            assert bulk.read(f"{server.url}/a") == BODY

    def test_a_rest(self, bulk: Bulk) -> None:
        with serve({"/a": BODY}) as server:
            answer = bulk.client.ask(f"{server.url}/a", {"Range": "bytes=1000-"}, proxy=None)
            assert answer is not None
            begins = f"bytes 1000-{len(BODY) - 1}/"
            assert answer.status == 206
            assert answer.headers["content-range"].startswith(begins)
            assert b"".join(bodies(answer)) == BODY[1000:]

    def test_a_connection_is_used_again(self, bulk: Bulk) -> None:
        with serve({"/a": BODY}) as server:
            assert [bulk.read(f"{server.url}/a") for _ in range(3)] == [BODY] * 3
        assert len({request.client for request in server.requests}) == 1

    def test_redirects_are_left_to_the_caller(self, bulk: Bulk) -> None:
        with serve({"/b": BODY}, faults=Faults(redirect={"/a": "/b"})) as server:
            answer = bulk.client.ask(f"{server.url}/a", {}, proxy=None)
        assert answer is not None
        assert (answer.status, answer.reason, answer.headers["location"]) == (302, "Found", "/b")

    def test_bytes_are_not_decoded(self, bulk: Bulk) -> None:
        """The digest is of what lies on the server."""
        packed = b"\x1f\x8b" + BODY
        with serve({"/a": packed}, faults=Faults(headers={"Content-Encoding": "gzip"})) as server:
            assert bulk.read(f"{server.url}/a") == packed

    def test_a_broken_transfer(self, bulk: Bulk) -> None:
        with (
            serve({"/a": BODY}, faults=Faults(drop_after=1_500_000)) as server,
            pytest.raises(TransientError, match=r"lost the connection to 127\.0\.0\.1: "),
        ):
            bulk.read(f"{server.url}/a")

    def test_a_drip(self) -> None:
        now = [0.0]

        def drip() -> bytes:
            now[0] += 1
            return b"x"

        response = SimpleNamespace(status=200, headers={}, body_reader=SimpleNamespace(read_chunk=drip))
        request = SimpleNamespace(__enter__=lambda: response)
        answer = BulkAnswer(cast("Any", request), "host", lambda: now[0])
        with pytest.raises(DripError, match="60 bytes in 60 s"):
            b"".join(iter(lambda: answer.read(1), b""))

    def test_a_proxy_and_its_login(self, bulk: Bulk) -> None:
        with serve({"/a": BODY}) as server:
            host = server.url.removeprefix("http://")
            assert bulk.read("http://index.invalid/a", proxy=f"http://user:pass@{host}") == BODY
        assert server.requests[0].headers["proxy-authorization"] == "Basic dXNlcjpwYXNz"

    def test_a_proxy_is_told_who_asks(self, bulk: Bulk) -> None:
        with closing(socket.create_server(("127.0.0.1", 0))) as server, ThreadPoolExecutor(1) as other:
            head = other.submit(_first_packet, server)
            assert bulk.read("https://index.invalid/a", proxy=f"http://127.0.0.1:{server.getsockname()[1]}") is None
            assert head.result(timeout=10).startswith(b"CONNECT index.invalid:443 HTTP/1.1\r\n")
            assert b"user-agent: envgen/" in head.result()


def _first_packet(server: socket.socket) -> bytes:
    server.settimeout(10)
    connection, _ = server.accept()
    with connection:
        connection.settimeout(10)
        return connection.recv(4096)


_SHORT_THREADS = """
import sys, threading
from envgen.system.bulk import BulkClient

def read():
    client = BulkClient({}, print)
    answer = client.ask(sys.argv[1], {}, proxy=None)
    print(sum(iter(lambda: len(answer.read(1)), 0)))
    client.close()

for _ in range(12):
    thread = threading.Thread(target=read)
    thread.start()
    thread.join()
"""


def test_the_thread_that_asks_first_may_end() -> None:
    """The allocator of the library crashes the process when the thread that loaded it ends and its address is reused.

    A process of its own: the library must not be loaded yet.
    """
    with serve({"/a": BODY}) as server:
        done = subprocess.run(
            [sys.executable, "-c", _SHORT_THREADS, f"{server.url}/a"], capture_output=True, text=True, check=False
        )
    assert (done.returncode, done.stdout.split()) == (0, [str(len(BODY))] * 12), done.stderr


class TestLeftToThePool:
    def test_a_server_that_is_down(self, bulk: Bulk) -> None:
        with closing(socket.socket()) as other:
            other.bind(("127.0.0.1", 0))  # and does not listen
            url = f"http://127.0.0.1:{other.getsockname()[1]}/a"
        assert [bulk.read(url), bulk.read(url)] == [None, None]
        assert len(bulk.told) == 1  # the second time it was not tried
        assert "Connection refused" in bulk.told[0]

    def test_a_folder_of_certificates(self, tmp_path: Path) -> None:
        with serve({"/a": BODY}) as server:
            assert Bulk(PIP_CERT=str(tmp_path)).read(f"{server.url}/a") is None

    def test_a_login_where_more_certificates_are_trusted_than_named(self, authority: tuple[Path, Path]) -> None:
        bulk = Bulk(PIP_CERT=str(authority[0]))
        with serve({"/a": BODY}, certificate=authority[1]) as server:
            assert bulk.read(f"{server.url}/a", Authorization="Basic x") is None
            assert bulk.read(f"{server.url}/a") == BODY
        assert "authorization" not in server.requests[0].headers

    def test_a_certificate_of_nobody(self, bulk: Bulk, authority: tuple[Path, Path]) -> None:
        with serve({"/a": BODY}, certificate=authority[1]) as server:
            assert bulk.read(f"{server.url}/a") is None
        assert "certificate" in bulk.told[0]


class TestDownloads:
    def test_large_ones_take_it(self, monkeypatch: pytest.MonkeyPatch, rig: Rig) -> None:
        asked: list[str] = []
        ask = BulkClient.ask

        def told(self: BulkClient, url: str, headers: Any, *, proxy: str | None) -> BulkAnswer | None:
            asked.append(url.rpartition("/")[2])
            return ask(self, url, headers, proxy=proxy)

        monkeypatch.setattr(BulkClient, "ask", told)
        with serve({"/large": BODY, "/small": BODY[: LARGE - 1]}) as server:
            for name, body in (("large", BODY), ("small", BODY[: LARGE - 1])):
                assert b"".join(rig.http.stream(f"{server.url}/{name}", size=len(body))) == body
            assert rig.download(f"{server.url}/large", size=len(BODY)) == BODY
            rig.http.get(f"{server.url}/small")
        assert asked == ["large", "large"]

    @pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "PIP_CERT"])
    def test_certificates_of_the_site(self, authority: tuple[Path, Path], variable: str) -> None:
        rig = Rig(**{variable: str(authority[0])})
        with serve({"/a": BODY}, certificate=authority[1]) as server:
            assert rig.download(f"{server.url}/a", size=len(BODY)) == BODY

    def test_what_only_the_pool_can_reach(self, monkeypatch: pytest.MonkeyPatch, rig: Rig) -> None:
        monkeypatch.setattr("envgen.system.bulk._new_client", lambda *_: (_ for _ in ()).throw(RuntimeError("thread")))
        with serve({"/a": BODY}) as server:
            assert rig.download(f"{server.url}/a", size=len(BODY), expected=SHA) == BODY

    def test_a_server_that_is_down_is_told_as_ever(self) -> None:
        http = Http(environment={}, attempts=1)
        with pytest.raises(NetworkError, match=r"failed to reach 127\.0\.0\.1: Connection refused"):
            b"".join(http.stream("http://127.0.0.1:9/a", size=LARGE))
