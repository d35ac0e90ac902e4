"""Releases beside what is locked, and beside the clock."""

from __future__ import annotations

import datetime as dt

import pytest

from envgen.debs import Deb, DebianArea
from envgen.digest import Sha256
from envgen.errors import SignatureError
from envgen.sources.debian_age import LockedDebs, refuse_rollback, remark_on_clock, remarks_on_age
from envgen.sources.debian_release import Release

NOW = dt.datetime(2026, 11, 28, 12, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)


def release(date: dt.datetime, suite: str = "bookworm") -> Release:
    return Release(suite=suite, date=date, valid_until=None, by_hash=True, indices={})


def deb(version: str, name: str = "zlib1g") -> Deb:
    return Deb(
        name=name,
        version=version,
        architecture="amd64",
        archive=DebianArea.DEBIAN,
        path=f"pool/{name}.deb",
        sha256=Sha256.of(version.encode()),
        size=1,
    )


LOCKED = LockedDebs(debs=(deb("1:1.9-2"), deb("3", "libc6")), dates={"bookworm": NOW})


def test_only_older_releases_of_known_suites_are_late() -> None:
    late, same, other = release(NOW - DAY), release(NOW), release(NOW - DAY, "bookworm-security")
    assert LOCKED.newer_than([late, same, other]) == (late,)


@pytest.mark.parametrize(("version", "is_lower"), [("1:1.9-1", True), ("1.10-1", True), ("1:1.10-1", False)])
def test_versions_are_compared_as_debian_does(version: str, is_lower: bool) -> None:
    assert bool(LOCKED.lowered([deb(version), deb("9", "new")])) is is_lower


def test_a_package_from_an_older_release_may_not_be_older() -> None:
    late = (release(NOW - DAY),)
    refuse_rollback(late, LOCKED, LOCKED.debs)
    refuse_rollback((), LOCKED, [deb("1:1.8-1")])
    with pytest.raises(SignatureError, match=r"2026-11-27 12:00 UTC.* 2026-11-28.* `zlib1g` from 1:1.9-2 to 1:1.8-1"):
        refuse_rollback(late, LOCKED, [deb("1:1.8-1")])


def test_what_is_said_of_older_releases_and_packages() -> None:
    assert list(remarks_on_age((), LOCKED, LOCKED.debs)) == []
    (behind,) = remarks_on_age((release(NOW - DAY),), LOCKED, LOCKED.debs)
    assert "the mirror is behind, locked Debian packages are kept" in behind
    (lower,) = remarks_on_age((), LOCKED, [deb("1:1.8-1")])
    assert "`zlib1g` from 1:1.9-2 to 1:1.8-1" in lower


@pytest.mark.parametrize(
    ("date", "headers", "says"),
    [
        (NOW, {}, None),
        (NOW + DAY, {}, None),
        (NOW + 2 * DAY, {}, "dated 2026-11-30"),
        (NOW + 1500 * DAY, {"date": "Sat, 28 Nov 2026 12:00:00 GMT"}, "dated 2031-"),
        (NOW, {"date": "Sat, 28 Nov 2026 09:00:00 GMT"}, None),
        (NOW, {"date": "Thu, 26 Nov 2026 11:00:00 GMT"}, "mirror says 2026-11-26"),
        (NOW, {"date": "Thu, 26 Nov 2026 11:00:00 GMT", "age": "172800"}, None),
        (NOW, {"date": "Thu, 26 Nov 2026 11:00:00 GMT", "age": "9" * 30}, "mirror says"),
        (NOW, {"date": "Tue, 30 Nov 2032 11:00:00 GMT"}, "mirror says 2032-11-30"),
        (NOW, {"date": "yesterday"}, None),
    ],
)
def test_clocks(date: dt.datetime, headers: dict[str, str], says: str | None) -> None:
    remark = remark_on_clock(release(date), headers=headers, where="mirror", now=NOW)
    assert remark is None if says is None else says in (remark or "")
