from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from envgen.errors import SpecError
from envgen.system.pip_config import find_index_url, parse_index_url

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[global]\nindex-url = https://a/simple\n", "https://a/simple"),
        ("[global]\n--Index_URL: https://a/simple\n", "https://a/simple"),
        ("[global]\nindex-url = https://a\n[install]\nindex-url = https://b\n", "https://b"),
        ("[global]\nextra-index-url = https://a\nfind-links = /wheels\n", None),
        ("[download]\nindex-url = https://a\n", None),
        ("[global]\nindex-url =\n", None),
        ("[global]\nindex-url = https://user:pa%ss@a/simple\n", "https://user:pa%ss@a/simple"),
        ("", None),
    ],
)
def test_index_url(text: str, expected: str | None) -> None:
    assert parse_index_url(text, "pip.conf") == expected


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("index-url = https://u:hidden@a\n", 1),
        ("[global]\nhttps//u,hidden\n", 2),
        ("[hidden]\n[hidden]\n", 2),
        ("[global]\nindex-url=a\nindex-url=hidden\n", 3),
    ],
)
def test_a_broken_file_is_told_without_its_text(text: str, line: int) -> None:
    with pytest.raises(SpecError, match=rf"^/etc/pip.conf:{line}: not in the form of") as caught:
        parse_index_url(text, "/etc/pip.conf")
    assert "hidden" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_letters_of_another_encoding_do_no_harm_in_a_comment(tmp_path: Path) -> None:
    (tmp_path / "pip.conf").write_bytes("# für alle\n[global]\nindex-url = https://a\n".encode("latin-1"))
    environment = {"PIP_CONFIG_FILE": str(tmp_path / "pip.conf")}
    assert find_index_url(environment, tmp_path, tmp_path) == ("https://a", f"`{tmp_path / 'pip.conf'}`")


def test_letters_of_another_encoding_in_the_address_are_refused(tmp_path: Path) -> None:
    (tmp_path / "pip.conf").write_bytes("[global]\nindex-url = https://für:alle@a\n".encode("latin-1"))
    with pytest.raises(SpecError, match=r"pip\.conf: `index-url` is not in UTF-8") as caught:
        find_index_url({"PIP_CONFIG_FILE": str(tmp_path / "pip.conf")}, tmp_path, tmp_path)
    assert "alle" not in str(caught.value)


WEAKEST_FIRST = [
    "etc/xdg/pip/pip.conf",
    "etc/pip.conf",
    "home/.pip/pip.conf",
    "home/.config/pip/pip.conf",
    "venv/pip.conf",
    "named.conf",
]


def write(path: Path, url: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"[global]\nindex-url = {url}\n")


def test_stronger_files_win_and_the_variable_wins_over_all(tmp_path: Path) -> None:
    environment = {"VIRTUAL_ENV": str(tmp_path / "venv"), "PIP_CONFIG_FILE": str(tmp_path / "named.conf")}
    assert find_index_url(environment, tmp_path / "home", tmp_path) is None
    for number, name in enumerate(WEAKEST_FIRST):
        write(tmp_path / name, f"https://{number}")
        found = find_index_url(environment, tmp_path / "home", tmp_path)
        assert found == (f"https://{number}", f"`{tmp_path / name}`")
    environment["PIP_INDEX_URL"] = "https://variable"
    assert find_index_url(environment, tmp_path / "home", tmp_path) == ("https://variable", "PIP_INDEX_URL")


def test_a_named_file_replaces_those_of_the_user(tmp_path: Path) -> None:
    write(tmp_path / "home/.config/pip/pip.conf", "https://user")
    (tmp_path / "named.conf").touch()
    environment = {"PIP_CONFIG_FILE": str(tmp_path / "named.conf")}
    assert find_index_url(environment, tmp_path / "home", tmp_path) is None


def test_the_null_device_means_no_files(tmp_path: Path) -> None:
    write(tmp_path / "etc/pip.conf", "https://a")
    assert find_index_url({"PIP_CONFIG_FILE": os.devnull}, tmp_path / "home", tmp_path) is None
