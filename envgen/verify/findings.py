"""What a comparison with a lock found: each difference with its kind, and what was not proven."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Collection


class Kind(StrEnum):
    """What a difference is."""

    PACKAGE = "package"
    """A package is missing, another one, or not in the lock."""

    MISSING = "missing"
    CHANGED = "changed"
    LINK = "link"
    MODE = "mode"
    FOREIGN = "foreign"
    """A file that no package of the lock has."""

    EXTRA = "extra"
    """A distribution that was installed beside the lock."""

    LAYER = "layer"
    """A layer of an image in place of another."""

    SIGNATURE = "signature"
    """Not signed by the key that was asked for."""

    DAMAGE = "damage"
    """Digests, sizes or documents do not fit each other."""


class Deviation(Struct, frozen=True, kw_only=True):
    """One difference.

    Attributes:
        kind: of the difference.
        where: path, blob or package that it is about.
        package: of the lock that `where` belongs to, or None.
        what: in words.
    """

    kind: Kind
    where: str
    package: str | None = None
    what: str

    def __str__(self) -> str:
        owner = f" ({self.package})" if self.package and self.package != self.where else ""
        return f"{self.where}{owner}: {self.what}"


class LockComparison(Struct, frozen=True, kw_only=True):
    """What comparing a thing with one lock found.

    Attributes:
        lock: path of the lock, from the project's root.
        compared: what was compared, in words: number of packages, files and so on.
        findings: every difference, sorted by path.
        unproven: what could not be compared, each with the reason and the way out.
        notes: what differs and is no fault, in words.
    """

    lock: str
    compared: str
    findings: tuple[Deviation, ...]
    unproven: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def ordered(findings: Collection[Deviation]) -> tuple[Deviation, ...]:
    """Sort differences by where they are; of several with one place and kind the first stays.

    A link that leads elsewhere also leads to other content, which goes without saying.
    """
    links = {finding.where for finding in findings if finding.kind is Kind.LINK}
    found: dict[tuple[str, Kind], Deviation] = {}
    for finding in findings:
        if finding.kind is not Kind.CHANGED or finding.where not in links:
            found.setdefault((finding.where, finding.kind), finding)
    return tuple(found[key] for key in sorted(found))


def of_fault(fault: str, package: str | None) -> Deviation:
    """Return the finding of a fault in words, which begin with a path: as the checkers of prefixes have it."""
    where, _, what = fault.partition(": ")
    if what.startswith("missing"):
        return Deviation(kind=Kind.MISSING, where=where, package=package, what=what)
    if what.startswith(("is a link", "is not a link", "became")):
        return Deviation(kind=Kind.LINK, where=where, package=package, what=what)
    return Deviation(kind=Kind.CHANGED, where=where, package=package, what=what)
