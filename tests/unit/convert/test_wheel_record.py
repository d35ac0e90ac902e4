from __future__ import annotations

import hashlib

import pytest
from installer.records import Hash, RecordEntry

from envgen.convert.wheel_record import check_entry, check_listing, installed_entry, parse_record, render_record
from envgen.errors import ArtifactError
from tests.builders.wheels import record_hash

INFO = "spam-1.0.dist-info"


def _row(path: str, content: bytes) -> str:
    return f"{path},{record_hash(content)},{len(content)}\n"


def test_reads_quoted_paths() -> None:
    assert list(parse_record(_row('"a, b.py"', b"x").encode(), what="w")) == ["a, b.py"]


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"a,b\n", "malformed"),
        (b"a,nonsense,1\n", "malformed"),
        (b"a,sha256=x,one\n", "malformed"),
        (b"\xff,,\n", "malformed"),
        (b"a,,1\na,,2\n", "lists `a` twice"),
    ],
)
def test_refuses_a_malformed_record(raw: bytes, message: str) -> None:
    with pytest.raises(ArtifactError, match=message):
        parse_record(raw, what="w")


def _check(record: str, members: list[str]) -> None:
    check_listing(parse_record(record.encode(), what="w"), members, dist_info=INFO, what="w")


def test_record_itself_and_its_signature_need_no_hash() -> None:
    _check(_row("a", b"x") + f"{INFO}/RECORD,,\n", ["a", f"{INFO}/RECORD", f"{INFO}/RECORD.jws"])


@pytest.mark.parametrize(
    ("record", "members", "message"),
    [
        ("", ["a"], "`a` is not listed"),
        (_row("a", b"x"), [], "`a` is listed but missing"),
        ("a,,\n", ["a"], "`a` has the hash ''"),
        ("a,md5=abc,1\n", ["a"], "`a` has the hash 'md5=abc'"),
        ("", list("abcdefgh"), "and 3 more"),
    ],
)
def test_refuses_a_record_that_does_not_fit(record: str, members: list[str], message: str) -> None:
    with pytest.raises(ArtifactError, match=message):
        _check(record, members)


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_proves_a_file(algorithm: str) -> None:
    proof = hashlib.new(algorithm, b"x")
    listed = installed_entry("a", proof.hexdigest(), 1)
    assert listed.hash_ is not None
    check_entry(RecordEntry("a", Hash(algorithm, listed.hash_.value), 1), proof, 1, what="w")


@pytest.mark.parametrize(("content", "size"), [(b"y", 1), (b"x", 2)])
def test_refuses_another_hash_or_size(content: bytes, size: int) -> None:
    entry = installed_entry("a", hashlib.sha256(b"x").hexdigest(), 1)
    with pytest.raises(ArtifactError, match="`a` in `w` has sha256="):
        check_entry(entry, hashlib.sha256(content), size, what="w")


def test_renders_sorted_and_quoted() -> None:
    digest = hashlib.sha256(b"x").hexdigest()
    entries = [installed_entry("b, c", digest, 1), installed_entry("a", None, 5)]
    assert render_record(entries).decode() == f'a,,\n"b, c",{record_hash(b"x")},1\n'
