"""The cache that all sets share, the cells that tests fill in, and the table at the end."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from envgen.system.fs import remove_tree
from tests.stacks.table import PROPERTY, markdown
from tests.stacks.workshop import Workshop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.stacks.table import Cell


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    """Make a place that goes away with everything in it, other than a cache that the caller names."""
    place = tmp_path_factory.mktemp("stacks")
    given = os.environ.get("ENVGEN_STACKS_CACHE")
    yield Workshop(place=place, cache=Path(given).absolute() if given else place / "cache", keep=bool(given))
    remove_tree(place)


@pytest.fixture
def note(record_property: Callable[[str, object], None]) -> Callable[[str, str, str, object], None]:
    """Write a text into the table: set, platform, column, text."""
    return lambda *cell: record_property(PROPERTY, [str(part) for part in cell])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table, and write it where `ENVGEN_STACKS_TABLE` says."""
    cells = list(_cells(terminalreporter))
    if not cells:
        return
    table = markdown(cells)
    terminalreporter.section("stacks beside uv")
    terminalreporter.write(table)
    if path := os.environ.get("ENVGEN_STACKS_TABLE"):
        Path(path).write_text(table, encoding="utf-8")


def _cells(reporter: pytest.TerminalReporter) -> Iterator[Cell]:
    for outcome in ("passed", "failed"):
        for report in reporter.stats.get(outcome, ()):
            yield from (tuple(value) for name, value in getattr(report, "user_properties", ()) if name == PROPERTY)
