from __future__ import annotations

import io

import pytest

from envgen.errors import GoneError, NetworkError
from envgen.system.streamed_response import RangeUnsupportedError, StreamedResponse


def answer(body: bytes, *, status: int = 200, content_range: str = "") -> StreamedResponse:
    headers = {"content-range": content_range} if content_range else {}
    return StreamedResponse(
        url="http://host/a?token=hidden", status=status, headers=headers, read=io.BytesIO(body).read
    )


def test_bodies_are_bounded() -> None:
    assert answer(b"abc").body(3) == b"abc"
    with pytest.raises(NetworkError, match="more than 2 bytes"):
        answer(b"abc").body(2)


@pytest.mark.parametrize("status", [404, 410])
def test_absence(status: int) -> None:
    with pytest.raises(GoneError, match="does not exist") as caught:
        answer(b"", status=status).refuse_absent()
    assert "hidden" not in str(caught.value)
    answer(b"").refuse_absent()


@pytest.mark.parametrize("wanted", ["bytes=3-5", "bytes=-3"])
def test_a_part(wanted: str) -> None:
    found = answer(b"def", status=206, content_range="bytes 3-5/6")
    assert found.part(wanted, 3) == (b"def", 6)


@pytest.mark.parametrize(
    ("status", "content_range"),
    [
        (200, ""),
        (206, ""),
        (206, "bytes 2-4/6"),
        (206, "bytes 3-5/*"),
        (206, "bytes 3-5/" + "9" * 5000),
        (206, "bytes 3-5/\u0666"),
        (416, "bytes */2"),
    ],
)
def test_what_is_not_the_part(status: int, content_range: str) -> None:
    with pytest.raises(RangeUnsupportedError, match=f"returned status {status}"):
        answer(b"def", status=status, content_range=content_range).part("bytes=3-5", 3)
