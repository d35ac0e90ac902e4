"""Versions with a zero after the third number, which conda and PEP 440 may order in two ways."""

from __future__ import annotations

import pytest

from envgen.errors import UnsatisfiableError
from tests.unit.solve.fakes import FakeIndex, solved, task, versions


@pytest.fixture
def index() -> FakeIndex:
    return FakeIndex()


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (("cccl",), "13.3.5.0.6"),
        (("cccl >13.3.5",), "13.3.5.0.6"),
        (("exact",), "13.3.5.0.6"),
        (("above",), "13.3.5.0.6"),
        (("extra[more]",), "13.3.5.0.6"),
        (("below",), "13.3.5"),
        (("cccl ==13.3.5.post1", "below"), "13.3.5.post1"),
        (("cccl !=13.3.5.0.6",), "13.3.5.post1"),
    ],
)
def test_versions_with_an_inner_zero_stand_where_pep_440_puts_them(
    index: FakeIndex, asked: tuple[str, ...], expected: str
) -> None:
    for version in ("13.3.4.3.1", "13.3.5", "13.3.5.post1", "13.3.5.0.6"):
        index.add("cccl", version)
    index.add("exact", "1", "cccl ==13.3.5.0.6")
    index.add("above", "1", "cccl >13.3.5")
    index.add("extra", "1", "cccl >13.3.5 ; extra == 'more'", extras=["more"])
    index.add("below", "1", "cccl <13.3.5.0.6")
    assert versions(solved(task(index, *asked)))["cccl"] == expected


def test_a_release_that_is_left_out_for_its_order_is_told(index: FakeIndex) -> None:
    for version in ("13.3.5.post1", "13.3.5.0.6"):
        index.add("cccl", version)
    index.add("post", "1", "cccl ==13.3.5.post1")
    with pytest.raises(UnsatisfiableError, match=r"conda sorts 13\.3\.5\.post1 after 13\.3\.5\.0\.6, which is kept"):
        solved(task(index, "post"))
