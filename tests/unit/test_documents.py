"""Documents from outside are parsed or refused; none fills the memory or ends in another error."""

from __future__ import annotations

import contextlib

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from envgen import limits
from envgen.documents import DocumentError, compose_yaml, read_json, read_toml, read_yaml

BOMB = "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12))
DEEP = "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}]\n" for i in range(1, 100))


def test_what_is_sound() -> None:
    assert read_yaml("a: &x {b: 1}\nc: *x\n") == {"a": {"b": 1}, "c": {"b": 1}}
    assert read_yaml("") is None
    assert read_json(b'{"a": [1]}') == {"a": [1]}
    assert read_toml("a.b = 1") == {"a": {"b": 1}}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (BOMB, "more than 500000 values"),
        ("&a [*a, *a]", "levels deep|more than"),
        ("&a {x: *a}", "levels deep"),
        (DEEP, "levels deep"),
        ("[" * 60 + "]" * 60, "levels deep"),
        ("a: 2001-99-99", "a value cannot be read"),
        ("a: " + "9" * 5000, "a value cannot be read"),
        ("a: !!bool x", "a value cannot be read"),
        ("a: !!int x", "a value cannot be read"),
        ("a: !!timestamp x", "a value cannot be read"),
    ],
)
def test_yaml_out_of_bounds(text: str, said: str) -> None:
    with pytest.raises(DocumentError, match=said):
        read_yaml(text)


@pytest.mark.parametrize("text", ["[" * 100_000, "- " * 100_000, "? " * 20_000, "a: [", "\x00"])
def test_broken_yaml(text: str) -> None:
    with pytest.raises((yaml.YAMLError, DocumentError)):
        compose_yaml(text)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "[", "1" * 5000])
def test_broken_json(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        read_json(text)


@pytest.mark.parametrize("text", ["a=" + "[" * 4000, "a" + ".a" * 100_000 + "=1", "x" * (limits.TOML + 1), "a ="])
def test_broken_toml(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        read_toml(text)


def test_size_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "DOCUMENT", 10)
    for read in (read_yaml, lambda text: read_json(text, limit=10)):
        with pytest.raises(DocumentError, match="11 characters, expected at most 10"):
            read("x" * 11)


@given(st.text(alphabet="ab:-[]{}&*!|>'\"\n ,?#%@0129.~", max_size=60))
def test_any_yaml_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(DocumentError, yaml.YAMLError):
        read_yaml(text)
