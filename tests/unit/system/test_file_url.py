from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from envgen.errors import NetworkError
from envgen.system.file_url import byte_range, file_path, open_file_url

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, (0, 9)),
        ("bytes=3-5", (3, 5)),
        ("bytes=3-", (3, 9)),
        ("bytes=-4", (6, 9)),
        ("bytes=-40", (0, 9)),
        ("bytes=8-20", (8, 9)),
    ],
)
def test_ranges(header: str | None, expected: tuple[int, int]) -> None:
    assert byte_range(header, 10) == expected


def test_a_folder_serves_its_index(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("page")
    with open_file_url(tmp_path.as_uri(), {}) as answer:
        assert (answer.status, answer.body(9)) == (200, b"page")


def test_a_part_knows_its_place(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"0123456789")
    with open_file_url((tmp_path / "a").as_uri(), {"Range": "bytes=2-4"}) as answer:
        assert (answer.status, answer.body(9)) == (206, b"234")
        assert answer.headers["content-range"] == "bytes 2-4/10"


def test_paths_are_decoded() -> None:
    assert str(file_path("file:///a%20b/%C3%A9")) == "/a b/é"
    assert str(file_path("file://localhost/a")) == "/a"
    with pytest.raises(NetworkError, match="another machine"):
        file_path("file://host/a")


def test_what_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "index.html").mkdir()
    with pytest.raises(NetworkError, match="failed to read"), open_file_url(tmp_path.as_uri(), {}):
        pass
