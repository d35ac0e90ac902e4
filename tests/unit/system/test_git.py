from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from envgen.errors import UserError
from envgen.system.git import Repository

if TYPE_CHECKING:
    from pathlib import Path

ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "GIT_CONFIG_NOSYSTEM": "1",
    **{f"GIT_{who}": "x@example.org" for who in ("AUTHOR_NAME", "AUTHOR_EMAIL", "COMMITTER_NAME", "COMMITTER_EMAIL")},
}


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """Make a project in a folder of a repository, with one commit."""
    project = tmp_path / "project"
    (project / "locks").mkdir(parents=True)
    (project / "locks/a b").write_bytes(b"one\n")
    environment = {**ENVIRONMENT, "HOME": str(tmp_path)}
    for command in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "one"]):
        subprocess.run(["git", *command], cwd=tmp_path, env=environment, check=True)
    return Repository.at(project, environment)


def test_files_are_named_from_the_folder(repository: Repository) -> None:
    (path, thing), *others = repository.files("HEAD", "locks").items()
    assert (path, others) == ("locks/a b", [])
    assert repository.read(thing) == b"one\n"
    assert repository.files("HEAD", "nowhere") == {}


def test_revisions(repository: Repository) -> None:
    commit = repository.resolve("main")
    assert commit is not None
    assert len(commit) == 40
    assert repository.resolve("mian") is None
    assert repository.resolve("--help") is None
    assert repository.names() == ("main",)
    assert repository.merge_base("main", "HEAD") == commit


def test_blob(repository: Repository) -> None:
    assert repository.blob("HEAD:./locks/a b") == b"one\n"
    assert repository.blob("HEAD:./locks/c") is None


def test_three_way(repository: Repository) -> None:
    assert repository.three_way(b"1\n2\n3\n4\n", b"0\n2\n3\n4\n", b"1\n2\n3\n5\n") == b"0\n2\n3\n5\n"
    assert repository.three_way(b"1\n", b"2\n", b"3\n") is None


def test_no_repository(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not in a git repository"):
        Repository.at(tmp_path, {**ENVIRONMENT, "HOME": str(tmp_path), "GIT_CEILING_DIRECTORIES": str(tmp_path.parent)})


def test_no_git(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="failed to start"):
        Repository.at(tmp_path, {"PATH": str(tmp_path)})
