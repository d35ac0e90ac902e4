from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest

from envgen import limits
from envgen.digest import Sha256
from envgen.errors import IntegrityError
from envgen.system.fs import HashedFile
from envgen.system.retry import TransientError
from envgen.system.streamed_response import StreamedResponse
from envgen.system.transfer import Transfer

if TYPE_CHECKING:
    from pathlib import Path


def answer(body: bytes, *, status: int = 200, etag: str = "", begins: int | None = None) -> StreamedResponse:
    headers = {"etag": etag} if etag else {}
    if begins is not None:
        headers["content-range"] = f"bytes {begins}-{begins + len(body) - 1}/99"
    return StreamedResponse(url="http://host/a", status=status, headers=headers, read=io.BytesIO(body).read)


def test_a_partial_answer_follows() -> None:
    out, told = io.BytesIO(), [0]
    transfer = Transfer(out, what="it", advance=told.append)
    assert transfer.request_headers() == {}
    transfer.take(answer(b"abc", etag='"1"'))
    assert transfer.request_headers() == {"Range": "bytes=3-", "If-Range": '"1"'}
    transfer.take(answer(b"def", status=206, begins=3))
    assert transfer.resumed
    assert (out.getvalue(), transfer.sha256(), sum(told)) == (b"abcdef", Sha256.of(b"abcdef"), 6)


def test_weak_tags_are_not_sent() -> None:
    transfer = Transfer(io.BytesIO(), what="it")
    transfer.take(answer(b"abc", etag='W/"1"'))
    assert transfer.request_headers() == {"Range": "bytes=3-"}


@pytest.mark.parametrize("second", [answer(b"xyz"), answer(b"xyz", status=206, begins=1), answer(b"xyz", status=206)])
def test_another_answer_starts_again(second: StreamedResponse, tmp_path: Path) -> None:
    told: list[int] = []
    with HashedFile(tmp_path / "file") as out:
        transfer = Transfer(out, what="it", advance=told.append)
        transfer.take(answer(b"ab"))
        transfer.take(second)
        assert (transfer.sha256(), transfer.done, transfer.resumed) == (Sha256.of(b"xyz"), 3, False)
    assert (tmp_path / "file").read_bytes() == b"xyz"
    assert told == [2, 1]


def test_a_refused_range_starts_again() -> None:
    transfer = Transfer(io.BytesIO(), what="it")
    transfer.take(answer(b"abc"))
    with pytest.raises(TransientError, match="it changed during the download"):
        transfer.take(answer(b"", status=416))
    assert transfer.done == 0


def test_the_size_is_kept() -> None:
    transfer = Transfer(io.BytesIO(), what="it", size=4)
    transfer.take(answer(b"abc"))
    assert (transfer.short, transfer.complete) == (True, False)
    with pytest.raises(IntegrityError, match="it has more than the expected 4 bytes"):
        transfer.take(answer(b"de", status=206, begins=3))


def test_an_endless_answer_of_unknown_size_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "ARTIFACT", 5)
    with pytest.raises(IntegrityError, match="it has more than 5 bytes"):
        Transfer(io.BytesIO(), what="it").take(answer(b"abcdef"))
