"""A package that is not the newest, or was not when it was chosen: as JSON and in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from envgen.records import Older


def older_json(older: Older) -> dict[str, Any]:
    """Return the facts of a package that is not the newest: what is locked, what is newer, and why that is not."""
    return {
        "name": older.project,
        "locked": older.chosen,
        "newest": older.newest,
        "line": older.line,
        "why": older.why,
        "limit": older.limit,
        "days": older.days,
    }


def in_words(older: Older) -> str:
    """Render for people that a package was not the newest when it was chosen, and why."""
    newest = f"{older.newest} was the newest that `{older.line}` allows" if older.line else f"{older.newest} was newer"
    return f"when {older.chosen} was locked, {newest}: {older.why}"
