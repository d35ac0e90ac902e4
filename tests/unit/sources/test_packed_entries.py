from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from envgen.names import project_name
from envgen.sources.packed_entries import PackedEntries, PlainEntries
from envgen.sources.pypi_page import parse_page


def _entry(version: str, size: int = 0) -> dict[str, Any]:
    name = f"spam-{version}-py3-none-any.whl"
    return {"filename": name, "url": f"https://i.test/{name}", "hashes": {}, "note": "\N{SNOWMAN}" * size}


def _packed(*versions: str, size: int = 0) -> PackedEntries:
    return PackedEntries({version: [json.dumps(_entry(version, size)).encode()] for version in versions})


@pytest.mark.parametrize("hold", [PackedEntries, PlainEntries])
def test_entries_come_back_as_they_were(hold: type[PackedEntries | PlainEntries]) -> None:
    groups = {"1.0": [b'{"filename": 1}', b'{"filename": 2, "x": [{}]}'], "2.0": [b'{"filename": NaN}']}
    packed = hold(groups)
    assert packed.of("1.0") == [{"filename": 1}, {"filename": 2, "x": [{}]}]
    assert str(packed.of("2.0")) == "[{'filename': nan}]"


@pytest.mark.parametrize("size", [0, 1_000, 30_000, 500_000])  # many entries in one block, or one longer than a block
def test_versions_in_any_order(size: int) -> None:
    versions = [f"1.{minor}" for minor in range(12)]
    packed = _packed(*versions, size=size)
    for version in (*reversed(versions), *versions):
        assert packed.of(version) == [_entry(version, size)]


def test_nothing_is_listed() -> None:
    with pytest.raises(KeyError):
        PackedEntries({}).of("1.0")


def test_a_page_does_not_keep_its_document() -> None:
    files = [_entry(f"1.{minor}") for minor in range(2_000)]
    body = json.dumps({"meta": {"api-version": "1.0"}, "files": files}).encode()
    before = sys.getrefcount(body)
    page = parse_page(body, content_type="json", url="https://i.test/spam/", project=project_name("spam"), pack=True)
    assert [file.filename for file in page.files("1.7")] == ["spam-1.7-py3-none-any.whl"]
    assert sys.getrefcount(body) == before
