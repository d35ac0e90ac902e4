from __future__ import annotations

import pytest

from envgen.urls import has_token, without_login, without_secrets, without_secrets_in


@pytest.mark.parametrize(
    ("url", "clean"),
    [
        ("https://user:secret@index.example.org/simple", "https://index.example.org/simple"),
        ("https://index.example.org:8443/a/b.whl?c#sha256=0", "https://index.example.org:8443/a/b.whl?c#sha256=0"),
        ("file:///srv/channel", "file:///srv/channel"),
        ("https://user:sec/ret@index.example.org/simple", "https://index.example.org/simple"),
        ("https://user:sec#ret@index.example.org/simple", "https://index.example.org/simple"),
        ("https://index.example.org/pkg@1.0/a", "https://index.example.org/pkg@1.0/a"),
        ("https://index.example.org:80/pkg@1.0/a", "https://index.example.org:80/pkg@1.0/a"),
    ],
)
def test_without_login(url: str, clean: str) -> None:
    assert without_login(url) == clean


@pytest.mark.parametrize(
    ("url", "clean"),
    [
        ("https://c.invalid/forge/linux-64/a-1-0.conda", "https://c.invalid/forge/linux-64/a-1-0.conda"),
        ("https://u:p@c.invalid:8080/linux-64/a-1-0.conda", "https://c.invalid:8080/linux-64/a-1-0.conda"),
        ("https://c.invalid/t/abc-123/forge/linux-64/a-1-0.conda", "https://c.invalid/forge/linux-64/a-1-0.conda"),
        ("https://c.invalid/mirror/t/abc-123/forge/noarch/a.conda", "https://c.invalid/mirror/forge/noarch/a.conda"),
        ("https://c.invalid/forge/t/a.conda", "https://c.invalid/forge/t/a.conda"),
        ("https://c.invalid/forge/linux-64/a-1-0.conda?token=x#y", "https://c.invalid/forge/linux-64/a-1-0.conda"),
        ("https://c.invalid/pool/t/torch/noarch/a.conda", "https://c.invalid/pool/t/torch/noarch/a.conda"),
        ("file:///srv/t/channel/linux-64/a-1-0.conda", "file:///srv/t/channel/linux-64/a-1-0.conda"),
    ],
)
def test_without_secrets(url: str, clean: str) -> None:
    assert without_secrets(url) == clean


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("https://c.invalid/t/abc/forge", True),
        ("https://c.invalid/t/tk-1", True),
        ("https://c.invalid/api/t/aa-0123/forge", True),
        ("https://c.invalid/t/${TOKEN}/forge", False),
        ("https://c.invalid/pool/main/t/tzdata/x.deb", False),
        ("https://c.invalid/forge", False),
        ("./t/tk-1", False),
        ("file:///srv/t/tk-1", False),
        ("http://[", False),
    ],
)
def test_has_token(url: str, *, found: bool) -> None:
    assert has_token(url) is found


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("cannot reach https://u:hidden@host/a?b=hidden, sorry", "cannot reach https://***@host/a?b=***"),
        ("is `user:hidden@host/x` right", "is `***@host/x` right"),
        ("hint: write to someone@example.org", "hint: write to someone@example.org"),
        ("torch @ https://host/x.whl", "torch @ https://host/x.whl"),
        ("git@host:path", "git@host:path"),
    ],
)
def test_secrets_in_a_message(text: str, shown: str) -> None:
    assert without_secrets_in(text).startswith(shown)
    assert "hidden" not in without_secrets_in(text)


@pytest.mark.parametrize("word", ["y", "=", "a:", "://", "a://", "@"])
def test_words_of_any_length_are_read_in_linear_time(word: str) -> None:
    """With a look at all of the rest for each character this would take hours."""
    text = word * 300_000
    assert without_secrets_in(f"{text} https://me:hidden@host/simple").endswith(" https://***@host/simple")


@pytest.mark.parametrize(
    "url",
    [
        "git+http://127.0.0.1:8080/made.git@main",
        "git+https://git.host.example:8443/a/made.git@v1.0",
        f"127.0.0.1:5000/me/train:1@sha256:{'0' * 64}",
        f"registry.example:5000/me/train@sha256:{'0' * 64}",
    ],
)
def test_a_port_is_not_a_password(url: str) -> None:
    assert without_secrets_in(f"running the build of `{url}`, ({url})") == f"running the build of `{url}`, ({url})"
