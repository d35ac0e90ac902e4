"""`Packages`: what a suite offers for one architecture, and relations between packages.

Debian 12 lists 63,000 packages in 50 MB, of which a run wants a few dozen. Parsing all stanzas takes half a minute, so
an index is kept as text with the fields that matter (half of the bytes) and tables of its names; only what is looked
up is parsed.
"""

from __future__ import annotations

import operator
import re
from bisect import bisect_left
from typing import TYPE_CHECKING

from debian.debian_support import Version
from msgspec import Struct

from envgen.debs import Deb, DebianArea
from envgen.digest import Sha256
from envgen.errors import ArtifactError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import BinaryIO

    from debian.deb822 import Deb822, PkgRelation

    from envgen.inflate import Inflated

_WANTED = re.compile(
    rb"\n(?:(?:Package|Version|Architecture|Pre-Depends|Depends|Provides|Filename|Size|SHA256):.*(?:\n[ \t].*)*|(?=\n))"
)
"""The fields that matter, and the empty lines between stanzas, each with the line end before it.

A pattern that begins with one fixed byte is searched for by `memchr`, which halves the time of one with `^`.
"""

_FIRST = re.compile(rb"\n*Package: (\S+)\n")
"""The name where it usually is."""

_NAME = re.compile(rb"^Package: (\S+)$", re.MULTILINE)
_PROVIDES = re.compile(rb"^Provides:(.*(?:\n[ \t].*)*)", re.MULTILINE)
_BETWEEN = b"\n\n"
_BLOCK = 1 << 20
"""Bytes that are read at once."""

_SAFE_PATH = re.compile(r"pool/(?:[A-Za-z0-9][A-Za-z0-9+.~_:%-]*/)+[A-Za-z0-9][A-Za-z0-9+.~_:%-]*\.deb")

_COMPARE: dict[str, Callable[[Version, Version], bool]] = {
    "<<": operator.lt,
    "<=": operator.le,
    "=": operator.eq,
    ">=": operator.ge,
    ">>": operator.gt,
}


class Requirement(Struct, frozen=True, kw_only=True):
    """One name with an optional version relation: `libc6 (>= 2.36)`."""

    name: str
    relation: str | None = None
    version: str | None = None

    def __str__(self) -> str:
        return f"{self.name} ({self.relation} {self.version})" if self.version else self.name

    def allows(self, version: str | None) -> bool:
        """Return whether a version is meant; None is a virtual package without one, which no relation allows."""
        if self.relation is None or self.version is None:
            return True
        return version is not None and _COMPARE[self.relation](Version(version), Version(self.version))


Alternatives = tuple[Requirement, ...]
"""What one comma-separated item of `Depends` says: any of these."""


class DebianCandidate(Struct, frozen=True, kw_only=True):
    """A package that a suite offers.

    Attributes:
        deb: the file.
        depends: `Pre-Depends` and `Depends`; all of them must be met.
        provides: virtual name -> version provided, None where the package states none.
    """

    deb: Deb
    depends: tuple[Alternatives, ...]
    provides: dict[str, str | None]

    def satisfies(self, wanted: Requirement) -> bool:
        """Return whether the package, or a name that it provides, is what is wanted."""
        if self.deb.name == wanted.name:
            return wanted.allows(self.deb.version)
        return wanted.name in self.provides and wanted.allows(self.provides[wanted.name])


def condense(packages: BinaryIO | Inflated) -> bytes:
    """Return a `Packages` file as `PackageIndex` reads it. 0.3 s for all of Debian 12.

    The file is read in pieces and never held as a whole: several are condensed at once, of 50 MB each.

    Fields that nobody here reads are dropped. Two tables stand before the stanzas that are left: from the names of
    packages, and from what packages provide, to the places of their stanzas. Each has a line for each name, sorted:
    the name, then where its stanzas begin among the stanzas. The first line has the lengths of both tables.
    """
    stanzas: list[bytes] = []
    places: dict[bytes, bytes] = {}  # with the places as text: lists of them take a fifth more time
    provided: dict[bytes, bytes] = {}
    at = 0
    for block in _blocks(packages):
        for stanza in b"".join(_WANTED.findall(b"\n" + block)).split(_BETWEEN):
            if found := _FIRST.match(stanza) or _NAME.search(stanza):
                kept, name = stanza.strip(b"\n"), found[1]
                places[name] = b"%s %d" % (places.get(name, name), at)
                for other in _provided(kept) if b"Provides:" in kept else ():
                    provided[other] = b"%s %d" % (provided.get(other, other), at)
                stanzas.append(kept)
                at += len(kept) + len(_BETWEEN)
    tables = _table(places), _table(provided)
    head = b"%d %d\n" % (len(tables[0]), len(tables[1]))
    return b"".join([head, *tables, _BETWEEN.join(stanzas), _BETWEEN])


