from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from envgen.errors import UserError
from envgen.system.home import NO_HOME, cache_home, expand, find_home

NOBODY_HAS = 3_999_999_999
"""A user id without an account."""


def test_home_is_the_variable_else_the_account() -> None:
    account = Path(pwd.getpwuid(os.getuid()).pw_dir)
    assert find_home({"HOME": "/home/me"}, NOBODY_HAS) == Path("/home/me")
    for environment in ({}, {"HOME": ""}, {"HOME": "."}, {"HOME": "me"}):
        assert find_home(environment, os.getuid()) == account
        assert find_home(environment, NOBODY_HAS) == NO_HOME


def test_nothing_can_be_made_in_no_home() -> None:
    assert not (NO_HOME / ".netrc").is_file()
    with pytest.raises(OSError, match="Not a directory"):
        (NO_HOME / ".cache").mkdir(parents=True)


@pytest.mark.parametrize("variable", ["", "cache", "./cache"])
def test_a_cache_never_lies_in_the_working_directory(variable: str) -> None:
    assert cache_home({"XDG_CACHE_HOME": variable}, Path("/home/me")) == Path("/home/me/.cache")
    with pytest.raises(UserError, match="no folder for envgen's cache") as caught:
        cache_home({"XDG_CACHE_HOME": variable}, NO_HOME)
    assert caught.value.hint == "set ENVGEN_CACHE or HOME to a writable folder"
    assert cache_home({"XDG_CACHE_HOME": "/var/cache"}, NO_HOME) == Path("/var/cache")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("~", "/h"), ("~/a/b", "/h/a/b"), ("a/~", "a/~"), ("~nobody-at-all/a", "~nobody-at-all/a"), ("/a", "/a")],
)
def test_tilde(text: str, expected: str) -> None:
    assert expand(text, Path("/h")) == expand(Path(text), Path("/h")) == Path(expected)
