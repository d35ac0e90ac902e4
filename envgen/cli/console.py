"""The only printer: data on standard output, messages on standard error, progress bars on a terminal only.

Names, messages of servers and fields of locks are foreign: all that is printed goes through `envgen.printable`.
"""

from __future__ import annotations

import functools
import json
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from envgen import ops
from envgen.cli import styles
from envgen.cli.commands import naming
from envgen.cli.every_verb import Verbosity
from envgen.cli.plain_table import plain_table
from envgen.errors import UserError
from envgen.events import NullReporter
from envgen.printable import in_json, message, one_line, visible

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    import rich.console
    from rich import progress as bars

    from envgen.events import Progress
    from envgen.ops import Context


class Console:
    """Standard output, standard error and what the process was given: directory, environment, clock."""

    def __init__(
        self,
        *,
        environment: Mapping[str, str],
        directory: Path,
        now: dt.datetime,
        verbosity: Callable[[], Verbosity] = lambda: Verbosity.NORMAL,
    ) -> None:
        self.environment = environment
        self.has_written = False
        self.directory = directory
        self._now = now
        self._talk = functools.cache(lambda: _standard_error(environment))
        self.environment_name: str | None = None
        self._reporter = TerminalReporter(self._talk, verbosity, self.in_full)

    def context(
        self,
        directory: Path | None = None,
        *,
        anywhere: bool = False,
        no_build: bool = False,
        offline: bool = False,
        bundles: Sequence[Path] = (),
        required: Sequence[Path] = (),
    ) -> Context:
        """Open what the verbs of `envgen.ops` need, as if started in `directory` where that is given.

        Args:
            directory: where.
            anywhere: be content outside a project.
            no_build: run no script of a recipe and no build of a source.
            offline: use what is on this machine alone.
            bundles: to take artifacts from.
            required: public keys of which one must have signed a lock before it is used.
        """
        return ops.open_context(
            directory=directory or self.directory,
            environment=self.environment,
            now=self._now,
            reporter=self._reporter,
            anywhere=anywhere,
            no_build=no_build,
            offline=offline,
            bundles=bundles,
            required=required,
        )

    def in_full(self, text: str, environment: str | None = None) -> str:
        """Name an environment, by default the one that was asked for, in commands if the project has several."""
        environment = environment or self.environment_name
        if environment and "`envgen " in text and len(ops.environment_names(self.directory)) > 1:
            return naming(text, environment)
        return text

    def end(self) -> None:
        """Write no more notes and warnings."""
        self._reporter.end()

    @property
    def today(self) -> dt.date:
        """Return the day on which the process started, in UTC."""
        return self._now.date()

    def say(self, text: str) -> None:
        """Write a line to standard error."""
        self._reporter.say(text)

    def detail(self, text: str) -> None:
        """Write a line to standard error, if details are wanted."""
        self._reporter.detail(text)

    def warn(self, text: str) -> None:
        """Write a warning to standard error."""
        self._reporter.warn(text)

    def data(self, text: str) -> None:
        """Write a result: standard output."""
        self.verbatim(visible(text))

    def lines(self, lines: Iterable[str]) -> None:
        """Write a result, each text as one line: standard output."""
        self.verbatim("\n".join(map(one_line, lines)))

    def verbatim(self, text: str) -> None:
        """Write a file, or what a shell evaluates, as it is: standard output."""
        self.has_written = True
        try:
            sys.stdout.write(text if text.endswith("\n") else text + "\n")
        except BrokenPipeError:
            raise
        except OSError as error:
            raise UserError(f"cannot write to standard output: {error.strerror}") from error

    def json(self, value: Any) -> None:
        """Write a result as JSON: standard output, keys in the order given."""
        self.verbatim(in_json(json.dumps(value, indent=2, ensure_ascii=False)))

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[str]], *, right: Sequence[str] = ()) -> None:
        """Write a table as a result; columns named in `right` are aligned to the right.

        A terminal gets lines that fit, a pipe whole lines, as it has no width.
        """
        lines = [tuple(map(one_line, row)) for row in rows]
        if not sys.stdout.isatty():
            self.data(plain_table(columns, lines, right=right))
            return
        from envgen.cli.terminal_table import print_table  # noqa: PLC0415  imports rich, see `_standard_error`

        print_table(columns, lines, right=right, has_styles=styles.are_wanted(self.environment))


