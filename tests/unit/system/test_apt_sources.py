from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from envgen.system.apt_sources import AptEntry, debian_archive, parse_deb822, parse_one_line, read_entries

if TYPE_CHECKING:
    from pathlib import Path

ONE_LINE = """\
# deb http://commented.example/debian bookworm main
deb http://mirror.example/debian/ bookworm main contrib # remark
deb [arch=amd64 signed-by=/keyrings/debian-archive-keyring.gpg] https://mirror.example/debian bookworm-updates main
deb-src http://mirror.example/debian bookworm main
deb cdrom:[Debian_12]/ bookworm main
not a line
"""

DEB822 = """\
Types: deb deb-src
# a comment
URIs: http://one.example/debian http://two.example/debian/
Suites: trixie trixie-updates
Components: main non-free
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 abc
 -----END PGP PUBLIC KEY BLOCK-----

Types: deb
URIs: http://off.example/debian
Suites: trixie
Components: main
Enabled: no

Types: deb-src
URIs: http://source.example/debian
Suites: trixie
Components: main
"""


def test_lines() -> None:
    first, second, _ = parse_one_line(ONE_LINE, "sources.list")
    assert first == AptEntry(
        uri="http://mirror.example/debian",
        suite="bookworm",
        components=("main", "contrib"),
        signed_by="",
        file="sources.list",
    )
    assert second.signed_by.endswith("debian-archive-keyring.gpg")


def test_paragraphs() -> None:
    entries = list(parse_deb822(DEB822, "debian.sources"))
    assert [(entry.uri, entry.suite) for entry in entries] == [
        ("http://one.example/debian", "trixie"),
        ("http://one.example/debian", "trixie-updates"),
        ("http://two.example/debian", "trixie"),
        ("http://two.example/debian", "trixie-updates"),
    ]
    assert entries[0].components == ("main", "non-free")


def choose(*lines: str, security: bool = False, file: str = "sources.list") -> str | None:
    found = debian_archive(parse_one_line("\n".join(f"deb {line}" for line in lines), file), security=security)
    return found.uri if found else None


@pytest.mark.parametrize(
    ("line", "archive", "security"),
    [
        ("http://m/debian bookworm main", True, False),
        ("http://m/debian stable main", True, False),
        ("http://m/debian bookworm-updates main", True, False),
        ("http://m/debian-security bookworm-security main", False, True),
        ("http://m/debian-security buster/updates main", False, True),
        ("http://m/ubuntu noble main", False, False),
        ("http://m/ubuntu jammy-security main", False, False),
        ("http://m/debian bookworm-backports main", False, False),
        ("http://m/debian bookworm contrib", False, False),
        ("http://m/debian nodistro main", False, False),
        ("http://m/flat ./", False, False),
        ("mirror+file:/etc/apt/mirrors/debian.list bookworm main", False, False),
        ("cdrom:/debian bookworm main", False, False),
        ("file:///srv/debian bookworm main", True, False),
    ],
)
def test_what_counts(line: str, *, archive: bool, security: bool) -> None:
    assert (choose(line) is not None, choose(line, security=True) is not None) == (archive, security)


@pytest.mark.parametrize(
    "line", ["https://vendor.example bookworm main", "https://vendor.example/packages stable main"]
)
def test_third_parties_that_look_like_debian(line: str) -> None:
    assert choose(line, file="vendor.list") is None
    assert choose(line, "http://m/debian bookworm main", "http://m/debian bookworm-updates main") == "http://m/debian"


def test_the_first_of_equals() -> None:
    assert choose("http://a/debian bookworm main", "http://b/debian bookworm main") == "http://a/debian"


def test_files_in_the_order_of_apt(tmp_path: Path) -> None:
    folder = tmp_path / "etc/apt/sources.list.d"
    folder.mkdir(parents=True)
    (folder / "b.sources").write_text(DEB822)
    (folder / "a.list").write_text("deb http://a/debian sid main\n")
    (folder / "c.list.save").write_text("deb http://c/debian sid main\n")
    (tmp_path / "etc/apt/sources.list").write_text(ONE_LINE)
    found = [entry.file for entry in read_entries(tmp_path)]
    assert found == ["sources.list"] * 3 + ["a.list"] + ["b.sources"] * 4
    assert read_entries(tmp_path / "none") == []
