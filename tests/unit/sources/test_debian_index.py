from __future__ import annotations

import io

import pytest

from envgen.debs import DebianArea
from envgen.errors import ArtifactError
from envgen.sources.debian_index import PackageIndex, Requirement, condense

SHA = "a" * 64

PACKAGES = f"""\
Package: python3.11
Version: 3.11.2-6
Architecture: amd64
Maintainer: Nobody
Pre-Depends: libc6 (>= 2.36)
Depends: zlib1g (>= 1:1.2.0), media-types | mime-support,
 python3.11-distutils
Description: says Package: zlib1g in its text
Filename: pool/main/p/python3.11/python3.11_3.11.2-6_amd64.deb
Size: 12
SHA256: {SHA}

Package: python3-distutils
Architecture: all
Version: 3.11.2-3
Provides: python3.10-distutils (= 3.10), python3.11-distutils
Filename: pool/main/p/python3-stdlib-extensions/python3-distutils_3.11.2-3_all.deb
Size: 34
SHA256: {SHA}

Package: python3.11-dev
Version: 3.11.2-6
Architecture: amd64
Provides: not-python3.11-distutils
Filename: pool/main/p/python3.11/python3.11-dev_3.11.2-6_amd64.deb
Size: 1
SHA256: {SHA}

Package: python3.11
Version: 3.11.2-7
Architecture: amd64
Filename: pool/main/p/python3.11/python3.11_3.11.2-7_amd64.deb
Size: 12
SHA256: {SHA}
"""


def index(text: str = PACKAGES) -> PackageIndex:
    return PackageIndex(condense(io.BytesIO(text.encode())), archive=DebianArea.DEBIAN)


def test_condensed_index_lacks_what_nobody_reads() -> None:
    found = condense(io.BytesIO(PACKAGES.encode()))
    assert b"Maintainer" not in found
    assert b"Description" not in found
    assert b"python3.11-distutils\n" in found


def test_every_version_of_a_name_is_found_and_no_other_name() -> None:
    assert [c.deb.version for c in index().find("python3.11")] == ["3.11.2-6", "3.11.2-7"]
    assert list(index().find("python3")) == []
    assert list(index().find("zlib1g")) == []


def test_relations_are_read() -> None:
    found = next(index().find("python3.11"))
    assert [" | ".join(map(str, group)) for group in found.depends] == [
        "libc6 (>= 2.36)",
        "zlib1g (>= 1:1.2.0)",
        "media-types | mime-support",
        "python3.11-distutils",
    ]


def test_virtual_name_is_found_by_whole_words() -> None:
    found = list(index().providers("python3.11-distutils"))
    assert [c.deb.name for c in found] == ["python3-distutils"]
    assert found[0].provides == {"python3.10-distutils": "3.10", "python3.11-distutils": None}
    assert list(index().providers("distutils")) == []


@pytest.mark.parametrize(
    ("wanted", "met"),
    [
        (Requirement(name="python3-distutils"), True),
        (Requirement(name="python3-distutils", relation=">=", version="3.11.2-3"), True),
        (Requirement(name="python3-distutils", relation="<<", version="3.11.2-3"), False),
        (Requirement(name="python3.10-distutils", relation="=", version="3.10"), True),
        (Requirement(name="python3.11-distutils"), True),
        (Requirement(name="python3.11-distutils", relation=">=", version="1"), False),
        (Requirement(name="other"), False),
    ],
)
def test_candidate_satisfies(wanted: Requirement, *, met: bool) -> None:
    found = next(index().find("python3-distutils"))
    assert found.satisfies(wanted) is met


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("Filename", "pool/../../etc/passwd.deb"),
        ("Filename", "/pool/main/x/x.deb"),
        ("Filename", "pool/main/x y/x.deb"),
        ("SHA256", "abc"),
        ("Size", "many"),
    ],
)
def test_malformed_stanza_is_refused(field: str, value: str) -> None:
    lines = [f"{field}: {value}" if line.startswith(f"{field}:") else line for line in PACKAGES.splitlines()]
    with pytest.raises(ArtifactError, match="python3-distutils"):
        list(index("\n".join(lines)).find("python3-distutils"))


def test_missing_field_is_refused() -> None:
    with pytest.raises(ArtifactError, match="SHA256"):
        list(index(PACKAGES.replace("SHA256", "SHA512")).find("python3.11"))


def test_tables_have_every_name_once_and_where_its_stanzas_are() -> None:
    head, _, rest = condense(io.BytesIO(PACKAGES.encode())).partition(b"\n")
    names, provided = map(int, head.split())
    assert [line.partition(" ")[0] for line in rest[:names].decode().splitlines()] == [
        "python3-distutils",
        "python3.11",
        "python3.11-dev",
    ]
    assert rest[names : names + provided].count(b"\n") == 3
    stanzas = rest[names + provided :]
    for line in rest[:names].decode().splitlines():
        name, *places = line.split()
        assert all(stanzas[int(place) :].startswith(f"Package: {name}\n".encode()) for place in places)


class _Drips(io.BytesIO):
    """A stream that gives so many bytes at a time."""

    def __init__(self, content: bytes, most: int) -> None:
        super().__init__(content)
        self._most = most
        self.largest = 0

    def read(self, size: int | None = -1, /) -> bytes:
        self.largest = max(self.largest, size if size is not None and size >= 0 else 1 << 62)
        return super().read(self._most)


@pytest.mark.parametrize("most", [1, 2, 3, 7, 100])
@pytest.mark.parametrize("end", ["", "\n", "\n\n"])
def test_pieces_of_any_size_give_the_same_bytes(most: int, end: str) -> None:
    content = (PACKAGES.replace("\n\n", "\n\n\n", 1) + end).encode()
    assert condense(_Drips(content, most)) == condense(io.BytesIO(content))


def test_an_index_is_read_in_pieces() -> None:
    stream = _Drips(PACKAGES.encode(), 100)
    condense(stream)
    assert stream.largest <= 1 << 20


@pytest.mark.parametrize("text", ["", "\n", "Origin: nobody\n"])
def test_nothing_is_found_in_an_index_without_packages(text: str) -> None:
    assert not [*index(text).find("a"), *index(text).providers("a"), *index(text).names()]


def test_virtual_names_on_further_lines_are_found() -> None:
    more = PACKAGES.replace("Provides: not-", "Provides: one,\n two (= 1),\n not-")
    assert [c.deb.name for c in index(more).providers("two")] == ["python3.11-dev"]


@pytest.mark.parametrize("place", ["first", "last"])
def test_fields_of_a_stanza_are_in_any_order(place: str) -> None:
    lines = PACKAGES.split("\n\n")[1].split("\n")
    [moved] = [line for line in lines if line.startswith("Provides:")]
    others = [line for line in lines if line != moved]
    stanza = [moved, *others] if place == "first" else [*others, moved]
    found = index(PACKAGES.replace("\n".join(lines), "\n".join(stanza)))
    assert [c.deb.version for c in found.find("python3-distutils")] == ["3.11.2-3"]
    assert [c.deb.name for c in found.providers("python3.10-distutils")] == ["python3-distutils"]
