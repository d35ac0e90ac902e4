"""No foreign text moves the cursor, rings, hides or turns text round."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envgen.printable import in_json, message, one_line, visible

ANY = st.text(st.characters(codec=None, categories=None))
BAD = {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"}


def is_clean(text: str, *, kept: str = "") -> bool:
    return all(c in kept or unicodedata.category(c) not in BAD for c in text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("\x9b2J\x7f\x00", r"\x9b2J\x7f\x00"),
        ("a\u202eb\u2066c\u200bd\ufeff", r"a\u202eb\u2066c\u200bd\ufeff"),
        ("\u2028\u2029\r\x85", r"\u2028\u2029\r\x85"),
        ("\U000e0041\ud800", r"\U000e0041\ud800"),
        ("kept: é 漢 → └ \\ 😀\n\t", "kept: é 漢 → └ \\ 😀\n\t"),
    ],
)
def test_visible(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(ANY)
def test_nothing_hidden_is_left(text: str) -> None:
    assert is_clean(visible(text), kept="\n\t")
    assert is_clean(one_line(text))
    assert visible(visible(text)) == visible(text)


@given(ANY)
def test_json_means_the_same(text: str) -> None:
    written = in_json(json.dumps({"x": text}, ensure_ascii=False))
    assert is_clean(written)
    assert json.loads(written) == {"x": text}


def test_only_the_first_line_of_a_message_begins_at_the_margin() -> None:
    assert message("a\nerror: b\n  c\n\nd") == "a\n  error: b\n  c\n\n  d"
    assert one_line("a\nb\tc") == r"a\nb\tc"
