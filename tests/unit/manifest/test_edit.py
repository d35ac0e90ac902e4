"""Entries come into a spec and leave it; all other bytes stay."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from envgen.errors import SpecError
from envgen.manifest.edit import SpecText, quoted

BLOCK = "# top\nname: x\npypi:\n  - a >=1   # why\n  # - out\n  - 'b'\n\n# end\nplatforms: {}\n"


def spec(text: str) -> SpecText:
    return SpecText(text=text, source="environments/x.yaml")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (BLOCK, BLOCK.replace("'b'\n", "'b'\n  - new\n")),
        ("name: x\npypi: [a, 'b']  # c\n", "name: x\npypi: [a, 'b', new]  # c\n"),
        ("name: x\npypi: [\n  a,  # c\n  b,\n]\n", "name: x\npypi: [\n  a,  # c\n  b, new,\n]\n"),
        ("name: x\npypi: []\n", "name: x\npypi: [new]\n"),
        ("name: x\npypi:  # none\n", "name: x\npypi:  # none\n  - new\n"),
        ("name: x\npypi:\n  # - a\n", "name: x\npypi:\n  - new\n  # - a\n"),
        ("name: x\npypi:\n- a", "name: x\npypi:\n- a\n- new\n"),
        ("name: x\r\npypi:\r\n- a\r\n", "name: x\r\npypi:\r\n- a\r\n- new\r\n"),
        ("name: x", "name: x\npypi:\n  - new\n"),
        (
            "dependencies:\n  - y  # c\n\n# z\nimage: {}\n",
            "dependencies:\n  - y  # c\npypi:\n  - new\n\n# z\nimage: {}\n",
        ),
        ("note: 'ünïcode 🐍'\npypi: [é]\n", "note: 'ünïcode 🐍'\npypi: [é, new]\n"),
    ],
)
def test_an_entry_comes_and_goes(before: str, after: str) -> None:
    edited = spec(before).with_entries("pypi", ["new"])
    assert edited.text == after
    (new,) = [entry for entry in edited.entries("pypi") if entry.text == "new"]
    assert yaml.safe_load(edited.without([new]).text).get("pypi") in ([], None, yaml.safe_load(before).get("pypi"))


def test_an_entry_goes_with_its_line() -> None:
    first, second = spec(BLOCK).entries("pypi")
    assert (first.line, second.line) == (4, 6)
    assert spec(BLOCK).without([first]).text == BLOCK.replace("  - a >=1   # why\n", "")
    assert spec(BLOCK).without([first, second]).text == "# top\nname: x\npypi:\n  # - out\n\n# end\nplatforms: {}\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("base: &a [b]\npypi: *a\n", "`pypi` is written in an unusual way"),
        ("{name: x, pypi: [a]}", "not a plain block"),
        ("- a\n", "not a plain block"),
        ("\ufeffname: x\n", "not a plain block"),
        ("pypi: &p\n- a\nother: *p\n", "unusual"),
        ("pypi: ~\n", "unusual"),
        ("pypi: {a: b}\n", "unusual"),
    ],
)
def test_what_is_not_understood_is_refused(text: str, says: str) -> None:
    with pytest.raises(SpecError, match=says):
        spec(text).with_entries("pypi", ["new"])


@given(st.text(st.characters(exclude_categories=("C", "Z"), include_characters=" "), min_size=1))
def test_any_text_stands_in_any_list(text: str) -> None:
    assert yaml.safe_load("- " + quoted(text)) == [text]
    assert yaml.safe_load(f"[a, {quoted(text, inside='[{}]')}, b]") == ["a", text, "b"]
