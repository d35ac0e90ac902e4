"""Tests have no home but those that they make."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.home import MACHINE_HOME, NO_HOME, fill_home


def test_nothing_can_be_written_to_the_home_of_tests() -> None:
    assert Path.home() == NO_HOME
    with pytest.raises(NotADirectoryError):
        (Path.home() / ".conda").mkdir(parents=True)


def test_no_variable_names_another_folder_of_the_user() -> None:
    assert [name for name in os.environ if name.startswith("XDG_")] == []


def test_a_home_for_tests_of_the_machine_knows_its_registries_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, own = tmp_path / "real", tmp_path / "own"
    for name in (".netrc", ".config/pip/pip.conf", ".conda/environments.txt"):
        (real / name).parent.mkdir(parents=True, exist_ok=True)
        (real / name).write_text(name)
    own.mkdir()
    monkeypatch.setenv(MACHINE_HOME, str(real))
    fill_home(own)
    assert {str(path.relative_to(own)) for path in own.rglob("*") if path.is_file()} == {
        ".netrc",
        ".config/pip/pip.conf",
    }
