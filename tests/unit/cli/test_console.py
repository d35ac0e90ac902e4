"""Tables: whole lines for pipes, words kept together on a terminal."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING

import pytest

from envgen.cli.console import Console
from envgen.cli.sizes import counted

if TYPE_CHECKING:
    from pathlib import Path

WORDS = "one two three four five six seven eight nine ten eleven twelve thirteen"


@pytest.fixture
def console(tmp_path: Path) -> Console:
    return Console(environment={}, directory=tmp_path, now=dt.datetime(2026, 1, 1, tzinfo=dt.UTC))


def table(console: Console) -> None:
    console.table(("name", "licence", "size"), [("a-rather-long-name", WORDS * 5, "1"), ("b", "MIT", "2")])


def test_a_pipe_gets_whole_lines_without_trailing_blanks(console: Console, capsys: pytest.CaptureFixture[str]) -> None:
    table(console)
    lines = capsys.readouterr().out.splitlines()
    assert any(WORDS * 5 in line for line in lines)
    assert [line for line in lines if line != line.rstrip()] == []


def test_a_terminal_gets_lines_that_fit(
    console: Console, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("TERM", "xterm")
    table(console)
    out = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
    assert max(map(len, out.splitlines())) <= 60
    assert "a-rather-long-name" in out
    assert set(out.split()) >= {"twelve", "thirteenone"}


@pytest.mark.parametrize(("count", "text"), [(0, "0 files"), (1, "1 file"), (2, "2 files")])
def test_counted(count: int, text: str) -> None:
    assert counted(count, "file") == text
