"""Names and texts as Nix reads them."""

from __future__ import annotations

import pytest

from envgen.export.nix import nix_string, store_name


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("torch-2.8.0+cu128-cp311.whl", "torch-2.8.0+cu128-cp311.whl"),
        ("x-1!2-py3-none-any.whl", "x-1_2-py3-none-any.whl"),
        ("libc6_2.36%3a1~rc_amd64.deb", "libc6_2.36_3a1_rc_amd64.deb"),
        (".hidden", "_.hidden"),
    ],
)
def test_store_names_have_the_characters_of_nix(file: str, name: str) -> None:
    assert store_name(file) == name


def test_long_store_names_keep_their_end() -> None:
    assert store_name("a" * 300 + ".whl") == "a" * 207 + ".whl"


def test_strings_cannot_be_left() -> None:
    assert nix_string('a"${b}\\c') == '"a\\"\\${b}\\\\c"'
