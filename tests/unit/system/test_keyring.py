"""The `keyring` program: what it is asked for, and what becomes of its answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from envgen.system.keyring import find_login, parse_login

if TYPE_CHECKING:
    from pathlib import Path

URL = "https://host/simple"


def program(folder: Path, text: str) -> dict[str, str]:
    """Make the program, and return variables with which it is found."""
    (folder / "keyring").write_text(f"#!/bin/sh\n{text}\n")
    (folder / "keyring").chmod(0o755)
    return {"PATH": f"{folder}:/usr/bin:/bin"}


def test_without_the_program() -> None:
    assert find_login(URL, None, environment={"PATH": "/nowhere"}, note=pytest.fail) is None


@pytest.mark.parametrize(
    ("said", "user", "found"),
    [
        ("me\npass word\n", None, ("me", "pass word")),
        ("secret\n", "me", ("me", "secret")),
        ("secret\n", None, None),
        ("", "me", None),
        ("\n\n", None, None),
    ],
)
def test_answers(said: str, user: str | None, found: tuple[str, str] | None) -> None:
    assert parse_login(said, user) == found


def test_asks_for_the_host_where_the_address_has_none(tmp_path: Path) -> None:
    environment = program(tmp_path, f'echo "$@" >> {tmp_path}/log; [ "$2" = host ] && echo secret')
    assert find_login(URL, "me", environment=environment, note=pytest.fail) == ("me", "secret")
    assert (tmp_path / "log").read_text().splitlines() == [f"get {URL} me", "get host me"]


def test_an_old_program_that_knows_no_modes(tmp_path: Path) -> None:
    assert find_login(URL, None, environment=program(tmp_path, "exit 2"), note=pytest.fail) is None


def test_a_program_that_waits_for_somebody(tmp_path: Path) -> None:
    notes: list[str] = []
    environment = program(tmp_path, "exec sleep 60")
    assert find_login(URL, None, environment=environment, note=notes.append, patience=0.2) is None
    assert notes == ["`keyring` did not answer for host within 0.2 s, or cannot start"]


def test_an_answer_that_is_no_text(tmp_path: Path) -> None:
    assert find_login(URL, "me", environment=program(tmp_path, r"printf '\377\n'"), note=pytest.fail) is None
