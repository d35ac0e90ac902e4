"""`-v` and `-q`: the same two options for `envgen` and for every verb."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

import pytest

from envgen.cli import every_verb, group
from envgen.cli.console import TerminalReporter, _standard_error

if TYPE_CHECKING:
    from collections.abc import Iterator

    import click

    from tests.command import Command, Project

SECRET = "hunter2"  # noqa: S105  the password of nobody


def commands() -> Iterator[tuple[str, ...]]:
    """Yield the words of every command, those of groups below it as well."""
    for verb in group._VERBS:
        yield (verb,)
        command: click.Command = importlib.import_module(f"envgen.cli.{verb.replace('-', '_')}").command
        yield from ((verb, below) for below in getattr(command, "commands", {}))


@pytest.mark.parametrize("words", [(), *commands()], ids=" ".join)
def test_every_command_has_the_same_options_once(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):  # commands are objects that live as long as the process
        capsys.readouterr()
        assert group.invoke([*words, "--help"]) == 0
    text = capsys.readouterr().out
    found = [[line.split()[:2] for line in text.splitlines() if f" {name}  " in f"{line}  "] for name in NAMES]
    assert found == [[["-v,", "--verbose"]], [["-q,", "--quiet"]], [["-h,", "--help"]]]
    assert "show this help and exit" in text


NAMES = ("--verbose", "--quiet", "--help")


@pytest.mark.parametrize("words", [("-q", "lock"), ("lock", "-q"), ("lock", "--quiet")])
def test_quiet_says_nothing(demo: Project, cli: Command, words: tuple[str, ...]) -> None:
    done = cli(*words).succeeded()
    assert (done.out, done.err) == ("", "")
    assert demo.locks()


def test_quiet_keeps_data_and_errors(locked: Project, cli: Command) -> None:
    loud, quiet = cli("list"), cli("list", "-q")
    assert "demo for linux-64" in loud.err
    assert (quiet.out, quiet.err) == (loud.out, "")
    locked.spec(
        "demo",
        "python: '3.11'\nplatforms: {linux-64: {glibc: '2.36'}}\ndependencies: [python]\npypi: [nowhere-at-all]\n",
    )
    failed = cli("lock", "-q")
    assert failed.code == 3
    assert failed.err.startswith("error: ")
    assert "\nhint: " in failed.err


def test_quiet_keeps_warnings_and_what_runs(capsys: pytest.CaptureFixture[str]) -> None:
    reporter = _reporter(every_verb.Verbosity.QUIET)
    reporter.note("a note")
    reporter.detail("a detail")
    reporter.running("running the script of recipe `x`")
    reporter.warn("this is old")
    assert capsys.readouterr().err.splitlines() == ["running the script of recipe `x`", "warning: this is old"]


def test_verbose_shows_what_was_asked_cached_and_decided(demo: Project, cli: Command) -> None:
    first = cli("lock", "-v").succeeded().err
    assert f"the project is `{demo.root}`" in first
    assert "the cache is `" in first
    assert "${ENVGEN_PYPI} is http://127.0.0.1:" in first
    assert "/spam/: 200" in first
    again = cli("lock", "-v", "--refresh").succeeded().err
    assert "/spam/: 304" in again
    demo.spec("demo", "python: '3.11'\nplatforms: {linux-64: {glibc: '2.36'}}\ndependencies: [python]\npypi: [eggs]\n")
    assert "locks/demo.linux-64.conda-lock.yml: " in cli("lock", "-v").succeeded().err


def test_verbose_shows_the_state_of_each_package(locked: Project, cli: Command) -> None:
    cold = cli("create", "-v", "--dry-run").succeeded().err
    assert "  spam 1.0: to convert, to link" in cold
    cli("create").succeeded()
    assert "  spam 1.0: unchanged" in cli("-v", "create").succeeded().err


def test_verbose_shows_no_login(demo: Project, cli: Command) -> None:
    address = cli.variables["ENVGEN_PYPI"].replace("://", f"://me:{SECRET}@")
    said = cli("lock", "-v", ENVGEN_PYPI=address).succeeded().err
    assert "/spam/: 200" in said
    assert SECRET not in said


@pytest.mark.parametrize("words", [("-q", "list", "-v"), ("list", "-qv"), ("-v", "list", "--quiet")])
def test_they_cannot_be_combined(demo: Project, cli: Command, words: tuple[str, ...]) -> None:
    done = cli(*words)
    assert done.code == 2
    assert done.err.startswith("error: `--verbose` and `--quiet` cannot be combined\nhint: ")


def _reporter(verbosity: every_verb.Verbosity) -> TerminalReporter:
    return TerminalReporter(lambda: _standard_error({}), lambda: verbosity, str)
