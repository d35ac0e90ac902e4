from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest

from envgen.digest import Sha256
from envgen.errors import NetworkError
from envgen.names import project_name
from envgen.sources.pypi_json import named
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
        yanked_reason="broken",
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


def test_html_with_another_digest() -> None:
    anchor = b"<a href='x.whl#md5=%s'>spam-1.0-py3-none-any.whl</a>"
    assert only(parse(anchor % b"AB12", "text/html")).digest == "md5=ab12"
    assert not only(parse(anchor.replace(b"md5", b"sha256") % DIGEST.encode(), "text/html")).digest


def test_html_with_a_digest_that_is_none() -> None:
    anchor = b"<!DOCTYPE html><html><body><a href='x.whl#sha256=zz'>spam-1.0-py3-none-any.whl</a></body></html>"
    assert only(parse(anchor, "text/html")).sha256 is None


@pytest.mark.parametrize("style", ["core", "dist-info"])
def test_html_promises_metadata_under_two_names(style: str) -> None:
    anchor = f"<!DOCTYPE html><a href='x.whl' data-{style}-metadata='sha256={DIGEST}'>spam-1.0-py3-none-any.whl</a>"
    assert only(parse(anchor.encode(), "text/html")).metadata == DIGEST


ODD: list[Any] = [
    None,
    True,
    0,
    -1,
    7,
    3.5,
    10**30,
    "",
    "text",
    "\ud800",
    [],
    ["a"],
    {},
    {"sha256": None},
    {"a": {"b": 1}},
]


@pytest.mark.parametrize("value", ODD, ids=ascii)
@pytest.mark.parametrize(
    "field", ["hashes", "size", "requires-python", "upload-time", "yanked", "core-metadata", "dist-info-metadata"]
)
def test_a_field_that_only_helps_may_be_anything(field: str, value: object) -> None:
    file = only(page(entry() | {field: value}))
    assert file.filename == "spam-1.0-py3-none-any.whl"
    assert file.size is None or file.size == 7
    assert file.requires_python is None or isinstance(file.requires_python, str)


@pytest.mark.parametrize("size", [0, -1, True, 811.0, "811", 1 << 50, 10**30, None])
def test_a_size_that_cannot_be_true_is_not_known(size: object) -> None:
    assert only(page(entry(size=size))).size is None


@pytest.mark.parametrize("url", [None, "", 7, ["a"], {}, "http://[", "a\n.whl", "\ud800.whl"], ids=ascii)
def test_a_wheel_without_an_address_is_the_indexs_fault(url: object) -> None:
    found = page(entry(url=url), entry("spam-2.0-py3-none-any.whl"))
    assert len(found.files("2.0")) == 1
    with pytest.raises(NetworkError, match=r"^https://index.test/simple/spam/ lists `spam-1.0-py3-none-any.whl` at "):
        found.files("1.0")


@pytest.mark.parametrize(
    "filename", [None, 7, ["a"], {}, "\ud800-1.0-py3-none-any.whl", "a\x1b[2J-1.0-py3-none-any.whl"]
)
def test_what_has_no_name_of_a_file_is_left_out(filename: object) -> None:
    found = page(entry() | {"filename": filename}, entry("spam-2.0-py3-none-any.whl"))
    assert found.versions == ("2.0",)


def body(**changes: Any) -> bytes:
    """Make a page with some members replaced."""
    return json.dumps(
        {"meta": {"api-version": "1.1"}, "name": "spam", "versions": ["1.0"], "files": []} | changes
    ).encode()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (b"", "JSONDecodeError"),
        (b'{"a": "\xff"}', "UnicodeDecodeError"),
        (b"<html>", "JSONDecodeError"),
        (b"[" * 100_000, "DocumentError"),
        (b"[]", r"the document is \[\], expected a mapping"),
        (b'{"files": []}', "`meta` is null, expected a mapping"),
        (body(meta="1"), "`meta` is '1', expected a mapping"),
        (body(meta={"api-version": "2.0"}), "`meta.api-version` is '2.0', expected '1.x'"),
        (body(meta={"api-version": None}), "`meta.api-version` is None"),
        (body(files=None), "`files` is null, expected a list"),
        (body(files={"a": {}}), "`files` is .*, expected a list"),
        (body(files=[{}, "spam"]), r"`files\[1\]` is 'spam', expected a mapping"),
    ],
)
def test_what_is_no_page_is_the_indexs_fault(wrong: bytes, said: str) -> None:
    with pytest.raises(
        NetworkError, match="https://index.test/simple/spam/ returned a document for `spam` .* Simple API: " + said
    ):
        parse(wrong)


@pytest.mark.parametrize(
    "changes", [{"name": None}, {"name": 7}, {"versions": None}, {"versions": [7]}, {"meta": {"api-version": 1}}]
)
def test_members_that_nobody_reads_may_be_anything(changes: dict[str, Any]) -> None:
    assert not parse(body(**changes)).versions


@pytest.mark.parametrize(
    "wrong",
    [
        b"<a href='http://['>x</a>",
        b"<meta name='pypi:repository-version' content='9.0'>",
        b"<meta name='pypi:repository-version' content='new'>",
        b"<html><title>Sign in</title><FORM action=/login><input name=user></form></html>",
        b"PK\3\4\0\0",
    ],
)
def test_html_that_cannot_be_read_is_the_indexs_fault(wrong: bytes) -> None:
    with pytest.raises(NetworkError, match="not a page of the Simple API"):
        parse(wrong, "text/html")


@pytest.mark.parametrize(
    ("base", "link", "url"),
    [
        ("https://i.test/simple/x/", "../../f/x-1-py3-none-any.whl", "https://i.test/f/x-1-py3-none-any.whl"),
        ("https://i.test/simple/x/", "https://files.test/x.whl", "https://files.test/x.whl"),
        ("http://i.test/simple/x/", "https://files.test/x.whl", "https://files.test/x.whl"),
        ("https://i.test/simple/x/", "https://evil:planted@corp.test/x.whl", "https://corp.test/x.whl"),
        ("file:///srv/simple/x/", "x.whl", "file:///srv/simple/x/x.whl"),
        ("https://i.test/simple/x/", "https://files.test?x/../../y", "https://files.test?x/../../y"),
        ("https://i.test/simple/x/", "https://files.test/x;p#sha256=1", "https://files.test/x;p#sha256=1"),
        ("https://i.test/simple/x/", "HTTPS://files.test/x.whl", "https://files.test/x.whl"),
        ("https://i.test/simple/x/", "file:///etc/passwd", None),
        ("http://i.test/simple/x/", "file:///etc/passwd", None),
        ("https://i.test/simple/x/", "http://i.test/x.whl", None),
        ("https://i.test/simple/x/", "data:,x", None),
    ],
)
def test_links_lead_nowhere_else(base: str, link: str, url: str | None) -> None:
    entry = {"filename": "x-1-py3-none-any.whl", "url": link, "hashes": {}}
    page = ProjectPage(url=base, entries=named([entry]))
    if url is None:
        with pytest.raises(NetworkError, match="links to"):
            page.files("1")
    else:
        assert page.files("1")[0].url == url
