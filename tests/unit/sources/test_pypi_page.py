from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest

from envgen.digest import Sha256
from envgen.errors import NetworkError
from envgen.names import project_name
from envgen.sources.pypi_page import ProjectFile, ProjectPage, parse_page

JSON = "application/vnd.pypi.simple.v1+json"
DIGEST = Sha256.of(b"")


def parse(body: bytes, content_type: str = JSON) -> ProjectPage:
    return parse_page(
        body, content_type=content_type, url="https://index.test/simple/spam/", project=project_name("spam")
    )


def page(*entries: dict[str, Any], version: str = "1.4") -> ProjectPage:
    return parse(json.dumps({"meta": {"api-version": version}, "files": entries}).encode())


def entry(filename: str = "spam-1.0-py3-none-any.whl", **facts: Any) -> dict[str, Any]:
    return {"filename": filename, "url": f"../../files/{filename}", "hashes": {"sha256": DIGEST}, **facts}


def only(found: ProjectPage) -> ProjectFile:
    (file,) = found.all_files()
    return file


def test_all_that_json_says() -> None:
    facts: dict[str, Any] = {
        "size": 7,
        "requires-python": ">=3.9",
        "upload-time": "2026-01-02T03:04:05.678901Z",
        "yanked": "broken",
        "core-metadata": {"sha256": DIGEST},
    }
    assert only(page(entry(**facts))) == ProjectFile(
        filename="spam-1.0-py3-none-any.whl",
        url="https://index.test/files/spam-1.0-py3-none-any.whl",
        sha256=DIGEST,
        size=7,
        requires_python=">=3.9",
        uploaded=dt.datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=dt.UTC),
        yanked=True,
        metadata=DIGEST,
    )


@pytest.mark.parametrize(
    ("facts", "attribute", "expected"),
    [
        ({}, "yanked", False),
        ({"yanked": ""}, "yanked", True),
        ({"yanked": True}, "yanked", True),
        ({}, "metadata", False),
        ({"core-metadata": True}, "metadata", True),
        ({"core-metadata": False, "dist-info-metadata": True}, "metadata", False),
        ({"dist-info-metadata": {"sha256": DIGEST}}, "metadata", DIGEST),
        ({"core-metadata": {"md5": "0"}}, "metadata", True),
        ({"hashes": {"md5": "0"}}, "sha256", None),
        ({"hashes": {}}, "sha256", None),
        ({"hashes": {"sha256": "zz"}}, "sha256", None),
        ({"core-metadata": {"sha256": "zz"}}, "metadata", True),
        ({"upload-time": "yesterday"}, "uploaded", None),
        ({"upload-time": "2026-01-02T03:04:05"}, "uploaded", dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)),
        ({"url": "https://files.test/x.whl"}, "url", "https://files.test/x.whl"),
    ],
)
def test_variants_of_json(facts: dict[str, Any], attribute: str, expected: object) -> None:
    assert getattr(only(page(entry(**facts))), attribute) == expected


def test_versions_and_source_archives() -> None:
    found = page(
        entry("spam-1.0-py3-none-any.whl"),
        entry("spam-1.0-cp311-cp311-win_amd64.whl"),
        entry("spam-2.0+cu128-1-py3-none-any.whl"),
        entry("spam-0.9.tar.gz"),
        entry("spam-0.8.zip"),
        entry("spam-0.7.win32.exe"),
    )
    assert set(found.versions) == {"1.0", "2.0+cu128"}
    assert [file.filename for file in found.files("1.0")] == [
        "spam-1.0-py3-none-any.whl",
        "spam-1.0-cp311-cp311-win_amd64.whl",
    ]
    assert found.sdists == {"0.9", "0.8"}


def test_html_says_what_html_can() -> None:
    anchors = f"""<!DOCTYPE html><html><body>
      <a href="../../files/spam-1.0-py3-none-any.whl#sha256={DIGEST}" data-requires-python="&gt;=3.9"
         data-yanked="" data-core-metadata="sha256={DIGEST}">spam-1.0-py3-none-any.whl</a>
      <a href="../../files/spam-0.9.tar.gz">spam-0.9.tar.gz</a></body></html>"""
    found = parse(anchors.encode(), "text/html; charset=utf-8")
    assert found.sdists == {"0.9"}
    assert only(found) == ProjectFile(
        filename="spam-1.0-py3-none-any.whl",
        url="https://index.test/files/spam-1.0-py3-none-any.whl",
        sha256=DIGEST,
        size=None,
        requires_python=">=3.9",
        uploaded=None,
        yanked=True,
        metadata=DIGEST,
    )


def test_html_with_a_digest_that_is_none() -> None:
    anchor = b"<!DOCTYPE html><html><body><a href='x.whl#sha256=zz'>spam-1.0-py3-none-any.whl</a></body></html>"
    assert only(parse(anchor, "text/html")).sha256 is None


@pytest.mark.parametrize("facts", [{"url": 7}, {"hashes": 7}, {"hashes": {"sha256": 7}}, {"upload-time": 7}])
def test_a_malformed_entry_is_the_indexs_fault(facts: dict[str, Any]) -> None:
    with pytest.raises(NetworkError, match="for `spam` with something that is no page of the Simple API"):
        page(entry(**facts)).files("1.0")


def test_an_entry_without_an_address_is_the_indexs_fault() -> None:
    with pytest.raises(NetworkError, match="no page of the Simple API: KeyError"):
        page({"filename": "spam-1.0-py3-none-any.whl"}).files("1.0")


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b'{"files": []}', b'{"meta": {"api-version": "2.0"}, "files": []}']
)
def test_what_is_no_page_is_the_indexs_fault(body: bytes) -> None:
    with pytest.raises(NetworkError, match="no page of the Simple API"):
        parse(body)
