"""Whom the client trusts, and whom it tells what."""

from __future__ import annotations

import socket
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from envgen.errors import NetworkError, UserError
from tests.builders.server import Faults, serve
from tests.unit.system.rig import BODY, Rig

if TYPE_CHECKING:
    from pathlib import Path


class TestCredentials:
    LOGIN = "Basic dXNlcjpwYXNzIHdvcmQ="  # user:pass word

    def test_of_the_url_go_into_a_header_and_stay_for_that_server(self, rig: Rig) -> None:
        with serve({"/a": b"text"}, faults=Faults(authorization=self.LOGIN)) as server:
            url = server.url.replace("//", "//user:pass%20word@")
            found = rig.http.get(f"{url}/a")
            assert rig.http.get(f"{server.url}/a").body == found.body == b"text"
        assert found.url == f"{server.url}/a"

    def test_of_netrc(self, tmp_path: Path) -> None:
        (tmp_path / ".netrc").write_text('machine 127.0.0.1 login user password "pass word"\n')
        with serve({"/a": b"text"}, faults=Faults(authorization=self.LOGIN)) as server:
            assert Rig(HOME=str(tmp_path)).http.get(f"{server.url}/a").body == b"text"

    def test_do_not_follow_to_another_server(self, rig: Rig) -> None:
        with serve({"/b": b"text"}) as other:
            faults = Faults(authorization=self.LOGIN, redirect={"/a": f"{other.url}/b"})
            with serve({}, faults=faults) as server:
                url = server.url.replace("//", "//user:pass%20word@")
                assert rig.http.get(f"{url}/a").body == b"text"
        assert "authorization" not in other.requests[0].headers

    def test_that_stayed_with_the_first_server_are_not_named(self, rig: Rig) -> None:
        with serve({"/b": b"text"}, faults=Faults(authorization=self.LOGIN)) as other:
            faults = Faults(
                authorization=self.LOGIN, redirect={"/a": other.url.replace("127.0.0.1", "localhost") + "/b"}
            )
            with serve({}, faults=faults) as server, pytest.raises(NetworkError) as caught:
                rig.http.get(server.url.replace("//", "//user:pass%20word@") + "/a")
        assert "returned status 401" in str(caught.value)
        assert "it was sent" not in str(caught.value)

    def test_follow_on_the_same_server(self, rig: Rig) -> None:
        faults = Faults(authorization=self.LOGIN, redirect={"/a": "b"})
        with serve({"/b": b"text"}, faults=faults) as server:
            url = server.url.replace("//", "//user:pass%20word@")
            assert rig.http.get(f"{url}/a").url == f"{server.url}/b"

    def test_are_not_taken_from_a_redirect(self, rig: Rig) -> None:
        with serve({"/b": b"text"}) as other:
            target = other.url.replace("//", "//user:planted@")
            with serve({}, faults=Faults(redirect={"/a": f"{target}/b"})) as server:
                rig.http.get(f"{server.url}/a")
            rig.http.get(f"{other.url}/b")
        assert all("authorization" not in request.headers for request in other.requests)


class TestRedirects:
    def test_in_a_circle(self, rig: Rig) -> None:
        with (
            serve({}, faults=Faults(redirect={"/a": "/a"})) as server,
            pytest.raises(NetworkError, match="more than 10 times"),
        ):
            rig.http.get(f"{server.url}/a")

    @pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/x", "http://[/"])
    def test_to_what_is_not_http(self, rig: Rig, target: str) -> None:
        with (
            serve({}, faults=Faults(redirect={"/a": target})) as server,
            pytest.raises(
                NetworkError, match=r"redirects to `(file|ftp):`, expected `http:` or `https:`|not a valid URL"
            ),
        ):
            rig.http.get(f"{server.url}/a")

    def test_of_a_broken_transfer(self, rig: Rig) -> None:
        faults = Faults(redirect={"/a": "/b"}, drop_after=1_500_000)
        with serve({"/b": BODY}, faults=faults) as server:
            assert rig.download(f"{server.url}/a") == BODY
        assert server.paths() == ["/a", "/b", "/a", "/b"]


class TestProxies:
    def test_are_asked_with_the_whole_url_and_their_own_login(self) -> None:
        with serve({"/a": b"by proxy"}) as proxy:
            rig = Rig(http_proxy=proxy.url.replace("//", "//me:secret@"), NO_PROXY="elsewhere")
            assert rig.http.get("http://index.invalid/a").body == b"by proxy"
        assert proxy.requests[0].headers["proxy-authorization"].startswith("Basic ")
        assert proxy.requests[0].headers["host"] == "index.invalid"

    def test_that_are_down(self) -> None:
        with closing(socket.create_server(("127.0.0.1", 0))) as listener:
            port = listener.getsockname()[1]
        rig = Rig(HTTP_PROXY=f"127.0.0.1:{port}")
        with pytest.raises(NetworkError, match="the proxy failed to connect") as caught:
            rig.http.get("http://index.invalid/a")
        assert "HTTP_PROXY" in str(caught.value.hint)


class TestCertificates:
    def test_of_nobody_we_trust(self, authority: tuple[Path, Path], rig: Rig) -> None:
        with (
            serve({"/a": b"text"}, certificate=authority[1]) as server,
            pytest.raises(NetworkError, match=r"failed to verify the certificate of 127.0.0.1") as caught,
        ):
            rig.http.get(f"{server.url}/a")
        assert "SSL_CERT_FILE" in str(caught.value.hint)
        assert rig.waits == []

    @pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT"])
    def test_of_the_site(self, authority: tuple[Path, Path], variable: str) -> None:
        rig = Rig(**{variable: str(authority[0])})
        with serve({"/a": BODY}, certificate=authority[1]) as server:
            assert rig.download(f"{server.url}/a") == BODY

    def test_that_are_none(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match="SSL_CERT_FILE: failed to read"):
            Rig(SSL_CERT_FILE=str(tmp_path / "none")).http.get("https://127.0.0.1:9/")

    def test_to_a_plain_server(self, authority: tuple[Path, Path]) -> None:
        with serve({"/b": b"text"}) as plain:
            faults = Faults(redirect={"/a": f"{plain.url}/b"})
            with (
                serve({}, faults=faults, certificate=authority[1]) as server,
                pytest.raises(NetworkError, match="not encrypted"),
            ):
                Rig(SSL_CERT_FILE=str(authority[0])).http.get(f"{server.url}/a")
        assert plain.requests == []
