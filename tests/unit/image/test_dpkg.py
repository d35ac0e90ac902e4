from __future__ import annotations

import pytest

from envgen.errors import ArtifactError
from envgen.image.dpkg import status
from envgen.image.entries import Literal

CONTROL = b"Package: zlib1g\nVersion: 1.2\nDescription: compression\n more of it\n"


def test_digests_of_files_that_are_there() -> None:
    md5sums = b"aa  lib/x86/libz.so.1\nbb  usr/share/doc/zlib1g/changelog.gz\ncc  usr/share/a b\n"
    found = list(
        status({"zlib1g": {"control": CONTROL, "md5sums": md5sums}}, paths={"usr/lib/x86/libz.so.1", "usr/share/a b"})
    )
    assert [entry.path for entry in found] == ["var/lib/dpkg/status.d/zlib1g", "var/lib/dpkg/status.d/zlib1g.md5sums"]
    stanza, sums = (entry.source.data for entry in found if isinstance(entry.source, Literal))
    assert stanza == (
        b"Package: zlib1g\nStatus: install ok installed\nVersion: 1.2\nDescription: compression\n more of it\n"
    )
    assert sums == b"aa  lib/x86/libz.so.1\ncc  usr/share/a b\n"


def test_a_package_must_say_what_it_is() -> None:
    with pytest.raises(ArtifactError, match="zlib1g"):
        list(status({"zlib1g": {"md5sums": b""}}, paths=()))
