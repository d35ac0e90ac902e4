"""Plain words: the first words of docstrings, and words that messages and pages avoid. Read from the source."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

import pytest

from tests.command import REPOSITORY
from tests.test_message_style import BANNED, modules
from tests.test_pages import PAGES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FIRST = {
    *("Be", "Become", "Claim", "Each", "Everything", "Forget", "Give", "Go"),
    *("Hand", "Have", "How", "Its", "Judge", "Know", "Lay", "Let"),
    *("Look", "Never", "Point", "Prove", "Put", "Remember", "Say", "Strike"),
    *("Take", "Tell", "Those", "Throw", "Treat", "Turn", "Want", "What"),
    *("Where", "Whether", "Word"),
}
"""First words of a docstring that puzzle: the reader expects Return, Read, Write, Raise, Build, …"""

HELPERS = sorted((REPOSITORY / "tests").rglob("*.py"))


def documented(path: Path) -> Iterator[tuple[int, str]]:
    """Yield line and docstring of each function that is not a test."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or node.name.startswith("test_"):
            continue
        if text := ast.get_docstring(node):
            yield node.lineno, text


def puzzling(text: str) -> bool:
    """Return whether the first word of a docstring is one that puzzles."""
    first = re.match(r"\w+", text)
    return first is not None and first[0] in FIRST


def prose(page: str) -> str:
    """Return a page as one line, without blocks and without what stands in backticks."""
    plain = re.sub(r"^```.*?^```", "", page, flags=re.DOTALL | re.MULTILINE)
    return " ".join(re.sub(r"`[^`]*`", "", re.sub(r"^    .*$", "", plain, flags=re.MULTILINE)).split())


def test_docstrings_begin_with_a_verb_of_the_field() -> None:
    found = [
        f"{path.relative_to(REPOSITORY)}:{line}: {text.splitlines()[0]}"
        for path in (*modules(), *HELPERS)
        for line, text in documented(path)
        if puzzling(text)
    ]
    assert found == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(REPOSITORY).as_posix())
def test_pages_have_plain_words(page: Path) -> None:
    found = [match[0] for match in BANNED.finditer(prose(page.read_text(encoding="utf-8")))]
    assert found == []


def test_the_tests_find_what_they_look_for() -> None:
    assert sum(1 for _ in documented(REPOSITORY / "envgen/paths.py")) > 1
    assert [word for word in ("Say whether.", "Tell it.", "What it is.") if not puzzling(word)] == []
    assert not puzzling("Return what a lock holds.")
    assert [
        text
        for text in ("`x` is no usable zip", "it is made anew", "whoever reads it", "what is there is what was said")
        if not BANNED.search(text)
    ] == []
    plain = ("there is no lock for `x`", "it is no longer needed", "whatever the umask", "a mode that is not theirs")
    assert [text for text in plain if BANNED.search(text)] == []
    assert prose("a `whoever`\n```sh\nwhoever\n```\nb") == "a b"
