"""A table on a terminal: no wider than the terminal, and one record below the other where that cannot hold it."""

from __future__ import annotations

import shutil
import textwrap
from typing import TYPE_CHECKING

import rich.box
import rich.console
from rich.table import Table

from envgen.cli.plain_table import GAP, text_width

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

_EDGES = 2
"""Columns of the terminal that rich leaves free left and right of a table."""

_LEAST = 20
"""Columns that the widest cells need: with fewer, most versions, names and paths would be cut."""


def print_table(
    columns: Sequence[str], lines: Sequence[Sequence[str]], *, right: Collection[str] = (), has_styles: bool = True
) -> None:
    """Print a table whose widest column is wrapped, or records if even that leaves no room for it.

    Args:
        columns: their names.
        lines: cells of one line each.
        right: columns that are aligned to the right.
        has_styles: whether the names of columns may be bold.
    """
    width = shutil.get_terminal_size().columns  # rich takes every dumb terminal to have 80
    out = rich.console.Console(highlight=False, width=width, color_system="auto" if has_styles else None)
    widths = [max(map(text_width, cells)) for cells in zip(columns, *lines, strict=True)]
    widest = widths.index(max(widths))
    room = width - _EDGES - len(GAP) * (len(widths) - 1) - sum(widths) + widths[widest]
    if room < min(_LEAST, widths[widest]):
        out.print("\n".join(_records(columns, lines, width)), markup=False, soft_wrap=True)
        return
    table = Table(box=rich.box.SIMPLE_HEAD, pad_edge=False)
    for number, column in enumerate(columns):
        table.add_column(
            column, justify="right" if column in right else "left", overflow="fold", no_wrap=number != widest
        )
    for line in lines:
        table.add_row(*line)
    out.print(table, markup=False)


def _records(columns: Sequence[str], lines: Sequence[Sequence[str]], width: int) -> Iterator[str]:
    """Yield the lines of one record for each row: the first cell as its title, then each cell with its column."""
    longest = max(map(text_width, columns[1:]), default=0)
    for title, *cells in lines:
        yield title or "-"
        for column, cell in zip(columns[1:], cells, strict=True):
            if cell:
                yield from _field(f"  {column}{' ' * (longest - text_width(column))}  ", cell, width)


def _field(label: str, cell: str, width: int) -> list[str]:
    """Wrap a cell at its blanks, beside its label; a word that is too long is left to the terminal."""
    return textwrap.wrap(
        cell,
        max(width, len(label) + _LEAST),
        initial_indent=label,
        subsequent_indent=" " * len(label),
        break_long_words=False,
        break_on_hyphens=False,
    )
