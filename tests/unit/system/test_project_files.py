"""Which files of a folder belong to a project."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from envgen.errors import ArtifactError, UserError
from envgen.system.project_files import project_files, uncommitted, untracked

if TYPE_CHECKING:
    from pathlib import Path

AS = ["-c", "user.name=x", "-c", "user.email=x@y", "-c", "protocol.file.allow=always"]


@pytest.fixture
def variables(tmp_path: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": str(tmp_path / "home"), "GIT_CEILING_DIRECTORIES": str(tmp_path)}


def git(folder: Path, *words: str) -> None:
    subprocess.run(["git", *AS, *words], cwd=folder, check=True, capture_output=True)


def fill(folder: Path, *paths: str) -> Path:
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(path)
    return folder


def repository(folder: Path, *paths: str) -> Path:
    fill(folder, *paths)
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message=x")
    return folder


def test_git_decides(tmp_path: Path, variables: dict[str, str]) -> None:
    folder = repository(tmp_path / "a", "lib/x.py", "lib/.hidden", "lib/build/y.py", "lib/gone.py")
    fill(folder, "lib/new.py", "lib/ignored.o", ".gitignore")
    (folder / ".gitignore").write_text("*.o\n")
    (folder / "lib/gone.py").unlink()
    assert project_files(folder / "lib", variables) == (".hidden", "build/y.py", "x.py")
    assert untracked(folder / "lib", variables) == ("new.py",)
    assert uncommitted(folder / "lib", variables) == ("lib/gone.py", "lib/new.py")


def test_outside_git_hidden_files_and_build_outputs_do_not_count(tmp_path: Path, variables: dict[str, str]) -> None:
    folder = fill(tmp_path / "a", "x.py", ".hidden", "build/y.py", "a.egg-info/PKG-INFO", "b/__pycache__/x.pyc")
    assert project_files(folder, variables) == ("x.py",)
    assert untracked(folder, variables) == ()


def test_files_of_submodules_count(tmp_path: Path, variables: dict[str, str]) -> None:
    repository(tmp_path / "inner", "deep/y.py")
    folder = repository(tmp_path / "a", "lib/x.py")
    git(folder, "submodule", "--quiet", "add", str(tmp_path / "inner"), "lib/vendor")
    assert project_files(folder / "lib", variables) == ("vendor/deep/y.py", "x.py")
    git(folder, "submodule", "--quiet", "deinit", "--force", "lib/vendor")
    with pytest.raises(UserError, match="the git submodule `lib/vendor` is not checked out"):
        project_files(folder / "lib", variables)


def test_a_folder_without_tracked_files_is_refused(tmp_path: Path, variables: dict[str, str]) -> None:
    folder = repository(tmp_path / "a", "x.py")
    fill(folder, "lib/y.py")
    with pytest.raises(UserError, match="git tracks no file in `lib`"):
        project_files(folder / "lib", variables)


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path, variables: dict[str, str]) -> None:
    folder = fill(tmp_path / "a", "lib/x.py", "y.py")
    (folder / "lib/link").symlink_to("../y.py")
    with pytest.raises(ArtifactError, match="`lib/link` is a symbolic link out of the project"):
        project_files(folder / "lib", variables)
