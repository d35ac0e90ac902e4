from __future__ import annotations

import pytest

from envgen.ops.wheels import without_login


@pytest.mark.parametrize(
    ("url", "clean"),
    [
        ("https://user:secret@index.example.org/simple", "https://index.example.org/simple"),
        ("https://index.example.org:8443/a/b.whl#sha256=0", "https://index.example.org:8443/a/b.whl#sha256=0"),
        ("file:///srv/channel", "file:///srv/channel"),
    ],
)
def test_without_login(url: str, clean: str) -> None:
    assert without_login(url) == clean
