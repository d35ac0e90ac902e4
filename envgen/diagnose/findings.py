"""What a look at a machine finds, one thing at a time."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class Level(StrEnum):
    """How bad it is: a problem keeps the lock from working, a note costs something, the rest is fine."""

    OK = "ok"
    NOTE = "note"
    PROBLEM = "problem"


class Finding(Struct, frozen=True, kw_only=True):
    """One thing that was looked at, and what to do about it where there is something to do."""

    level: Level
    subject: str
    what: str
    remedy: str | None = None


def fine(subject: str, what: str) -> Finding:
    """Return a finding of something that is as it should be."""
    return Finding(level=Level.OK, subject=subject, what=what)


def note(subject: str, what: str, remedy: str | None = None) -> Finding:
    """Return a finding of something that limits what works."""
    return Finding(level=Level.NOTE, subject=subject, what=what, remedy=remedy)


def problem(subject: str, what: str, remedy: str) -> Finding:
    """Return a finding of something that keeps the lock from working."""
    return Finding(level=Level.PROBLEM, subject=subject, what=what, remedy=remedy)
