"""What a stage tells while it works: libraries never print, they call a `Reporter`."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator


class Progress(Protocol):
    """One bar: advance it by what was done since the last call. Safe to call from any thread."""

    def advance(self, amount: int) -> None:
        """Move the bar by `amount` units (bytes or items, as the bar was opened)."""

    def describe(self, label: str) -> None:
        """Change what the bar says it is doing."""


class Reporter(Protocol):
    """Receives progress and remarks of a running operation."""

    @contextmanager
    def progress(self, label: str, *, total: int | None, unit: str = "bytes") -> Iterator[Progress]:
        """Open a bar of `total` units (`bytes` or a countable noun); `None` where the total is unknown."""

    def note(self, text: str) -> None:
        """Report something that the user wants to know but need not act on."""

    def warn(self, text: str) -> None:
        """Report something that the user should look at."""

    def running(self, text: str) -> None:
        """Report that code of a recipe, source or package runs now; also told where notes are not."""

    def detail(self, text: str) -> None:
        """Report what was asked, found in the cache or decided, for those who want to follow the run."""


class _Silent:
    def advance(self, amount: int) -> None:
        """Do nothing."""

    def describe(self, label: str) -> None:
        """Do nothing."""


class NullReporter:
    """The default: says nothing."""

    @contextmanager
    def progress(self, label: str, *, total: int | None, unit: str = "bytes") -> Iterator[Progress]:  # noqa: ARG002
        """Yield a bar that nobody sees."""
        yield _Silent()

    def note(self, text: str) -> None:
        """Do nothing."""

    def warn(self, text: str) -> None:
        """Do nothing."""

    def running(self, text: str) -> None:
        """Handle it as a note."""
        self.note(text)

    def detail(self, text: str) -> None:
        """Do nothing."""


class MutedReporter(NullReporter):
    """Passes on progress, details, and which code runs; other texts are about what is not going to be done."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter

    @contextmanager
    def progress(self, label: str, *, total: int | None, unit: str = "bytes") -> Iterator[Progress]:
        """Open a bar of the other reporter."""
        with self._reporter.progress(label, total=total, unit=unit) as bar:
            yield bar

    def running(self, text: str) -> None:
        """Forward it."""
        self._reporter.running(text)

    def detail(self, text: str) -> None:
        """Forward it."""
        self._reporter.detail(text)
