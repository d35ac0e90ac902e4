"""Files that users name: regular ones appear whole, links stay links, pipes and devices are written to."""

from __future__ import annotations

import os
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from envgen.errors import UserError
from envgen.system.fs import atomic_write
from envgen.system.output_file import write_output

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_in_a_new_folder(tmp_path: Path) -> None:
    write_output(tmp_path / "a/b.html", "text")
    assert (tmp_path / "a/b.html").read_text() == "text"


def test_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("old")
    (tmp_path / "link").symlink_to("target")
    write_output(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_text() == "new"


def test_a_pipe_is_written_to_and_stays(tmp_path: Path) -> None:
    pipe, came = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = Thread(target=lambda: came.append(pipe.read_text()))
    reader.start()
    write_output(pipe, "text")
    reader.join(10)
    assert (came, pipe.is_fifo()) == (["text"], True)


def test_a_link_to_a_device_stays_and_what_the_device_says_is_told(tmp_path: Path) -> None:
    (tmp_path / "null").symlink_to("/dev/null")
    (tmp_path / "full").symlink_to("/dev/full")
    write_output(tmp_path / "null", "text")
    with pytest.raises(UserError, match="No space left on device"):
        write_output(tmp_path / "full", "text")
    assert (tmp_path / "null").is_symlink()


def test_nothing_else_replaces_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UserError, match="is not a regular file"):
        atomic_write(tmp_path / "pipe", "text")
    assert [file.name for file in tmp_path.iterdir()] == ["pipe"]
