"""Where conda's order of a project's versions is not PEP 440's: which versions to leave out, and bounds that hold.

One kind of pair comes out wrong (see `versions`): `13.3.5.0.6`, which has an inner zero, and `13.3.5.post1`. Whether a
project has such a pair is known once its versions are, so both questions are asked of these versions alone; rattler
itself gives the answers.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

import rattler
from msgspec import Struct
from packaging.version import Version

from envgen.versions import InexpressibleError, conda_spec, conda_version, has_inner_zero, parse_version

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from packaging.specifiers import Specifier, SpecifierSet


_POINTS = 4
"""Points of a version with an inner zero, at least; most specifiers have fewer and need not be read."""


def misplaced(versions: Iterable[Version]) -> dict[Version, Version]:
    """Choose what to leave out such that conda's order of the remaining versions is PEP 440's.

    Args:
        versions: the most important first. Those that conda cannot read are passed over.

    Returns:
        Version to leave out -> the more important one that conda puts on the wrong side of it.
    """
    kept: list[_Placed] = []
    found: dict[Version, Version] = {}
    for version in versions:
        try:
            placed = _Placed.of(version)
        except InexpressibleError:
            continue
        at = bisect_left(kept, version, key=lambda other: other.version)
        # both orders are total: who is in order with the neighbours is so with all
        wrong = [other for other in kept[max(at - 1, 0) : at + 1] if not placed.agrees(other)]
        if wrong:
            found[version] = wrong[0].version
        else:
            kept.insert(at, placed)
    return found


def is_uneven(specifiers: SpecifierSet, among: Collection[Version]) -> bool:
    """Return whether `conda_spec` may select other versions of `among` than the specifiers: one has an inner zero."""
    return any(map(has_inner_zero, among)) or any(map(_has_inner_zero, specifiers))


def _has_inner_zero(specifier: Specifier) -> bool:
    if specifier.operator == "===" or specifier.version.count(".") < _POINTS:
        return False
    # the family `1.2.3.0.0.*` ends at 1.2.3.0.1
    return has_inner_zero(parse_version(specifier.version.replace("*", "1")))


def spec_among(specifiers: SpecifierSet, among: Collection[Version]) -> str:
    """Write specifiers as `conda_spec` does, with the versions of `among` that it gets wrong named one by one.

    Raises:
        InexpressibleError: conda has no words for one of the specifiers.
    """
    plain = conda_spec(specifiers)
    if not plain or not is_uneven(specifiers, among):
        return plain
    spec = rattler.VersionSpec(plain)
    texts = {version: conda_version(version) for version in among}
    wanted = {text for version, text in texts.items() if specifiers.contains(version, prereleases=True)}
    selected = {text for text in texts.values() if spec.matches(rattler.Version(text))}
    excluded = "".join(f",!={text}" for text in sorted(selected - wanted))
    parts = [f"{part}{excluded}" for part in plain.split("|")]
    return "|".join([*parts, *(f"=={text}" for text in sorted(wanted - selected))])


class _Placed(Struct, frozen=True, kw_only=True):
    """A version in both orders, without its local part: that decides between builds of one version."""

    version: Version
    public: Version
    conda: rattler.Version

    @classmethod
    def of(cls, version: Version) -> _Placed:
        return cls(version=version, public=Version(version.public), conda=rattler.Version(conda_version(version)))

    def agrees(self, other: _Placed) -> bool:
        """Return whether both orders put the two versions the same way round."""
        less, equal = self.public < other.public, self.public == other.public
        return (self.conda < other.conda, self.conda == other.conda) == (less, equal)
