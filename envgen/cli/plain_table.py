"""A table for a pipe or a file: whole lines, without rich, which takes longer than all else that `envgen list` does."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

GAP = "   "
_RULE = "─"


def plain_table(columns: Sequence[str], lines: Sequence[Sequence[str]], *, right: Collection[str] = ()) -> str:
    """Render a table as rich would without a limit of width, less the blanks at the ends of its lines.

    Args:
        columns: their names.
        lines: cells of one line each.
        right: columns that are aligned to the right.
    """
    widths = [max(map(text_width, cells)) for cells in zip(columns, *lines, strict=True)]
    rows = [
        GAP.join(
            " " * (width - text_width(cell)) + cell if column in right else cell + " " * (width - text_width(cell))
            for column, cell, width in zip(columns, line, widths, strict=True)
        )
        for line in (columns, *lines)
    ]
    rule = _RULE * (sum(widths) + len(GAP) * (len(widths) - 1))
    return "\n".join(["", *(f" {row}".rstrip() for row in (rows[0], rule, *rows[1:])), ""])


def text_width(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len  # noqa: PLC0415  see above

    return cell_len(text)
