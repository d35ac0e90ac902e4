from __future__ import annotations

import gzip
import socket
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from envgen.digest import Sha256
from envgen.errors import DigestMismatchError, GoneError, IntegrityError, NetworkError
from envgen.system.fs import HashedFile
from envgen.system.http import RangeUnsupportedError
from envgen.system.pools import CONNECTIONS
from tests.builders.server import Faults, serve
from tests.unit.system.rig import BODY, SHA, Rig

if TYPE_CHECKING:
    from pathlib import Path


class TestGet:
    def test_a_document(self, rig: Rig) -> None:
        with serve({"/a": b"text"}, faults=Faults(content_types={"/a": "text/plain"})) as server:
            found = rig.http.get(f"{server.url}/a", accept="text/*")
        assert (found.status, found.body, found.headers["content-type"]) == (200, b"text", "text/plain")
        assert found.url == f"{server.url}/a"
        assert server.requests[0].headers["accept"] == "text/*"
        assert server.requests[0].headers["user-agent"].startswith("envgen/")

    def test_an_unchanged_one(self, rig: Rig) -> None:
        with serve({"/a": b"text"}) as server:
            first = rig.http.get(f"{server.url}/a")
            second = rig.http.get(f"{server.url}/a", etag=first.headers["etag"])
        assert (second.status, second.body) == (304, b"")

    def test_nothing_is_unchanged_that_was_never_here(self, rig: Rig) -> None:
        with (
            serve({"/a": b"text"}, faults=Faults(unchanged=frozenset({"/a"}))) as server,
            pytest.raises(NetworkError, match="returned 304"),
        ):
            rig.http.get(f"{server.url}/a")

    @pytest.mark.parametrize("faults", [Faults(missing=frozenset({"/a"})), Faults(gone=frozenset({"/a"}))])
    def test_absence_is_an_answer(self, rig: Rig, faults: Faults) -> None:
        with serve({"/a": b"text"}, faults=faults) as server:
            assert rig.http.get(f"{server.url}/a").status == 404

    def test_compressed_content(self, rig: Rig) -> None:
        faults = Faults(headers={"Content-Encoding": "gzip"})
        with serve({"/a": gzip.compress(BODY)}, faults=faults) as server:
            assert rig.http.get(f"{server.url}/a").body == BODY

    def test_too_large_content(self, rig: Rig) -> None:
        faults = Faults(headers={"Content-Encoding": "gzip"})
        with serve({"/a": gzip.compress(BODY)}, faults=faults) as server:
            assert rig.http.get(f"{server.url}/a", limit=len(BODY)).body == BODY
            with pytest.raises(NetworkError, match="more than 3071999 bytes"):
                rig.http.get(f"{server.url}/a", limit=len(BODY) - 1)

    def test_connections_are_used_again(self, rig: Rig) -> None:
        with serve({"/a": b"text", "/b": b"text"}, faults=Faults(redirect={"/c": "/a"})) as server:
            for path in ("a", "b", "c", "missing"):
                rig.http.get(f"{server.url}/{path}")
            with pytest.raises(GoneError):
                rig.http.get_range(f"{server.url}/missing", 0, 9)
            rig.http.get(f"{server.url}/a")
        assert len({request.client for request in server.requests}) == 1

    def test_many_threads(self, rig: Rig) -> None:
        found: list[int] = []
        with serve({"/a": BODY}) as server:

            def fetch() -> None:
                found.append(len(rig.download(f"{server.url}/a")))

            threads = [threading.Thread(target=fetch) for _ in range(2 * CONNECTIONS)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(30)
        assert found == [len(BODY)] * len(threads)
        assert len({request.client for request in server.requests}) <= CONNECTIONS


class TestRetries:
    def test_two_failures_then_success(self, rig: Rig) -> None:
        with serve({"/a": b"text"}, faults=Faults(unavailable=2)) as server:
            assert rig.http.get(f"{server.url}/a").body == b"text"
        assert rig.waits == [0.5, 1.0]
        assert "503" in rig.notes.notes[0]

    def test_the_server_says_when(self, rig: Rig) -> None:
        with serve({"/a": b"text"}, faults=Faults(unavailable=1, retry_after="7")) as server:
            rig.http.get(f"{server.url}/a")
        assert rig.waits == [7.0]

    @pytest.mark.parametrize("header", ["Wed, 21 Oct 2026 07:28:00 GMT", "\xb2", "-5", "1e9", ""])
    def test_what_is_not_seconds_is_left_aside(self, rig: Rig, header: str) -> None:
        with serve({"/a": b"text"}, faults=Faults(unavailable=1, retry_after=header)) as server:
            rig.http.get(f"{server.url}/a")
        assert rig.waits == [0.5]

    @pytest.mark.parametrize("header", ["61", "999999", "9" * 5000])
    def test_not_at_any_price(self, rig: Rig, header: str) -> None:
        with (
            serve({"/a": b"text"}, faults=Faults(unavailable=9, retry_after=header)) as server,
            pytest.raises(NetworkError, match=r"503 Service Unavailable, and asks to wait \d+ s$"),
        ):
            rig.http.get(f"{server.url}/a")
        assert rig.waits == []

    def test_giving_up(self, rig: Rig) -> None:
        with (
            serve({"/a": b"text"}, faults=Faults(unavailable=99)) as server,
            pytest.raises(NetworkError, match="returned status 503 Service Unavailable, after 5 tries") as caught,
        ):
            rig.http.get(f"{server.url}/a?token=hidden", hint="set ENVGEN_X")
        assert len(server.requests) == 5
        assert caught.value.hint == "set ENVGEN_X"
        assert "hidden" not in str(caught.value)

    def test_a_refused_connection(self, rig: Rig) -> None:
        with closing(socket.create_server(("127.0.0.1", 0))) as listener:
            port = listener.getsockname()[1]
        with pytest.raises(NetworkError, match=r"failed to reach 127.0.0.1: Connection refused") as caught:
            rig.http.get(f"http://user:hidden@127.0.0.1:{port}/a")
        assert len(rig.waits) == 4
        assert caught.value.hint

    def test_an_unknown_name(self, rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
        def unknown(*_: object, **__: object) -> None:
            raise socket.gaierror(-2, "Name or service not known")

        monkeypatch.setattr(socket, "getaddrinfo", unknown)
        with pytest.raises(NetworkError, match=r"failed to reach index.invalid: its name cannot be resolved"):
            rig.http.get("http://index.invalid/")

    def test_a_failure_for_good_is_not_tried_again(self, rig: Rig) -> None:
        with (
            serve({"/a": b"text"}, faults=Faults(authorization="Basic eA==")) as server,
            pytest.raises(NetworkError, match="returned status 401 Unauthorized") as caught,
        ):
            rig.http.get(f"{server.url}/a")
        assert len(server.requests) == 1
        assert "netrc" in str(caught.value.hint)

    @pytest.mark.parametrize(
        "url", ["no url", "ftp://127.0.0.1/x", "http://[/", "http://127.0.0.1:99999/", "http://a..b/"]
    )
    def test_what_is_no_address(self, rig: Rig, url: str) -> None:
        with pytest.raises(NetworkError, match=r"not a (supported|valid) URL"):
            rig.http.get(url)
        assert rig.waits == []


class TestDownload:
    def test_into_a_file_that_digests_itself(self, rig: Rig, tmp_path: Path) -> None:
        with serve({"/a": BODY}) as server, HashedFile(tmp_path / "file") as out:
            assert rig.http.download(f"{server.url}/a", out, expected=SHA) == len(BODY)
        assert (tmp_path / "file").read_bytes() == BODY

    def test_a_broken_transfer_goes_on_where_it_broke(self, rig: Rig) -> None:
        told: list[int] = []
        with serve({"/a": BODY}, faults=Faults(drop_after=1_500_000)) as server:
            assert rig.download(f"{server.url}/a", size=len(BODY), advance=told.append) == BODY
        assert server.requests[1].headers["range"].startswith("bytes=1")
        assert server.requests[1].headers["if-range"]
        assert sum(told) == len(BODY)

    def test_one_that_breaks_again_and_again_gets_through_while_it_moves(self, rig: Rig) -> None:
        body = BODY * 8
        with serve({"/a": body}, faults=Faults(drop_after=2_500_000, drops=9)) as server:
            assert rig.download(f"{server.url}/a", expected=Sha256.of(body)) == body
        assert len(server.requests) == 10

    def test_one_that_does_not_move_is_given_up(self, rig: Rig) -> None:
        with (
            serve({"/a": BODY}, faults=Faults(drop_after=0, drops=99)) as server,
            pytest.raises(NetworkError, match="after 5 tries"),
        ):
            rig.download(f"{server.url}/a")

    def test_a_server_without_ranges_starts_again(self, rig: Rig) -> None:
        told: list[int] = []
        with serve({"/a": BODY}, faults=Faults(drop_after=1_500_000, ranges=False)) as server:
            assert rig.download(f"{server.url}/a", advance=told.append) == BODY
        assert sum(told) == len(BODY)

    def test_a_file_that_changes_meanwhile_is_fetched_anew(self, rig: Rig) -> None:
        content = {"/a": b"x" * 2_000_000}
        with serve(content, faults=Faults(drop_after=1_200_000)) as server:
            assert rig.download(f"{server.url}/a", advance=lambda _: content.update({"/a": BODY})) == BODY

    def test_pieces_of_two_versions_are_fetched_anew(self, rig: Rig) -> None:
        content = {"/a": b"x" * len(BODY)}
        with serve(content, faults=Faults(drop_after=1_200_000, etags=False)) as server:
            assert rig.download(f"{server.url}/a", advance=lambda _: content.update({"/a": BODY})) == BODY
        assert len(server.requests) == 3

    def test_a_file_that_shrinks_meanwhile_is_fetched_anew(self, rig: Rig) -> None:
        content = {"/a": b"x" * len(BODY)}
        with serve(content, faults=Faults(drop_after=1_200_000, etags=False)) as server:
            small = b"small"
            told = rig.download(
                f"{server.url}/a", expected=Sha256.of(small), advance=lambda _: content.update({"/a": small})
            )
        assert told == small

    def test_a_wrong_digest(self, rig: Rig) -> None:
        with (
            serve({"/w.whl": BODY}, faults=Faults(altered=frozenset({"/w.whl"}))) as server,
            pytest.raises(DigestMismatchError) as caught,
        ):
            rig.download(f"{server.url}/w.whl?sig=hidden")
        assert caught.value.expected == SHA
        assert "`w.whl` from http://127.0.0.1" in str(caught.value)
        assert "hidden" not in str(caught.value)

    def test_more_than_expected(self, rig: Rig) -> None:
        with serve({"/a": BODY}) as server, pytest.raises(IntegrityError, match="more than the expected 1000 bytes"):
            rig.download(f"{server.url}/a", size=1000)

    def test_less_than_expected(self, rig: Rig) -> None:
        with serve({"/a": BODY[:1000]}) as server, pytest.raises(NetworkError, match=r"after 1000 bytes|has changed"):
            rig.download(f"{server.url}/a", size=len(BODY))

    @pytest.mark.parametrize("faults", [Faults(), Faults(gone=frozenset({"/a"}))])
    def test_a_vanished_file(self, rig: Rig, faults: Faults) -> None:
        with serve({}, faults=faults) as server, pytest.raises(GoneError, match="/a does not exist"):
            rig.download(f"{server.url}/a")

    def test_an_empty_file(self, rig: Rig) -> None:
        with serve({"/a": b""}) as server:
            assert rig.download(f"{server.url}/a", expected=Sha256.of(b""), size=0) == b""


class TestRanges:
    def test_a_part_and_a_tail(self, rig: Rig) -> None:
        with serve({"/a": BODY}) as server:
            assert rig.http.get_range(f"{server.url}/a", 3, 9) == BODY[3:10]
            assert rig.http.get_tail(f"{server.url}/a", 5) == (BODY[-5:], len(BODY))
            assert rig.http.get_tail(f"{server.url}/a", len(BODY) + 1) == (BODY, len(BODY))

    def test_a_server_without(self, rig: Rig) -> None:
        with (
            serve({"/a": BODY}, faults=Faults(ranges=False)) as server,
            pytest.raises(RangeUnsupportedError, match="returned status 200"),
        ):
            rig.http.get_range(f"{server.url}/a", 3, 9)

    def test_beyond_the_end(self, rig: Rig) -> None:
        with serve({"/a": b"abc"}) as server, pytest.raises(RangeUnsupportedError, match="returned status 416"):
            rig.http.get_range(f"{server.url}/a", 7, 9)

    def test_of_a_vanished_file(self, rig: Rig) -> None:
        with serve({}) as server, pytest.raises(GoneError):
            rig.http.get_tail(f"{server.url}/a", 7)


class TestFiles:
    def test_documents_ranges_and_downloads(self, rig: Rig, tmp_path: Path) -> None:
        (tmp_path / "a b").write_bytes(BODY)
        url = (tmp_path / "a b").as_uri()
        assert rig.http.get(url).body == BODY
        assert rig.http.get_range(url, 3, 9) == BODY[3:10]
        assert rig.http.get_tail(url, 5) == (BODY[-5:], len(BODY))
        assert rig.download(url) == BODY

    def test_absence(self, rig: Rig, tmp_path: Path) -> None:
        url = (tmp_path / "none").as_uri()
        assert rig.http.get(url).status == 404
        with pytest.raises(GoneError):
            rig.download(url)
