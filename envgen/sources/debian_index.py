"""`Packages`: what a suite offers for one architecture, and relations between packages.

Debian 12 lists 63,000 packages in 50 MB, of which a run wants a few dozen. Parsing all stanzas takes half a minute, so
an index is kept as text with the fields that matter (half of the bytes) and searched; only what is found is parsed.
"""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from debian.deb822 import Deb822, PkgRelation
from debian.debian_support import Version

from envgen.debs import Deb, DebianArea
from envgen.digest import Sha256
from envgen.errors import ArtifactError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_WANTED = re.compile(
    rb"^(?:Package|Version|Architecture|Pre-Depends|Depends|Provides|Filename|Size|SHA256):.*\n(?:[ \t].*\n)*",
    re.MULTILINE,
)
_SAFE_PATH = re.compile(r"pool/(?:[A-Za-z0-9][A-Za-z0-9+.~_:%-]*/)+[A-Za-z0-9][A-Za-z0-9+.~_:%-]*\.deb")

_COMPARE: dict[str, Callable[[Version, Version], bool]] = {
    "<<": operator.lt,
    "<=": operator.le,
    "=": operator.eq,
    ">=": operator.ge,
    ">>": operator.gt,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class DebianCandidate:
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


def condense(packages: bytes) -> bytes:
    """Drop the fields of a `Packages` file that nobody here reads. Half a second for all of Debian 12."""
    return b"\n".join(b"".join(_WANTED.findall(stanza + b"\n")) for stanza in packages.split(b"\n\n"))


class PackageIndex:
    """A condensed `Packages` file that is searched by name."""

    def __init__(self, condensed: bytes, *, archive: DebianArea) -> None:
        self._text = b"\n\n" + condensed + b"\n\n"
        self._archive = archive

    def find(self, name: str) -> Iterator[DebianCandidate]:
        """Yield every version of a package, in the order of the index."""
        mark = f"\nPackage: {name}\n".encode()
        at = self._text.find(mark)
        while at >= 0:
            yield self._parse_around(at)
            at = self._text.find(mark, at + len(mark) - 1)

    def providers(self, name: str) -> Iterator[DebianCandidate]:
        """Yield the packages that provide a virtual name, in the order of the index."""
        pattern = rf"^Provides: (?:.*[ ,])?{re.escape(name)}(?:[ ,:(].*)?$"
        for found in re.finditer(pattern.encode(), self._text, re.MULTILINE):
            candidate = self._parse_around(found.start())
            if name in candidate.provides:
                yield candidate

    def names(self) -> Iterator[str]:
        """Yield the name of every package."""
        return (found[1].decode() for found in re.finditer(rb"^Package: (.+)$", self._text, re.MULTILINE))

    def _parse_around(self, at: int) -> DebianCandidate:
        stanza = self._text[self._text.rindex(b"\n\n", 0, at + 1) + 2 : self._text.index(b"\n\n", at + 1)]
        return parse_candidate(Deb822(stanza), archive=self._archive)


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
    for group in PkgRelation.parse_relations(text) if text else ():
        yield tuple(_requirement(item) for item in group)


def _requirement(item: PkgRelation.ParsedRelation) -> Requirement:
    relation, version = item["version"] or (None, None)
    if relation is not None and relation not in _COMPARE:
        raise ValueError(f"unknown relation {relation!r} of {item['name']}")
    return Requirement(name=item["name"], relation=relation, version=version)
