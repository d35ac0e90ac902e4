"""A bound on the size of an environment, and which packages exceed it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envgen.report.model import ReportedBudget

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from envgen.report.model import ReportedDifference, ReportedPackage

_CAUSES = 3
"""Packages that are named."""


def budget_of(limit: int, packages: Sequence[ReportedPackage], difference: ReportedDifference | None) -> ReportedBudget:
    """Compare the bytes of packages with a limit; name the packages that grew most, else the largest."""
    total = sum(package.size for package in packages)
    if total <= limit:
        return ReportedBudget(limit=limit, total=total)
    grown = _grown(packages, difference)
    sizes = grown or {package.name: package.size for package in packages}
    return ReportedBudget(limit=limit, total=total, causes=_largest(sizes), is_growth=bool(grown))


def _grown(packages: Sequence[ReportedPackage], difference: ReportedDifference | None) -> dict[str, int]:
    known = {package.name for package in packages}
    changes = difference.changes if difference else ()
    return {c.name: c.growth for c in changes if c.name in known and c.growth and c.growth > 0}


def _largest(sizes: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(sizes.items(), key=lambda item: (-item[1], item[0]))[:_CAUSES])