def _blocks(packages: BinaryIO | Inflated) -> Iterator[bytes]:
    """Yield whole stanzas, many at once: a search through a block takes a third of one through each stanza."""
    rest = b""
    while block := packages.read(_BLOCK):
        whole, between, rest = (rest + block).rpartition(b"\n\n")
        yield whole + between
    yield rest + b"\n"


def _provided(stanza: bytes) -> set[bytes]:
    found = _PROVIDES.search(stanza)
    items = (item.split(b"(", 1)[0].split() for item in found[1].split(b",")) if found else ()
    return {item[0].partition(b":")[0] for item in items if item}


def _table(lines: Mapping[bytes, bytes]) -> bytes:
    return b"".join(line + b"\n" for line in sorted(lines.values()))


class PackageIndex:
    """A condensed `Packages` file that is searched by name.

    Args:
        condensed: as `condense` makes it.
        archive: that has the packages.
    """

    def __init__(self, condensed: bytes, *, archive: DebianArea) -> None:
        start = condensed.index(b"\n") + 1
        names, provided = map(int, condensed[:start].split())
        self._text = condensed
        self._start = start + names + provided
        self._names = _lines(condensed[start : start + names])
        self._provided = _lines(condensed[start + names : self._start])
        self._archive = archive

    def find(self, name: str) -> Iterator[DebianCandidate]:
        """Yield every version of a package, in the order of the index."""
        return map(self._parse, _places(self._names, name))

    def providers(self, name: str) -> Iterator[DebianCandidate]:
        """Yield the packages that provide a virtual name, in the order of the index."""
        candidates = map(self._parse, _places(self._provided, name))
        return (candidate for candidate in candidates if name in candidate.provides)

    def names(self) -> Iterator[str]:
        """Yield the name of every package, sorted."""
        return (line.partition(b" ")[0].decode(errors="replace") for line in self._names if line)

    def _parse(self, place: int) -> DebianCandidate:
        from debian.deb822 import Deb822  # noqa: PLC0415  takes 10 ms, and many environments have nothing of Debian

        start = self._start + place
        end = self._text.find(b"\n\n", start)
        stanza = self._text[start:] if end < 0 else self._text[start:end]
        return parse_candidate(Deb822(stanza.decode(errors="replace")), archive=self._archive)


def _lines(table: bytes) -> list[bytes]:
    return table.removesuffix(b"\n").split(b"\n")


def _places(table: Sequence[bytes], name: str) -> list[int]:
    """Return the places that a table has for a name."""
    wanted = name.encode() + b" "
    at = bisect_left(table, wanted)
    line = table[at] if at < len(table) else b""
    return [int(place) for place in line.removeprefix(wanted).split()] if line.startswith(wanted) else []


def parse_candidate(fields: Deb822, *, archive: DebianArea) -> DebianCandidate:
    """Read one stanza.

    Raises:
        ArtifactError: a field is missing or malformed, or the path is no plain path below `pool/`.
    """
    try:
        deb = Deb(
            name=fields["Package"],
            version=fields["Version"],
            architecture=fields["Architecture"],
            archive=archive,
            path=fields["Filename"],
            sha256=Sha256.parse(fields["SHA256"]),
            size=int(fields["Size"]),
        )
        relations = [*_relations(fields.get("Pre-Depends", "")), *_relations(fields.get("Depends", ""))]
        provides = {r.name: r.version for group in _relations(fields.get("Provides", "")) for r in group}
    except (KeyError, ValueError) as e:
        raise ArtifactError(f"`Packages` has an invalid entry for {fields.get('Package')!r}: {e!r}") from e
    if not _SAFE_PATH.fullmatch(deb.path):
        raise ArtifactError(f"`Packages` lists {deb.name} at {deb.path!r}, expected a path below `pool/`")
    return DebianCandidate(deb=deb, depends=tuple(relations), provides=provides)


def _relations(text: str) -> Iterator[Alternatives]:
    from debian.deb822 import PkgRelation  # noqa: PLC0415  as above

    for group in PkgRelation.parse_relations(text) if text else ():
        yield tuple(_requirement(item) for item in group)


def _requirement(item: PkgRelation.ParsedRelation) -> Requirement:
    relation, version = item["version"] or (None, None)
    if relation is not None and relation not in _COMPARE:
        raise ValueError(f"unknown relation {relation!r} of {item['name']}")
    return Requirement(name=item["name"], relation=relation, version=version)
