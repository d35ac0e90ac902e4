"""The versions of one project that specifiers allow, as bits over their order.

A project with thousands of releases is asked about hundreds of specifiers. What a clause allows is a run of neighbours,
so a search finds its ends, and few versions are compared; the few clauses that allow no run ask about each version.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

from msgspec import Struct
from packaging.version import Version

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from packaging.specifiers import Specifier, SpecifierSet


class Allowed(Struct, frozen=True):
    """The versions of one listing that some specifiers allow; `&` gives what both sides allow.

    Attributes:
        bits: bit i stands for the i-th newest version.
        prereleases: whether a specifier mentions one.
        pinned: whether a specifier names a single version.
    """

    bits: int
    prereleases: bool
    pinned: bool

    def __and__(self, other: Allowed) -> Allowed:
        return Allowed(self.bits & other.bits, self.prereleases or other.prereleases, self.pinned or other.pinned)


class Order:
    """Versions, newest first, and what specifiers allow of them; nothing of it depends on the target."""

    def __init__(self, versions: Sequence[Version]) -> None:
        self.versions = tuple(versions)
        self._all = _run(0, len(self.versions))
        self._allowing: dict[str, Allowed] = {}
        self._of_clause: dict[str, int] = {}

    def allowing(self, specifiers: SpecifierSet) -> Allowed:
        """Return what specifiers allow, pre-releases too."""
        text = str(specifiers)
        if text not in self._allowing:
            bits = self._all
            for clause in specifiers:
                bits &= self._bits(clause)
            self._allowing[text] = Allowed(
                bits,
                prereleases=bool(specifiers.prereleases),
                pinned=any(s.operator in {"==", "==="} and not s.version.endswith(".*") for s in specifiers),
            )
        return self._allowing[text]

    def _bits(self, clause: Specifier) -> int:
        text = str(clause)
        if text not in self._of_clause:
            self._of_clause[text] = self._found(clause)
        return self._of_clause[text]

    def _found(self, clause: Specifier) -> int:
        operator = clause.operator
        if operator in {"==", "~="}:
            return self._family(clause)
        if operator == "!=":
            return self._all ^ self._family(clause)
        if operator in {"<=", ">="} or (operator in {"<", ">"} and _is_final(clause.version)):
            return self._side(clause)
        return sum(1 << at for at, v in enumerate(self.versions) if _fits(clause, v))  # `===`, `<1.post1`, `>1rc1`

    def _side(self, clause: Specifier) -> int:
        """Return what is on one side of a version."""
        if clause.operator in {">", ">="}:
            return _run(0, self._first(lambda v: not _fits(clause, v)))
        return _run(self._first(lambda v: _fits(clause, v)), len(self.versions))

    def _family(self, clause: Specifier) -> int:
        """Return what `==V`, `==V.*` or `~=V` allows; of `!=`, what it excludes."""
        text = clause.version
        least = Version(f"{text.removesuffix('.*')}.dev0" if text.endswith(".*") else text)
        wanted = clause.operator != "!="
        start = end = self._first(lambda v: v < least)
        while start and _fits(clause, self.versions[start - 1]) is wanted:
            start -= 1
        return _run(start, end)

    def _first(self, passes: Callable[[Version], bool]) -> int:
        """Find where versions begin that pass; all older ones do."""
        return bisect_left(self.versions, True, key=passes)


def _run(start: int, end: int) -> int:
    return ((1 << (end - start)) - 1) << start


def _fits(clause: Specifier, version: Version) -> bool:
    return clause.contains(version, prereleases=True)


def _is_final(text: str) -> bool:
    """Return whether a version is neither a pre-release nor a post-release: `<` and `>` leave gaps beside those."""
    version = Version(text)
    return not (version.is_prerelease or version.is_postrelease)
