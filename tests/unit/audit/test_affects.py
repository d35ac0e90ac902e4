"""Whether an advisory affects a version: the evaluation of the OSV schema, in the order of two ecosystems."""

from __future__ import annotations

import pytest

from envgen.audit.advisory import Affected, Event
from envgen.audit.affects import Ecosystem, UncomparableError, judge


def affected(*ranges: str, versions: tuple[str, ...] = ()) -> Affected:
    """Write ranges as `introduced 0, fixed 1.2`."""
    return Affected(
        ecosystem="PyPI",
        name="spam",
        versions=versions,
        ranges=tuple(
            tuple(Event(kind=part.split()[0], version=part.split()[1]) for part in text.split(", ")) for text in ranges
        ),
        urgency=None,
    )


@pytest.mark.parametrize(
    ("ranges", "version", "fixed"),
    [
        (("introduced 0, fixed 1.2",), "1.1", "1.2"),
        (("introduced 0, fixed 1.10",), "1.9", "1.10"),
        (("introduced 0, fixed 1.2",), "1.2rc1", "1.2"),
        (("introduced 0, last_affected 1.2",), "1.2", None),
        (("introduced 0, last_affected 2.8.0",), "2.8.0+cu128", None),
        (("introduced 0",), "99", None),
        (("introduced 1.0, fixed 1.2, introduced 2.0, fixed 2.3",), "2.1", "2.3"),
        (("fixed 2.3, introduced 2.0, fixed 1.2, introduced 1.0",), "2.1", "2.3"),
        (("introduced 1.0, fixed 1.2", "introduced 2.0, fixed 2.3"), "1.1", "1.2"),
        (("introduced 0, limit *",), "3", None),
    ],
)
def test_inside_a_range(ranges: tuple[str, ...], version: str, fixed: str | None) -> None:
    verdict = judge(affected(*ranges), version, Ecosystem.PYPI)
    assert verdict is not None
    assert verdict.fixed == fixed


@pytest.mark.parametrize(
    ("ranges", "version"),
    [
        (("introduced 0, fixed 1.2",), "1.2"),
        (("introduced 0, fixed 1.2",), "1.2.0+cu128"),
        (("introduced 1.0, fixed 1.2",), "0.9"),
        (("introduced 0, last_affected 1.2",), "1.2.post1"),
        (("introduced 1.0, fixed 1.2, introduced 2.0, fixed 2.3",), "1.5"),
        (("introduced 0, limit 2.0",), "2.1"),
    ],
)
def test_outside_a_range(ranges: tuple[str, ...], version: str) -> None:
    assert judge(affected(*ranges), version, Ecosystem.PYPI) is None


def test_a_listed_version_counts_however_it_is_spelled() -> None:
    assert judge(affected(versions=("not a version", "1.0.0")), "1.0", Ecosystem.PYPI)
    assert judge(affected(versions=("1.0.1",)), "1.0", Ecosystem.PYPI) is None


@pytest.mark.parametrize(
    ("version", "is_affected"),
    [("2.36-9+deb12u9", True), ("2.36-9+deb12u10", False), ("2.36-9~bpo1", True), ("1:2.0-1", False)],
)
def test_debian_has_an_order_of_its_own(version: str, is_affected: bool) -> None:
    found = judge(affected("introduced 0, fixed 2.36-9+deb12u10"), version, Ecosystem.DEBIAN)
    assert (found is not None) is is_affected


def test_a_range_without_versions_is_told() -> None:
    with pytest.raises(UncomparableError, match="`banana`"):
        judge(affected("introduced 0, fixed banana"), "1.0", Ecosystem.PYPI)
