from __future__ import annotations

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from installer.records import Hash, RecordEntry

from envgen.convert.wheel_record import check_entry, check_listing, installed_entry, parse_record, render_record
from envgen.digest import Digest, Sha256
from envgen.errors import ArtifactError
from tests.builders.wheels import record_hash

INFO = "spam-1.0.dist-info"


def _row(path: str, content: bytes) -> str:
    return f"{path},{record_hash(content)},{len(content)}\n"


def test_reads_quoted_paths() -> None:
    assert list(parse_record(_row('"a, b.py"', b"x").encode(), what="w")) == ["a, b.py"]


@pytest.mark.parametrize("raw", [b"\xef\xbb\xbfa,,1\r\n\r\n", b"a,,1", b"\n\na,,1\n", b"/a,,1\na,,1\n"])
def test_reads_odd_line_ends_and_rows_that_say_one_thing_twice(raw: bytes) -> None:
    assert list(parse_record(raw, what="w")) == ["a"]


def test_what_python_takes_for_a_line_end_may_stand_in_a_name() -> None:
    assert list(parse_record("a\u2028b,,1\n".encode(), what="w")) == ["a\u2028b"]


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


def _check(record: str, members: list[str]) -> tuple[str, ...]:
    sizes = dict.fromkeys(members, 1)
    return check_listing(parse_record(record.encode(), what="spam-1.0.whl"), sizes, dist_info=INFO, what="spam-1.0.whl")


def test_record_itself_and_its_signature_need_no_hash() -> None:
    assert not _check(_row("a", b"x") + f"{INFO}/RECORD,,\n", ["a", f"{INFO}/RECORD", f"{INFO}/RECORD.jws"])


def test_what_an_installer_writes_need_not_be_listed() -> None:
    assert not _check("", [f"{INFO}/INSTALLER", f"{INFO}/direct_url.json"])


def _digest(content: bytes, algorithm: str = "sha256") -> Digest:
    digest = Digest(algorithm)
    digest.update(content)
    return digest


DIGEST = hashlib.sha256(b"x").digest()
PLAIN = base64.urlsafe_b64encode(DIGEST).decode().rstrip("=")


def _read(record: str) -> dict[str, RecordEntry] | str:
    try:
        return parse_record(record.encode(), what="w")
    except ArtifactError as error:
        return str(error)


@given(
    paths=st.lists(st.text(st.sampled_from("ab/. \\'\u00fc\u2028\x00,"), min_size=1), max_size=4),
    end=st.sampled_from([f",sha256={PLAIN},1", ",,", ",,1", f",sha256={PLAIN},", f",sha256={PLAIN},x"]),
)
def test_usual_rows_are_read_as_others_are(paths: list[str], end: str) -> None:
    record = "".join(f"{path}{end}\n" for path in paths)
    as_csv = _read(f'{record}"q",,\n')  # a row with quotes needs a CSV reader
    assert _read(record) == (as_csv if isinstance(as_csv, str) else {p: e for p, e in as_csv.items() if p != "q"})


@pytest.mark.parametrize(
    "path", ["a/b", "/a/b", "./a/b", "a\\b", ".//a/./b", "//a/b"], ids=["plain", "slash", "dot", "back", "both", "two"]
)
def test_reads_other_spellings_of_a_path(path: str) -> None:
    assert not _check(f"{path},sha256={PLAIN},1\n", ["a/b"])


@pytest.mark.parametrize(
    "text",
    [f"sha256={PLAIN}=", f"SHA256={PLAIN}", f"sha256={base64.b64encode(DIGEST).decode()}", f"sha256={DIGEST.hex()}"],
    ids=["padded", "upper", "standard", "hex"],
)
def test_reads_other_spellings_of_a_hash(text: str) -> None:
    (entry,) = parse_record(f"a,{text},1\n".encode(), what="w").values()
    check_entry(entry, _digest(b"x"), what="w")
    with pytest.raises(ArtifactError, match="RECORD says"):
        check_entry(entry, _digest(b"y"), what="w")


@pytest.mark.parametrize(
    ("record", "members", "oddity"),
    [
        (_row("gone", b"x"), [], "lists 1 file that the wheel does not contain, such as `gone`"),
        ("../../bin/run,,\n", [], "lists 1 file that the wheel does not contain, such as `../../bin/run`"),
        ("a,,\nb,,\n", ["a", "b"], "has no hash of sha256 or stronger for 2 files, such as `a`"),
        ("a,md5=abc,1\n", ["a"], "has no hash of sha256 or stronger for 1 file, such as `a`"),
        ("a,crc32=abc,1\n", ["a"], "has no hash of sha256 or stronger for 1 file, such as `a`"),
    ],
)
def test_tells_what_is_odd_but_harmless(record: str, members: list[str], oddity: str) -> None:
    assert _check(record, members) == (oddity,)


@pytest.mark.parametrize("folder", ["a/,,\n", "a,,\n", "a/,,0\n", ",,\n"])
def test_entries_of_folders_say_nothing(folder: str) -> None:
    assert not _check(folder + _row("a/b", b"x"), ["a/b"])


@pytest.mark.parametrize(
    ("record", "members", "message"),
    [
        ("", ["a"], "`a` is not listed"),
        (_row("a", b"xx"), ["a"], "`a` has 1 bytes, listed with 2"),
        ("", list("abcdefgh"), "and 3 more"),
    ],
)
def test_refuses_a_record_that_does_not_fit(record: str, members: list[str], message: str) -> None:
    with pytest.raises(ArtifactError, match=message) as caught:
        _check(record, members)
    assert caught.value.hint == '`trust-record: {spam: "why"}` in the spec accepts the wheel by its own sha256'


def test_a_weak_hash_that_differs_is_refused() -> None:
    (entry,) = parse_record(b"a,md5=abc,1\n", what="w").values()
    with pytest.raises(ArtifactError, match="RECORD says md5=abc"):
        check_entry(entry, _digest(b"x", "md5"), what="w")


@pytest.mark.parametrize(("files", "more"), [("abcde", ""), ("abcdef", "; and 1 more")])
def test_names_five_faults_and_counts_the_rest(files: str, more: str) -> None:
    with pytest.raises(ArtifactError) as caught:
        _check("", list(files))
    named = "; ".join(f"`{path}` is not listed" for path in "abcde")
    assert str(caught.value) == f"RECORD of `spam-1.0.whl` does not match its files: {named}{more}"


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_proves_a_file(algorithm: str) -> None:
    proof = _digest(b"x", algorithm)
    listed = installed_entry("a", proof.hexdigest(), 1)
    assert listed.hash_ is not None
    check_entry(RecordEntry("a", Hash(algorithm, listed.hash_.value), 1), proof, what="w")


@pytest.mark.parametrize(("content", "size"), [(b"y", 1), (b"x", 2)])
def test_refuses_another_hash_or_size(content: bytes, size: int) -> None:
    entry = installed_entry("a", Sha256.of(b"x"), size)
    with pytest.raises(ArtifactError, match="`a` in `w` has sha256="):
        check_entry(entry, _digest(content), what="w")


def test_renders_sorted_and_quoted() -> None:
    digest = hashlib.sha256(b"x").hexdigest()
    entries = [installed_entry("b, c", digest, 1), installed_entry("a", None, 5)]
    assert render_record(entries).decode() == f'a,,\n"b, c",{record_hash(b"x")},1\n'
