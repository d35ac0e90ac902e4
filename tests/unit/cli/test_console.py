"""Tables: whole lines for pipes, words kept together on a terminal."""

from __future__ import annotations

import datetime as dt
import json
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


EVIL = "\x1b]0;x\x07\x9b\u202e"
SHOWN = r"\x1b]0;x\x07\x9b\u202e"


def test_everything_printed_is_filtered(console: Console, capsys: pytest.CaptureFixture[str]) -> None:
    reporter = console.context(anywhere=True).reporter
    reporter.note(f"note {EVIL}")
    reporter.warn(f"warn {EVIL}\nerror: x")
    console.say(f"say {EVIL}\nerror: x")
    console.data(f"data {EVIL}")
    console.lines([f"line {EVIL}\nerror: x"])
    console.table(("a", "b"), [(f"cell {EVIL}\nerror: x", "")])
    console.json({EVIL: [EVIL]})
    out, err = capsys.readouterr()
    assert not set(EVIL) & set("\x1b\x07\x9b\u202e") & set(out + err)
    assert not [line for line in (out + err).splitlines() if line.startswith("error:")]
    assert all(f"{word} {SHOWN}" in err for word in ("note", "warning: warn"[9:], "say"))
    assert all(f"{word} {SHOWN}" in out for word in ("data", "line", "cell"))
    assert json.loads(out[out.index("{") :]) == {EVIL: [EVIL]}


def test_a_label_of_a_bar_is_filtered(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    labels: list[str] = []

    def add_task(_shown: object, label: str, **_: object) -> int:
        labels.append(label)
        return 0

    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setattr("rich.progress.Progress.add_task", add_task)
    monkeypatch.setattr("rich.progress.Progress.update", lambda self, _task, *, description: labels.append(description))
    monkeypatch.setattr("rich.progress.Progress.remove_task", lambda self, _task: None)
    with console.context(anywhere=True).reporter.progress(f"a {EVIL}", total=None) as bar:
        bar.describe(f"b {EVIL}\n")
    assert labels == [f"a {SHOWN}", f"b {SHOWN}\\n"]


@pytest.mark.parametrize(
    ("total", "amounts", "visible"), [(0, (), False), (0, (5,), True), (None, (), True), (5, (), True)]
)
def test_a_bar_of_nothing_is_not_shown(
    total: int | None, amounts: tuple[int, ...], visible: bool, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bool] = []
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setattr(
        "rich.progress.Progress.remove_task", lambda self, task: seen.append(self.tasks[int(task)].visible)
    )
    with console.context(anywhere=True).reporter.progress("downloading", total=total) as bar:
        for amount in amounts:
            bar.advance(amount)
    assert seen == [visible]


@pytest.mark.parametrize("width", [50, 30])
def test_a_terminal_that_is_too_narrow_gets_records(
    console: Console, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "dumb")
    console.table(
        ("name", "state", "size", "prefix"),
        [("環境-with-a-long-name", "lock is gone", "8.9 GB", "/a/path"), ("", "", "1 B", f"{WORDS}")],
    )
    lines = capsys.readouterr().out.splitlines()
    assert lines[:5] == [
        "環境-with-a-long-name",
        "  state   lock is gone",
        "  size    8.9 GB",
        "  prefix  /a/path",
        "-",
    ]
    assert lines[5] == "  size    1 B"
    assert max(map(len, lines)) <= width
    assert " ".join(line.strip().removeprefix("prefix  ") for line in lines[6:]) == WORDS


def test_no_column_of_a_terminal_is_cut(
    console: Console, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cells = (
        "a-name-of-twenty-two-x",
        "up to date",
        "8.9 GB",
        "15.8 MB",
        "/a/long/path/to/a/lock/file/in/a/project.yml",
    )
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    for width in range(30, 130, 10):
        monkeypatch.setenv("COLUMNS", str(width))
        console.table(("name", "state", "size", "freed by removal", "lock"), [cells])
        out = re.sub(r"\x1b\[[0-9;]*m|─", "", capsys.readouterr().out)
        assert all(word in out for word in cells[:4]), width
        assert cells[4] in re.sub(r"\s", "", out), width


def test_a_note_is_written_once(console: Console, capsys: pytest.CaptureFixture[str]) -> None:
    reporter = console.context(anywhere=True).reporter
    for _ in range(2):
        reporter.note("note")
        console.say("done")
    assert capsys.readouterr().err == "note\ndone\ndone\n"


def test_nothing_is_said_after_the_end(console: Console, capsys: pytest.CaptureFixture[str]) -> None:
    reporter = console.context(anywhere=True).reporter
    reporter.note("before")
    console.end()
    reporter.note("after")
    reporter.warn("after")
    assert capsys.readouterr().err == "before\n"
