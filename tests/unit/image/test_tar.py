"""Headers that are written without tarfile are those that it writes."""

from __future__ import annotations

import pytest

from envgen.digest import Sha256
from envgen.image.entries import EXECUTABLE, Directory, Entry, File, Link, OnDisk, file
from envgen.image.tar import by_tarfile, header


def large(size: int) -> File:
    return File(path="opt/large", source=OnDisk(on_disk="unread", sha256=Sha256("0" * 64), size=size))


ENTRIES: list[Entry] = [
    file("opt/env/bin/python", b"elf", mode=EXECUTABLE),
    file("home/user/.profile", b"", uid=1000, gid=1000),
    file("a" * 100, b"as long as there is room"),
    file("a" * 101, b"longer"),
    file("opt/späm", b"not ASCII"),
    file("who", b"", uid=8**7, gid=1),
    file("who", b"", uid=8**7 - 1, gid=8**7 - 1, mode=0o4755),
    large(8**11 - 1),
    large(8**11),
    *(file("n" * length, b"long") for length in (98, 100, 101, 990, 991, 992, 993, 2000)),
    Link(path="opt/link", target="env"),
    Directory(path="tmp", mode=0o1777),
]


@pytest.mark.parametrize("entry", ENTRIES, ids=[f"{type(entry).__name__} {entry.path[:20]}" for entry in ENTRIES])
def test_a_header_is_the_one_of_tarfile(entry: Entry) -> None:
    raw = header(entry)
    assert raw == by_tarfile(entry)
    assert len(raw) % 512 == 0
