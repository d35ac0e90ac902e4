"""What a person is told while platforms are solved side by side: each thing once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, field

if TYPE_CHECKING:
    from collections.abc import Iterable

    from envgen.events import Reporter
    from envgen.lock.told import Told


class Said(Struct, frozen=True, kw_only=True):
    """Tells what several platforms have to say.

    Attributes:
        reporter: hears it.
        texts: what was said already.
        idle: adjustments that changed nothing, for each platform.
    """

    reporter: Reporter
    texts: set[str] = field(default_factory=set)
    idle: list[frozenset[str]] = field(default_factory=list)

    def warn(self, texts: Iterable[str]) -> None:
        """Warn of what was not said yet."""
        for text in self._new(texts):
            self.reporter.warn(text)

    def note(self, texts: Iterable[str]) -> None:
        """Report what was not reported yet."""
        for text in self._new(texts):
            self.reporter.note(text)

    def repeat(self, told: Told) -> None:
        """Repeat the messages of a lock when it was solved."""
        self.warn(told.warnings)
        self.note(told.notes)
        self.idle.append(frozenset(told.idle))

    def warn_of_idle(self, platforms: int) -> None:
        """Warn of adjustments that changed nothing on any platform, if all `platforms` were asked."""
        if len(self.idle) == platforms:
            for text in sorted(frozenset.intersection(*self.idle)):
                self.reporter.warn(text)

    def _new(self, texts: Iterable[str]) -> list[str]:
        found = [text for text in dict.fromkeys(texts) if text not in self.texts]
        self.texts.update(found)
        return found