class TerminalReporter:
    """Draws the progress of operations on a terminal; elsewhere writes only notes and warnings.

    Args:
        talk: opens standard error, always the same.
        verbosity: returns how much to tell.
        in_full: completes the commands of a message.
    """

    def __init__(
        self,
        talk: Callable[[], rich.console.Console],
        verbosity: Callable[[], Verbosity],
        in_full: Callable[[str], str],
    ) -> None:
        self._talk = talk
        self._verbosity = verbosity
        self._in_full = in_full
        self._has_ended = False
        self._noted: set[str] = set()
        self._bars: bars.Progress | None = None
        self._open = 0
        self._lock = threading.Lock()

    @contextmanager
    def progress(self, label: str, *, total: int | None, unit: str = "bytes") -> Iterator[Progress]:
        """Open a bar below those that are open already."""
        if not sys.stderr.isatty() or self._verbosity() < Verbosity.NORMAL:  # see `_standard_error`
            with NullReporter().progress(label, total=total, unit=unit) as bar:
                yield bar
            return
        shown = self._start()
        task = shown.add_task(one_line(label), total=total, unit=unit, visible=total != 0)
        try:
            yield _TerminalBar(shown, task)
        finally:
            shown.remove_task(task)
            self._stop()

    def note(self, text: str) -> None:
        """Write a note: what a user may want to know; once, though several environments may be told it."""
        if text not in self._noted:
            self._noted.add(text)
            self.say(text)

    def say(self, text: str) -> None:
        """Write what a verb did."""
        if self._verbosity() >= Verbosity.NORMAL:
            self._write(text)

    def running(self, text: str) -> None:
        """Write which code runs, however little is to be told."""
        self._write(text)

    def detail(self, text: str) -> None:
        """Write what few want to know."""
        if self._verbosity() >= Verbosity.VERBOSE:
            self._write(text)

    def end(self) -> None:
        """Write nothing more: a thread that still asks a server must not speak after the verdict."""
        self._has_ended = True

    def _write(self, text: str) -> None:
        if self._has_ended:
            return
        text = self._in_full(text)
        if self._bars is None and not sys.stderr.isatty():
            sys.stderr.write(f"{message(text)}\n")  # without rich; see `_standard_error`
            return
        self._talk().print(message(text), markup=False, soft_wrap=True)

    def warn(self, text: str) -> None:
        """Write a warning: what a user may want to change."""
        from rich.markup import escape  # noqa: PLC0415  see `_standard_error`

        if self._has_ended:
            return
        self._talk().print(f"[yellow bold]warning[/]: {escape(message(self._in_full(text)))}", soft_wrap=True)

    def _start(self) -> bars.Progress:
        with self._lock:
            if self._bars is None:
                from envgen.cli.bars import new_bars  # noqa: PLC0415  see `_standard_error`

                self._bars = new_bars(self._talk())
                self._bars.start()
            self._open += 1
            return self._bars

    def _stop(self) -> None:
        with self._lock:
            self._open -= 1
            if self._open == 0 and self._bars is not None:
                self._bars.stop()
                self._bars = None


class _TerminalBar:
    """One bar; rich's own lock makes it safe from any thread."""

    def __init__(self, shown: bars.Progress, task: bars.TaskID) -> None:
        self._shown = shown
        self._task = task

    def advance(self, amount: int) -> None:
        self._shown.update(self._task, advance=amount, visible=True)  # also where nothing was expected

    def describe(self, label: str) -> None:
        self._shown.update(self._task, description=one_line(label))


def _standard_error(environment: Mapping[str, str]) -> rich.console.Console:
    """Open standard error; rich takes 50 ms to import, which verbs that answer in a few lines can do without."""
    import rich.console  # noqa: PLC0415

    return rich.console.Console(
        stderr=True, highlight=False, color_system="auto" if styles.are_wanted(environment) else None
    )
