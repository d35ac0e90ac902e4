"""One rule for paths inside a prefix, told path by path and over many at once."""

from __future__ import annotations

import pytest

from envgen.paths import (
    check_prefix_paths,
    folders_above,
    folders_of,
    parse_file_name,
    parse_prefix_path,
    parse_relative_path,
)

ALLOWED = [
    "bin/python",
    ".hidden",
    "a..b/..c/d..",
    "share/conda-meta/x",
    "conda-meta-2/x",
    "lib/ü/名.py",
    "a b/c'd",
    "share/a:b",
    "lib/\u200bx",
]

ESCAPES = ["/etc/passwd", "../x", "a/../../x", "a/..", "..", "."]
UNCLEAN = ["", "a//b", "a/", "./a", "a/./b"]
CONTROL = ["a\nb", "a\x00b", "a\x1b[31m", "a\x7f", "a\x9b", "a\udcff", "a\n", "\na"]
DISGUISED = ["a\\b", "..\\x", "c:/x", "C:x"]
RESERVED = [
    "conda-meta",
    "conda-meta/history",
    "Conda-Meta/x.json",
    "CONDA-META/.envgen-unfinished",
    "conda-meta/.envgen-lock",
    "con\u200cda-meta/x.json",
]
WRONG_TYPES = [None, 1, ["a"], b"a"]


@pytest.mark.parametrize("path", ALLOWED)
def test_a_plain_path_is_returned_as_it_is(path: str) -> None:
    assert parse_prefix_path(path) == path
    check_prefix_paths(["first", path, "last"])


@pytest.mark.parametrize("path", [*ESCAPES, *UNCLEAN, *CONTROL, *DISGUISED, *RESERVED, *WRONG_TYPES])
def test_anything_else_is_refused_and_shown(path: object) -> None:
    with pytest.raises(ValueError, match="expected a") as alone:
        parse_prefix_path(path)
    with pytest.raises(ValueError, match="expected a") as among:
        check_prefix_paths(["first", path, "last"])
    assert repr(path) in str(alone.value)
    assert str(among.value) == str(alone.value)


@pytest.mark.parametrize("path", [*ESCAPES, *UNCLEAN, *CONTROL])
def test_a_tree_of_debian_stays_below_its_root(path: str) -> None:
    with pytest.raises(ValueError, match="expected a"):
        parse_relative_path(path)


def test_names_of_systemd_units_hold_backslashes() -> None:
    assert parse_relative_path("usr/lib/systemd/system/x\\x2dy.slice") == "usr/lib/systemd/system/x\\x2dy.slice"


@pytest.mark.parametrize("name", ["a" * 256, "\N{LATIN SMALL LETTER E WITH ACUTE}" * 128, f"share/{'b' * 300}/c"])
def test_a_name_that_no_file_system_holds_is_refused(name: str) -> None:
    for check in (parse_prefix_path, lambda path: check_prefix_paths(["first", path])):
        with pytest.raises(ValueError, match="expected a path whose parts have at most 255 bytes, got one of"):
            check(name)


def test_the_longest_name_is_allowed() -> None:
    check_prefix_paths(["a" * 255, f"share/{'a' * 255}/{'b' * 255}"])


def test_no_paths_are_fine() -> None:
    check_prefix_paths([])


@pytest.mark.parametrize("name", ["a/b", "..", ".", "", "conda-meta", "a\\b", None])
def test_a_file_name_is_one_part(name: object) -> None:
    with pytest.raises(ValueError, match="expected a"):
        parse_file_name(name)
    assert parse_file_name("spam-1.0-0.conda") == "spam-1.0-0.conda"


def test_folders_above_are_innermost_first() -> None:
    assert list(folders_above("a/b/c")) == ["a/b", "a"]
    assert list(folders_above("a")) == []


def test_folders_are_named_with_the_first_path_below_them() -> None:
    assert folders_of(["a/b/c", "a/d", "e/f", "g"]) == {"a/b": "a/b/c", "a": "a/b/c", "e": "e/f"}
