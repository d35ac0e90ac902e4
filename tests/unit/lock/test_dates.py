"""The date of a lock: its youngest wheel, else `exclude-newer`, else the releases of Debian."""

from __future__ import annotations

import datetime as dt

from envgen.lock.dates import date_of, newest_upload
from envgen.lock.debian_lock import DebianLock
from envgen.lock.read import read_lock
from envgen.lock.render import render_lock
from envgen.platforms import Platform
from envgen.structs import replace
from tests.unit.lock.samples import lock

JULY, AUGUST, SEPTEMBER = (dt.datetime(2026, month, 1, 2, 3, 4, tzinfo=dt.UTC) for month in (7, 8, 9))


def debian() -> DebianLock:
    releases = {"bookworm": JULY, "bookworm-security": AUGUST}
    return DebianLock(environment="sample", platform=Platform.LINUX_64, suites=(), packages=(), releases=releases)


def test_the_strongest_date_wins() -> None:
    plain = replace(lock(), exclude_newer=None)
    assert date_of(plain, None) is None
    assert date_of(plain, debian()) == AUGUST
    assert date_of(replace(plain, exclude_newer=SEPTEMBER), debian()) == SEPTEMBER
    assert date_of(replace(plain, exclude_newer=SEPTEMBER, newest_upload=JULY), debian()) == JULY


def test_a_lock_holds_its_date_only_where_it_has_one() -> None:
    assert "newest-upload" not in render_lock(lock())
    dated = replace(lock(), newest_upload=JULY)
    assert read_lock(render_lock(dated), source="x") == dated


def test_an_index_without_dates_keeps_that_of_the_same_wheels() -> None:
    old = replace(lock(), newest_upload=JULY)
    assert newest_upload(None, old.packages, old) == JULY
    assert newest_upload(None, old.packages[:-1], old) is None
    assert newest_upload(None, old.packages, None) is None
    assert newest_upload(AUGUST.replace(microsecond=7), old.packages, old) == AUGUST
