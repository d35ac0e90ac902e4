"""The table of all sets, put together from what each test found out."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

PROPERTY = "stacks-cell"
"""Name under which a test's report carries its cells: so they also arrive from processes of pytest-xdist."""

COLUMNS = ("packages", "MB", "equal to uv", "different (envgen vs uv)", "created", "pip check", "imports")

Cell = tuple[str, str, str, str]
"""Set, platform, column, text."""


def markdown(cells: Iterable[Cell]) -> str:
    """Write a table with a row for each set and platform, in the order of their first cells."""
    rows: dict[tuple[str, str], dict[str, str]] = {}
    for stack, platform, column, text in cells:
        rows.setdefault((stack, platform), {})[column] = " ".join(text.replace("|", r"\|").split())
    lines = [_line("stack", "platform", *COLUMNS), _line(*["---"] * (len(COLUMNS) + 2))]
    lines += [_line(*row, *(found.get(column, "") for column in COLUMNS)) for row, found in sorted(rows.items())]
    return "\n".join(lines) + "\n"


def _line(*texts: str) -> str:
    return f"| {' | '.join(texts)} |"
