"""What envgen and uv chose for the same requirements, project by project."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version

if TYPE_CHECKING:
    from collections.abc import Mapping

_ABSENT = "-"

_SHOWN = 8
"""Differences that a row of the table lists: one wrong choice near the root makes a hundred."""

Versions = dict[NormalizedName, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two choices held against each other.

    Attributes:
        equal: projects that both chose in one version.
        different: project -> envgen's version and uv's, `-` where one of them has no such project.
    """

    equal: int
    different: Mapping[NormalizedName, tuple[str, str]]

    def words(self) -> str:
        """List what is different, in one line; what one side lacks comes last."""
        found = sorted(self.different.items(), key=lambda item: _ABSENT in item[1])
        shown = [f"{name} {ours} vs {theirs}" for name, (ours, theirs) in found[:_SHOWN]]
        more = [f"{len(found) - _SHOWN} more"] if len(found) > _SHOWN else []
        return ", ".join(shown + more)


def compare(ours: Mapping[NormalizedName, str], theirs: Mapping[NormalizedName, str]) -> Comparison:
    """Compare by the public version: whether a local one is seen depends on where it is read, file name or metadata.

    Python itself, which envgen takes from a recipe, is among neither: only wheels are compared.
    """
    names = sorted({*ours, *theirs})
    pairs = {name: (ours.get(name, _ABSENT), theirs.get(name, _ABSENT)) for name in names}
    different = {name: pair for name, pair in pairs.items() if not _same(*pair)}
    return Comparison(equal=len(pairs) - len(different), different=different)


def _same(ours: str, theirs: str) -> bool:
    return _ABSENT not in {ours, theirs} and Version(ours).public == Version(theirs).public


def surprises(found: Mapping[str, Comparison], deviations: Mapping[NormalizedName, str]) -> list[str]:
    """List the versions that are not uv's without a reason, and the reasons that no version has any more.

    Args:
        found: platform -> comparison.
        deviations: project -> reason.
    """
    lines = [
        f"{platform}: {name} {ours} vs {theirs}"
        for platform, comparison in found.items()
        for name, (ours, theirs) in comparison.different.items()
        if name not in deviations
    ]
    deviating = {name for comparison in found.values() for name in comparison.different}
    stale = sorted(deviations.keys() - deviating)
    return lines + [f"{name} is equal to uv: remove it from `deviations`" for name in stale]


def parse_pins(text: str) -> Versions:
    """Read what `uv pip compile` prints with `--no-header --no-annotate`, such as `numpy==2.3.4`."""
    pins = map(Requirement, text.splitlines())
    return {canonicalize_name(pin.name): str(pin.specifier).removeprefix("==") for pin in pins}
