"""Documents are taken apart, and what a reader of the whole document would refuse is refused in the same words."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest

from envgen.errors import NetworkError
from envgen.names import project_name
from envgen.sources.pypi_json import UnexpectedError, json_page
from envgen.sources.pypi_page import parse_page

META = {"api-version": "1.1"}
FILE = {"filename": "x-1-py3-none-any.whl", "url": "https://i.test/x-1-py3-none-any.whl", "hashes": {}, "size": 7}


def document(**fields: Any) -> bytes:
    return json.dumps({"meta": META, "files": [FILE], **fields}).encode()


def test_files_with_their_names_and_the_status() -> None:
    found, status = json_page(document(**{"project-status": {"status": "archived"}, "versions": ["1"]}))
    assert [(name, json.loads(bytes(entry))) for name, entry in found] == [(FILE["filename"], FILE)]
    assert status == "archived"


@pytest.mark.parametrize("name", [None, 7, ["x"], {"x": 1}])
def test_a_name_may_be_anything(name: object) -> None:
    ((found, _entry),), _status = json_page(document(files=[{"filename": name}]))
    assert found == name


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (b"[]", "the document is \\[\\], expected a mapping"),
        (b'{"files": []}', "`meta` is null, expected a mapping"),
        (document(meta={"api-version": "2.0"}), "`meta.api-version` is '2.0'"),
        (document(files={}), "`files` is {}, expected a list"),
        (document(files=[FILE, 7]), r"`files\[1\]` is 7, expected a mapping"),
    ],
)
def test_another_shape_is_described(body: bytes, what: str) -> None:
    with pytest.raises(UnexpectedError, match=what):
        json_page(body)


@pytest.mark.parametrize("body", [b'{"meta": {}', b"", document()[:-1] + b', "x": "\xff"}', b"[" * 100_000])
def test_what_is_no_json_is_refused(body: bytes) -> None:
    with pytest.raises((ValueError, RecursionError)):
        json_page(body)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings_that_python_reads(encoding: str) -> None:
    body = document(name="\N{SNOWMAN}").decode().replace("\\u2603", "\N{SNOWMAN}").encode(encoding)
    assert len(json_page(body)[0]) == 1


def test_numbers_that_are_none_and_halves_of_characters() -> None:
    odd = b'{"filename": "\\ud800.whl", "size": NaN}'
    found, _ = json_page(b'{"meta": {"api-version": "1.0"}, "files": [' + odd + b"]}")
    assert [name for name, _ in found] == ["\ud800.whl"]


@pytest.mark.parametrize("depth", [100, 900])
def test_depth_of_a_field_that_nobody_needs(depth: int) -> None:
    body = document().replace(b'"size": 7', b'"size": ' + b"[" * depth + b"]" * depth)
    page = parse_page(body, content_type="application/json", url="https://i.test/simple/x/", project=project_name("x"))
    with suppress(NetworkError):  # a matter of the stack, as in the parser of Python
        assert page.files("1")[0].size is None
