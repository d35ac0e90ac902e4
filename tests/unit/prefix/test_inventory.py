"""Records as they are read, also those of other tools and broken ones."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from envgen.errors import IntegrityError
from envgen.prefix.installed import InstalledPackage
from envgen.prefix.inventory import is_environment, read

if TYPE_CHECKING:
    from pathlib import Path


def write(prefix: Path, stem: str, record: object) -> None:
    meta = prefix / "conda-meta"
    meta.mkdir(exist_ok=True)
    (meta / f"{stem}.json").write_text(record if isinstance(record, str) else json.dumps(record))


def test_no_prefix_holds_nothing(tmp_path: Path) -> None:
    assert read(tmp_path / "nowhere") == ()
    assert not is_environment(tmp_path)


def test_a_record_of_another_tool_is_read(tmp_path: Path) -> None:
    record = {"name": "zlib", "version": "1.3", "build": "0", "files": ["lib/libz.so"], "requested_spec": "None"}
    write(tmp_path, "zlib-1.3-0", record)
    (found,) = read(tmp_path)
    assert found == InstalledPackage(
        name="zlib", version="1.3", build="0", key=None, files=("lib/libz.so",), requested="None"
    )


@pytest.mark.parametrize("text", ["", "[]", "{", '{"name": "a"}'])
def test_a_broken_record_is_named(tmp_path: Path, text: str) -> None:
    write(tmp_path, "a-1-0", text)
    with pytest.raises(IntegrityError, match=r"failed to read the record .*a-1-0\.json`") as caught:
        read(tmp_path)
    assert caught.value.hint == "remove the environment and create it again"


def test_a_package_that_was_being_changed_does_not_count(tmp_path: Path) -> None:
    write(tmp_path, "a-1-0", "{")
    write(tmp_path, "b-1-0", {"name": "b", "version": "1", "build": "0"})
    mark = {"format": 1, "records": ["a-1-0"], "paths": []}
    (tmp_path / "conda-meta/.envgen-unfinished").write_text(json.dumps(mark))
    assert [found.name for found in read(tmp_path)] == ["b"]


def test_a_record_of_another_package_than_its_name_says_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "a-1-0", {"name": "b", "version": "1", "build": "0"})
    with pytest.raises(IntegrityError, match="belongs to another package, `b-1-0`"):
        read(tmp_path)
