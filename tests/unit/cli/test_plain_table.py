from __future__ import annotations

import io

import pytest
import rich.box
import rich.console
from rich.table import Table

from envgen.cli.plain_table import plain_table

TABLES: dict[str, tuple[tuple[str, ...], list[tuple[str, ...]]]] = {
    "one column": (("a",), [("x",), ("long",)]),
    "wide column names": (("a long name", "size"), [("x", "1"), ("", "12345678")]),
    "no rows": (("a", "b"), []),
    "empty names": (("", "b", "c"), [("x", "", ""), ("y", "1", "")]),
    "wide and combining characters": (("name", "size", "e"), [("図", "1", "e\u0301"), ("abc", "23", "ab")]),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_pipe_gets_the_table_of_a_terminal(name: str) -> None:
    columns, rows = TABLES[name]
    table = Table(box=rich.box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, justify="right" if column == "size" else "left")
    for row in rows:
        table.add_row(*row)
    out = io.StringIO()
    rich.console.Console(file=out, width=1000, highlight=False).print(table, markup=False)
    expected = [line.rstrip() for line in out.getvalue().splitlines()]
    assert plain_table(columns, rows, right=("size",)).split("\n") == expected
