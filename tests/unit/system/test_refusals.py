"""Statuses that mean failure, and what helps where a server wants a login."""

from __future__ import annotations

import pytest

from envgen.errors import NetworkError
from envgen.system.refusals import login_hint, refuse_failure
from envgen.system.retry import TransientError

URL = "https://user:secret@host/simple/x/"


@pytest.mark.parametrize("status", [200, 206, 304, 404, 410, 416])
def test_answers(status: int) -> None:
    refuse_failure(status, "", {}, url=URL, login=None)


def test_may_pass() -> None:
    with pytest.raises(TransientError) as caught:
        refuse_failure(503, "Busy", {"retry-after": "7"}, url=URL, login=None)
    assert caught.value.wait == 7


def test_says_which_login_was_refused() -> None:
    with pytest.raises(NetworkError) as caught:
        refuse_failure(403, "Forbidden", {}, url=URL, login="netrc")
    assert str(caught.value) == (
        "https://***@host/simple/x/ returned status 403 Forbidden; it was sent the login from netrc"
    )
    assert caught.value.hint == "check the user and password of host there, and that they may read this"


@pytest.mark.parametrize(
    ("challenge", "words"),
    [
        ("", "add the user and password for the server to `~/.netrc`"),
        ('Basic realm="x"', "add the user and password for the server to `~/.netrc`"),
        ('Bearer realm="https://host/token"', 'host asks for a token (Bearer realm="https://host/token"): add it'),
        ("AWS4-HMAC-SHA256", "host asks for a token (AWS4-HMAC-SHA256)"),
        ("Bearer \x1b[31mred\n" + "x" * 500, "host asks for a token (Bearer "),
    ],
)
def test_hints(challenge: str, words: str) -> None:
    hint = login_hint(challenge, url=URL, sent=False)
    assert words in hint
    assert "\x1b" not in hint
    assert "\n" not in hint
    assert len(hint) < 300
