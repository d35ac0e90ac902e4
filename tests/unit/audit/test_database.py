"""The archive of an OSV database: what is found in it, and what becomes of one that is damaged."""

from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING

import pytest

from envgen import limits
from envgen.audit.affects import Ecosystem
from envgen.audit.database import AdvisoryArchive, archives
from envgen.errors import IntegrityError, UserError
from envgen.events import NullReporter
from envgen.system.store import Store
from tests.builders.osv import MODIFIED, advisory, write_database

if TYPE_CHECKING:
    from pathlib import Path


def opened(path: Path, tmp_path: Path, ecosystem: Ecosystem = Ecosystem.PYPI) -> AdvisoryArchive:
    store = Store(tmp_path / "store", reporter=NullReporter())
    return AdvisoryArchive(path, ecosystem=ecosystem, store=store, reporter=NullReporter())


def ids(archive: AdvisoryArchive, *names: str) -> list[str]:
    return [found.id for found in archive.about(names)]


def test_records_are_found_by_the_normalised_name(tmp_path: Path) -> None:
    records = [advisory("PYSEC-1", "Spam.Eggs"), advisory("PYSEC-2", "ham"), advisory("PYSEC-3", "spam_eggs")]
    path = write_database(tmp_path, records)
    assert ids(opened(path, tmp_path), "spam-eggs") == ["PYSEC-1", "PYSEC-3"]
    assert ids(opened(path, tmp_path), "spam-eggs", "ham") == ["PYSEC-1", "PYSEC-2", "PYSEC-3"]  # by the kept table
    assert ids(opened(path, tmp_path), "nothing") == []


def test_names_with_escapes_are_found(tmp_path: Path) -> None:
    path = tmp_path / "all.zip"
    text = json.dumps(advisory("PYSEC-1", "spam")).replace('"spam"', '"\\u0073pam"')
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("PYSEC-1.json", text)
    assert ids(opened(path, tmp_path), "spam") == ["PYSEC-1"]


def test_withdrawn_records_are_left_out(tmp_path: Path) -> None:
    path = write_database(tmp_path, [advisory("PYSEC-1", "spam", withdrawn="2026-01-01T00:00:00Z")])
    assert ids(opened(path, tmp_path), "spam") == []


def test_age_is_that_of_the_newest_record(tmp_path: Path) -> None:
    old = {**advisory("PYSEC-1", "spam"), "modified": "2020-01-01T00:00:00Z"}
    age = opened(write_database(tmp_path, [old, advisory("PYSEC-2", "ham")]), tmp_path).age
    assert (age.newest, age.records) == (MODIFIED, 2)


def test_a_changed_archive_is_read_again(tmp_path: Path) -> None:
    path = write_database(tmp_path, [advisory("PYSEC-1", "spam")])
    assert ids(opened(path, tmp_path), "spam") == ["PYSEC-1"]
    write_database(tmp_path, [advisory("PYSEC-2", "spam")])
    assert ids(opened(path, tmp_path), "spam") == ["PYSEC-2"]


def test_the_archive_of_the_release_comes_first(tmp_path: Path) -> None:
    every = write_database(tmp_path, [], ecosystem="Debian")
    assert archives(tmp_path, Ecosystem.DEBIAN, "12") == (every,)
    own = write_database(tmp_path, [], ecosystem="Debian:12")
    assert archives(tmp_path, Ecosystem.DEBIAN, "12") == (own,)
    assert archives(tmp_path / "osv-scanner", Ecosystem.DEBIAN, "12") == (own,)
    assert archives(tmp_path / "elsewhere", Ecosystem.DEBIAN, "12") == ()


@pytest.mark.parametrize("content", [b"", b"PK\3\4 and no more", b"<html>sign in</html>"])
def test_what_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "all.zip"
    path.write_bytes(content)
    with pytest.raises(IntegrityError, match="damaged"):
        ids(opened(path, tmp_path), "spam")


def test_an_archive_without_advisories_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "all.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.json", "[]")
    with pytest.raises(IntegrityError, match="no advisory"):
        ids(opened(path, tmp_path), "spam")


def test_a_flipped_bit_is_refused(tmp_path: Path) -> None:
    path = write_database(tmp_path, [advisory("PYSEC-1", "spam", details="x" * 500)])
    data = bytearray(path.read_bytes())
    data[80] ^= 1
    path.write_bytes(data)
    with pytest.raises(IntegrityError, match="damaged"):
        ids(opened(path, tmp_path), "spam")


def test_a_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "ADVISORY", 1000)
    path = write_database(tmp_path, [advisory("PYSEC-1", "spam", details="x" * 5000)])
    with pytest.raises(IntegrityError):
        ids(opened(path, tmp_path), "spam")


def test_a_missing_archive_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        ids(opened(tmp_path / "all.zip", tmp_path), "spam")
