"""The list of environments that conda reads."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from envgen.create.register import register
from envgen.events import NullReporter


class Listener(NullReporter):
    """Keeps warnings."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, text: str) -> None:
        self.warnings.append(text)


def add(home: Path, prefix: str) -> None:
    register(Path(prefix), home=home, reporter=NullReporter())


@pytest.mark.parametrize("before", [None, "", "/other\n", "/other", "/gone\n/other\n"])
def test_a_line_is_added_once_and_others_stay(tmp_path: Path, before: str | None) -> None:
    listing = tmp_path / ".conda/environments.txt"
    if before is not None:
        listing.parent.mkdir()
        listing.write_text(before)
    add(tmp_path, "/envs/one")
    add(tmp_path, "/envs/one")
    assert listing.read_text().splitlines() == [*(before or "").splitlines(), "/envs/one"]
    assert listing.read_text().endswith("\n")


def test_many_at_once_lose_nothing(tmp_path: Path) -> None:
    names = [f"/envs/{number}" for number in range(20)]
    threads = [threading.Thread(target=add, args=(tmp_path, name)) for name in names * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted((tmp_path / ".conda/environments.txt").read_text().splitlines()) == sorted(names)


def test_a_list_that_cannot_be_written_is_told_and_no_error(tmp_path: Path) -> None:
    (tmp_path / ".conda").touch()
    listener = Listener()
    register(Path("/envs/one"), home=tmp_path, reporter=listener)
    assert len(listener.warnings) == 1
    assert "failed to add `/envs/one` to" in listener.warnings[0]
