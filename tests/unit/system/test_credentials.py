from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from envgen.errors import UserError
from envgen.system.credentials import Credentials, basic, display, without_login

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://host/a?b=c#d", "https://host/a?b=***#***"),
        ("https://host:8080/", "https://host:8080/"),
        ("https://user:hidden@host/a", "https://***@host/a"),
        ("https://hidden@host/a", "https://***@host/a"),
        ("https://u:p@ss@host/a", "https://***@host/a"),
        ("https://host/a?X-Amz-Signature=hidden&X-Amz-Date=2", "https://host/a?X-Amz-Signature=***&X-Amz-Date=***"),
        ("https://host/a?access_token=hidden&sig=hidden", "https://host/a?access_token=***&sig=***"),
        ("https://user:hidden@[broken/a", "https://***@[broken/a"),
        ("file:///a/b", "file:///a/b"),
        ("user:hidden@host:80/simple", "***@host:80/simple"),
        ("user:hid/den@host/simple", "***@host/simple"),
        ("https://user:hid/den@host/simple", "https://***@host/simple"),
        ("https://user:hid#den@host/simple", "https://***@host/simple"),
        ("https://user:hid?den@host/simple", "https://***@host/simple"),
        ("https://host/t/tk-hidden/channel", "https://host/t/***/channel"),
        ("https://host/api/t/hidden-1/channel", "https://host/api/t/***/channel"),
        ("https://host/pool/main/t/tzdata/x.deb", "https://host/pool/main/t/tzdata/x.deb"),
        ("https://host/a?apikey=hidden&jwt=hidden&pwd=hidden&x", "https://host/a?apikey=***&jwt=***&pwd=***&***"),
        ("https://host/a.whl#sha256=00ff", "https://host/a.whl#sha256=00ff"),
        ("host/name:tag", "host/name:tag"),
        ("conda-forge", "conda-forge"),
        ("/a/b", "/a/b"),
    ],
)
def test_display(url: str, shown: str) -> None:
    assert display(url) == shown


def test_logins_are_decoded_and_masked() -> None:
    bare, secret = without_login("https://us%40er:p%3Aw@host:1/a?b")
    assert bare == "https://host:1/a?b"
    assert secret == basic("us@er", "p:w")
    assert "Basic" not in repr(secret)
    assert without_login(bare) == (bare, None)


def test_logins_belong_to_scheme_host_and_port() -> None:
    credentials = Credentials({})
    assert credentials.take("https://me:pw@host/a") == ("https://host/a", basic("me", "pw"))
    assert credentials.known("https://host:443/b") == basic("me", "pw")
    for other in ("http://host/b", "https://host:444/b", "https://other/b"):
        assert credentials.known(other) is None


def read(path: Path, text: str) -> Credentials:
    path.write_text(text)
    return Credentials.read({"NETRC": str(path)})


def test_netrc(tmp_path: Path) -> None:
    credentials = read(tmp_path / "netrc", "machine host login me password pw\n")
    assert credentials.known("https://host/a") == basic("me", "pw")
    assert credentials.take("https://other/a")[1] is None
    assert credentials.take("https://you:own@host/a")[1] == basic("you", "own")


def test_the_default_of_netrc_is_for_every_host_that_is_asked(tmp_path: Path) -> None:
    credentials = read(tmp_path / "netrc", "machine host login me password pw\ndefault login x password y\n")
    assert credentials.take("https://host/a")[1] == basic("me", "pw")
    assert credentials.take("https://other/a")[1] == basic("x", "y")
    assert credentials.take("https://you:own@third/a")[1] == basic("you", "own")
    assert credentials.after("https://other/a", "https://other/b") == basic("x", "y")
    assert credentials.after("https://other/a", "https://store/b") is None
    assert credentials.after("https://other/a", "https://host/b") == basic("me", "pw")


def test_netrc_at_home(tmp_path: Path) -> None:
    (tmp_path / ".netrc").write_text("machine host login me password pw\n")
    assert Credentials.read({"HOME": str(tmp_path)}).known("https://host/") == basic("me", "pw")
    assert Credentials.read({"HOME": str(tmp_path / "none")}).known("https://host/") is None
    assert Credentials.read({"HOME": ""}).known("https://host/") is None


def test_a_broken_netrc(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"netrc:2: not in netrc format") as caught:
        read(tmp_path / "netrc", "machine host login me password hidden words\n")
    assert "words" not in str(caught.value)
    with pytest.raises(UserError, match=r"NETRC: .*does not exist"):
        Credentials.read({"NETRC": str(tmp_path / "none")})
    with pytest.raises(UserError, match="failed to read"):
        Credentials.read({"NETRC": str(tmp_path)})
