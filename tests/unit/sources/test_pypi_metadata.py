from __future__ import annotations

import datetime as dt
import io
import random
import zipfile
from typing import TYPE_CHECKING, BinaryIO, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envgen import limits
from envgen.digest import Sha256
from envgen.errors import ArtifactError
from envgen.sources.pypi_metadata import MetadataReader, RangeFile, metadata_of
from envgen.sources.pypi_page import ProjectFile
from envgen.structs import replace
from envgen.system.store import Store
from tests.builders.tree import MOMENT
from tests.builders.wheels import make_wheel, make_zip

if TYPE_CHECKING:
    from pathlib import Path

    from envgen.system.http import Http


def noise(size: int) -> bytes:
    """Make bytes that do not compress, the same each time."""
    return random.Random(size).randbytes(size)  # noqa: S311  # no secret


class Remote:
    """A file behind range requests that are counted."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.asked: list[tuple[int, int]] = []

    def fetch(self, start: int, end: int) -> bytes:
        assert 0 <= start <= end < len(self.data)
        self.asked.append((start, end))
        return self.data[start : end + 1]

    def open(self, tail: int = 1 << 16) -> RangeFile:
        return RangeFile(self.fetch, size=len(self.data), tail=self.data[-tail:])


@given(size=st.integers(1, 300_000), moves=st.lists(st.tuples(st.integers(0, 300_000), st.integers(0, 100_000))))
def test_reads_what_is_there(size: int, moves: list[tuple[int, int]]) -> None:
    remote = Remote(noise(size))
    stream = remote.open()
    for position, length in moves:
        stream.seek(position)
        assert stream.read(length) == remote.data[position : position + length]
    stream.seek(0)
    assert stream.read() == remote.data
    fetched = sum(end + 1 - start for start, end in remote.asked)
    assert fetched <= max(0, size - (1 << 16)), "nothing is fetched twice"


def test_a_small_wheel_takes_no_further_request() -> None:
    remote = Remote(make_wheel("spam", "1.0", requires=["ham"]))
    assert b"Requires-Dist: ham" in metadata_of(remote.open(), "spam-1.0-py3-none-any.whl")
    assert remote.asked == []


def test_a_directory_larger_than_the_tail_takes_a_second_one() -> None:
    files = {f"spam/module_with_quite_a_long_name_{n:05}.py": b"" for n in range(2000)}
    remote = Remote(make_wheel("spam", "1.0", files=files, requires=["ham"], data={"data/lib/big.so": bytes(1 << 20)}))
    assert b"Requires-Dist: ham" in metadata_of(remote.open(), "spam-1.0-py3-none-any.whl")
    assert 1 <= len(remote.asked) <= 2


def test_metadata_at_the_beginning_takes_a_request_of_its_own() -> None:
    remote = Remote(make_zip([("spam-1.0.dist-info/METADATA", b"Name: spam"), ("spam/blob", noise(500_000))]))
    assert metadata_of(remote.open(), "spam-1.0-py3-none-any.whl") == b"Name: spam"
    assert remote.asked == [(0, remote.asked[0][1])]
    assert remote.asked[0][1] < 1 << 16


def test_a_range_of_another_length_is_noticed() -> None:
    stream = RangeFile(lambda start, end: b"short", size=200_000, tail=bytes(1 << 16))
    with pytest.raises(zipfile.BadZipFile, match="got 5 bytes"):
        stream.read(10)


def patched(data: bytes, offset: int, new: bytes) -> bytes:
    return data[:offset] + new + data[offset + len(new) :]


def damaged() -> list[bytes]:
    """Make wheels with METADATA that is compressed, and something wrong with it each."""
    whole = make_zip([("spam-1.0.dist-info/METADATA", b"Name: spam\n" * 100)])
    directory = whole.rindex(b"PK\x01\x02")
    start = 30 + len("spam-1.0.dist-info/METADATA")
    return [
        patched(whole, start, b"\xff" * 8),  # zlib.error
        patched(patched(whole, 8, b"\x0c\0"), directory + 10, b"\x0c\0"),  # bzip2, which it is not: OSError
        patched(patched(whole, 8, b"\x63\0"), directory + 10, b"\x63\0"),  # NotImplementedError: a method nobody has
        patched(patched(whole, 6, b"\x01"), directory + 8, b"\x01"),  # RuntimeError: encrypted
        patched(patched(whole, 30, b"\xff"), directory + 46, b"\xff")[: directory + 8]
        + b"\0\x08"
        + patched(whole, directory + 46, b"\xff")[directory + 10 :],  # UnicodeDecodeError: a name in no code
    ]


@pytest.mark.parametrize("data", damaged())
def test_damage_is_one_error_whatever_it_is(data: bytes) -> None:
    with pytest.raises(zipfile.BadZipFile):
        metadata_of(io.BytesIO(data), "spam-1.0-py3-none-any.whl")


def listed(wheel: bytes) -> ProjectFile:
    return ProjectFile(
        filename="spam-1.0-py3-none-any.whl",
        url="https://index.test/spam.whl",
        sha256=Sha256.of(wheel),
        size=len(wheel),
        requires_python=None,
        uploaded=None,
        yanked=False,
        metadata=False,
    )


class Ranges:
    """A server of one wheel that has ranges alone, and counts them."""

    def __init__(self, wheel: bytes) -> None:
        self.wheel = wheel
        self.asked = 0

    def get_part(self, url: str, start: int, end: int) -> tuple[bytes, int]:
        del url
        self.asked += 1
        return self.wheel[start : end + 1], len(self.wheel)


@pytest.mark.parametrize(("minutes", "recent", "asked"), [(9, True, 1), (11, True, 2), (-1, True, 2), (9, False, 2)])
def test_what_no_digest_proves_is_taken_again_for_ten_minutes(
    minutes: int, *, recent: bool, asked: int, tmp_path: Path
) -> None:
    server = Ranges(make_wheel("spam", "1.0", requires=["ham"]))
    for moment in (MOMENT, MOMENT + dt.timedelta(minutes=minutes)):
        http, store = cast("Http", server), Store(tmp_path)
        reader = MetadataReader(http=http, store=store, warn=print, now=moment, recent=recent)
        found = reader.read(listed(server.wheel), Sha256.of(server.wheel))
        assert [str(requirement) for requirement in found.requires] == ["ham"]
        assert reader.took_recent == (moment != MOMENT and asked == 1)
    assert server.asked == asked


def test_what_was_read_for_metadata_is_not_fetched_again(tmp_path: Path) -> None:
    server = Ranges(make_wheel("spam", "1.0"))
    file = listed(server.wheel)
    reader = MetadataReader(http=cast("Http", server), store=Store(tmp_path), warn=print)
    reader.read(file, Sha256.of(server.wheel))
    assert (reader.open(file).read(), server.asked) == (server.wheel, 1)
    assert (reader.open(file).read(), server.asked) == (server.wheel, 2), "it is held for one reader"


def test_ends_of_wheels_are_held_as_far_as_there_is_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = Ranges(make_wheel("spam", "1.0"))
    files = [replace(listed(server.wheel), url=f"https://index.test/{number}.whl") for number in range(5)]
    monkeypatch.setattr("envgen.sources.pypi_metadata._HELD", 2 * len(server.wheel))
    reader = MetadataReader(http=cast("Http", server), store=Store(tmp_path), warn=print)
    for file in (*files, files[-1]):
        reader.read(file, Sha256.of(server.wheel))
    asked = server.asked
    assert [reader.open(file).read() for file in files] == [server.wheel] * 5
    assert server.asked - asked == 3, "the last two are held"


@pytest.mark.parametrize("data", damaged())
def test_a_range_that_came_damaged_leads_to_the_whole_file(data: bytes, tmp_path: Path) -> None:
    wheel = make_wheel("spam", "1.0", requires=["ham"])

    class Proxy:
        """An index whose ranges are of another file, and whose whole files are right."""

        def get_range(self, url: str, start: int, end: int) -> bytes:
            del url
            return data[start : end + 1]

        def get_part(self, url: str, start: int, end: int) -> tuple[bytes, int]:
            return self.get_range(url, start, end), len(data)

        def download(self, url: str, out: BinaryIO, *, expected: Sha256) -> None:
            del url, expected
            out.write(wheel)

    reader = MetadataReader(http=cast("Http", Proxy()), store=Store(tmp_path), warn=print)
    file = replace(listed(wheel), size=len(data))
    assert [str(requirement) for requirement in reader.read(file, Sha256.of(wheel)).requires] == ["ham"]


def test_vendored_dist_infos_do_not_count() -> None:
    members = [
        ("spam/_vendor/ham-1.0.dist-info/METADATA", b"Name: ham"),
        ("other-1.0.dist-info/METADATA", b"Name: other"),
        ("Spam_x-1.0.dist-info/METADATA", b"Name: spam-x"),
    ]
    assert metadata_of(io.BytesIO(make_zip(members)), "spam_x-1.0-py3-none-any.whl") == b"Name: spam-x"


@pytest.mark.parametrize("members", [[], [("a.dist-info/METADATA", b""), ("b.dist-info/METADATA", b"")]])
def test_no_metadata_or_none_that_counts(members: list[tuple[str, bytes]]) -> None:
    with pytest.raises(ArtifactError, match="has 0 METADATA files"):
        metadata_of(io.BytesIO(make_zip(members)), "spam-1.0-py3-none-any.whl")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_methods_than_deflate_are_not_unpacked(method: int) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        archive.writestr("spam-1.0.dist-info/METADATA", b"Name: spam\n" * 100)
    with pytest.raises(zipfile.BadZipFile, match=f"method {method}, expected stored or deflated"):
        metadata_of(out, "spam-1.0-py3-none-any.whl")


def test_a_directory_without_end_is_not_fetched() -> None:
    size = limits.WHEEL_DIRECTORY * 4
    file = RangeFile(lambda start, end: bytes(end - start + 1), size=size, tail=bytes(1 << 16))
    with pytest.raises(ArtifactError, match="expected at most"):
        file.read()


def test_a_bomb_is_not_unpacked() -> None:
    data = make_zip([("spam-1.0.dist-info/METADATA", bytes(9 << 20))])
    with pytest.raises(ArtifactError, match="expected at most"):
        metadata_of(io.BytesIO(data), "spam-1.0-py3-none-any.whl")
