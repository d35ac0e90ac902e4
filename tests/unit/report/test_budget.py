"""A budget names what exceeds it."""

from __future__ import annotations

from envgen.report.budget import budget_of
from envgen.report.model import ReportedChange, ReportedDifference
from tests.unit.report.samples import package

PACKAGES = tuple(package(name, installed=size) for name, size in (("a", 50), ("b", 40), ("c", 30), ("d", 20)))


def grown(**sizes: int) -> ReportedDifference:
    changes = tuple(ReportedChange(name=n, kind="wheel", before="1", after="2", growth=g) for n, g in sizes.items())
    return ReportedDifference(against="main", changes=changes, download_before=1, download_after=2)


def test_a_kept_budget_names_nobody() -> None:
    found = budget_of(140, PACKAGES, None)
    assert (found.exceeded, found.total, found.causes) == (False, 140, {})


def test_the_three_largest() -> None:
    found = budget_of(139, PACKAGES, None)
    assert (found.exceeded, found.causes, found.is_growth) == (True, {"a": 50, "b": 40, "c": 30}, False)


def test_those_that_grew_most_where_there_is_a_revision() -> None:
    found = budget_of(100, PACKAGES, grown(d=5, a=-3, gone=90))
    assert (found.causes, found.is_growth) == ({"d": 5}, True)


def test_the_largest_where_nothing_grew() -> None:
    assert not budget_of(100, PACKAGES, grown(a=-3)).is_growth
