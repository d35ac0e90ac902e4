"""Which program `envgen run` starts, and what it refuses to take from elsewhere."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from envgen.create.programs import check_program, own_folder, without_own
from envgen.errors import NoProgramError
from envgen.events import NullReporter

if TYPE_CHECKING:
    from pathlib import Path


class Notes(NullReporter):
    """Remembers notes."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def note(self, text: str) -> None:
        """Record a note."""
        self.said.append(text)


def program(folder: Path, name: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    prefix = tmp_path / "envs/demo"
    for name in ("python", "tool"):
        program(prefix / "bin", name)
    (prefix / "conda-meta").mkdir()
    (prefix / "conda-meta/history").touch()
    (prefix / "conda-meta/python-3.11.2-0.json").write_text(json.dumps({}))
    return prefix


def check(prefix: Path, name: str, *folders: Path) -> list[str]:
    path = ":".join(map(str, (prefix / "bin", *folders)))
    notes = Notes()
    check_program(name, {"PATH": path}, prefix=prefix, own=prefix.parent / "own", reporter=notes)
    return notes.said


def test_what_the_environment_has_is_run_without_a_word(prefix: Path, tmp_path: Path) -> None:
    program(tmp_path / "host", "tool")
    assert check(prefix, "tool", tmp_path / "host") == []
    assert check(prefix, "python3" if (prefix / "bin/python3").exists() else "python", tmp_path / "host") == []


def test_what_only_the_machine_has_is_told(prefix: Path, tmp_path: Path) -> None:
    other = program(tmp_path / "host", "other")
    assert check(prefix, "other", tmp_path / "host") == [f"`other` is not in the environment: running `{other}`"]
    assert check(prefix, str(other)) == []


@pytest.mark.parametrize("name", ["pip", "pip3", "pip3.11", "python3", "python3.12"])
def test_python_and_pip_never_come_from_elsewhere(name: str, prefix: Path, tmp_path: Path) -> None:
    program(tmp_path / "host", name)
    with pytest.raises(NoProgramError, match="belongs to another Python and is not used") as caught:
        check(prefix, name, tmp_path / "host")
    assert caught.value.exit_code == 127
    with pytest.raises(NoProgramError, match="not in the environment"):
        check(prefix, name)


@pytest.mark.parametrize("how", ["missing", "dangling"])
def test_an_environment_without_its_python_runs_nothing(how: str, prefix: Path) -> None:
    (prefix / "bin/python").unlink()
    if how == "dangling":
        (prefix / "bin/python").symlink_to("../opt/gone")
    with pytest.raises(NoProgramError, match="is damaged: `bin/python` is missing"):
        check(prefix, "tool")


def test_an_environment_of_tools_alone_needs_no_python(prefix: Path) -> None:
    (prefix / "bin/python").unlink()
    (prefix / "conda-meta/python-3.11.2-0.json").rename(prefix / "conda-meta/python-dateutil-2.9-0.json")
    assert check(prefix, "tool") == []


def test_a_program_beside_envgen_is_named_and_not_used(prefix: Path) -> None:
    beside = program(prefix.parent / "own", "ruff")
    with pytest.raises(NoProgramError) as caught:
        check(prefix, "ruff")
    assert caught.value.hint
    assert str(beside) in caught.value.hint


def test_the_path_of_the_program_lacks_envgens_own_folder_by_any_name(prefix: Path, tmp_path: Path) -> None:
    own = tmp_path / "tools/bin"
    own.mkdir(parents=True)
    (tmp_path / "alias").symlink_to(own)
    path = f"/usr/bin:{own}:/bin:{own}/:{tmp_path}/alias"
    given = {"PATH": path, "VIRTUAL_ENV": str(own.parent), "HOME": "/home/me"}
    assert without_own(given, prefix=prefix, own=own) == {"PATH": "/usr/bin:/bin", "HOME": "/home/me"}


def test_folders_of_the_system_and_of_the_environment_stay(prefix: Path, tmp_path: Path) -> None:
    for own in ("/usr/bin", str(prefix / "bin")):
        path = f"{own}:/bin"
        assert without_own({"PATH": path}, prefix=prefix, own=type(prefix)(own)) == {"PATH": path}
    assert without_own({}, prefix=prefix, own=tmp_path) == {}


def test_own_folder_has_the_running_python() -> None:
    assert any(name.startswith("python") for name in os.listdir(own_folder()))  # noqa: PTH208  names only
