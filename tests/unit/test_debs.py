from __future__ import annotations

import pytest

from envgen.debs import Deb, DebianArea
from envgen.digest import Sha256


def make(version: str, archive: DebianArea = DebianArea.DEBIAN) -> Deb:
    return Deb(
        name="zlib1g",
        version=version,
        architecture="amd64",
        archive=archive,
        path="pool/main/z/zlib/zlib1g.deb",
        sha256=Sha256.of(b""),
        size=0,
    )


@pytest.mark.parametrize(
    ("version", "upstream", "revision"),
    [
        ("3.11.2-6+deb12u9", "3.11.2", "6+deb12u9"),
        ("1:4.4.33-2", "4.4.33", "2"),
        ("23.0.1+dfsg-1", "23.0.1", "1"),
        ("20250419", "20250419", ""),
        ("1:2.0-rc1-3", None, "3"),
        ("1.2.13.dfsg-1", None, "1"),
        ("5.0~rc1-1", None, "1"),
    ],
)
def test_version_has_upstream_and_revision(version: str, upstream: str | None, revision: str) -> None:
    deb = make(version)
    assert deb.revision == revision
    if upstream is None:
        with pytest.raises(ValueError, match="no plain upstream version"):
            _ = deb.upstream
    else:
        assert deb.upstream == upstream


def test_url_has_the_placeholder_of_the_archive() -> None:
    assert make("1").url == "${ENVGEN_DEBIAN}/pool/main/z/zlib/zlib1g.deb"
    assert make("1", DebianArea.SECURITY).url == "${ENVGEN_DEBIAN_SECURITY}/pool/main/z/zlib/zlib1g.deb"


@pytest.mark.parametrize(
    ("suite", "archive"),
    [
        ("bookworm", DebianArea.DEBIAN),
        ("bookworm-updates", DebianArea.DEBIAN),
        ("bookworm-security", DebianArea.SECURITY),
    ],
)
def test_archive_follows_from_the_suite(suite: str, archive: DebianArea) -> None:
    assert DebianArea.of_suite(suite) is archive
