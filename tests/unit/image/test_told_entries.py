"""Entries that are kept as a fact come back as they were, without their files."""

from __future__ import annotations

import pytest

from envgen.image.entries import Directory, File, Link, file
from envgen.image.told_entries import parse, render

SOME = (
    Directory(path="var/tmp", mode=0o1777, uid=1, gid=2),
    Directory(path="opt/\u00e4"),
    Link(path="bin", target="usr/bin"),
    file("etc/empty", b""),
    file("etc/motd", b"hello", mode=0o600, uid=3, gid=4),
)


def test_what_is_kept_comes_back() -> None:
    found = parse(render(SOME))
    assert found is not None
    assert found[:3] == SOME[:3]
    for got, want in zip(found[3:], SOME[3:], strict=True):
        assert isinstance(got, File)
        assert isinstance(want, File)
        assert (got.path, got.mode, got.uid, got.gid) == (want.path, want.mode, want.uid, want.gid)
        assert (got.source.sha256, got.source.size) == (want.source.sha256, want.source.size)


@pytest.mark.parametrize(
    "raw",
    [b"", b"{}", b"[2, []]", b"[1, 5]", b'[1, [["a"]]]', b'[1, [["a", "x", 1, 2, 3, 4]]]', b'[1, [["a", "", 1]]]'],
)
def test_what_is_of_another_format_is_none(raw: bytes) -> None:
    assert parse(raw) is None
