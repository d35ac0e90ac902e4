"""What the pages say of commands, formats and keys is what the code has, and their links lead somewhere."""

from __future__ import annotations

import inspect
import re
import shlex
import tomllib
from typing import TYPE_CHECKING

import click
import pytest

from envgen.cli import group
from envgen.export.formats import FORMATS
from envgen.lock import cep37
from envgen.manifest import debian_parse, debian_texts, image_parse, parse
from envgen.manifest.adjust import ADJUSTMENTS
from tests.command import REPOSITORY
from tests.test_pages import PAGES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PYPROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
TEXTS = {str(page.relative_to(REPOSITORY)): page.read_text(encoding="utf-8") for page in PAGES}
BEFORE = {"$", "run:", "-", "&&", "||", "|", ";", "{", "!"}
"""What may stand before a command in a block."""

_FENCED = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
OPERATOR = re.compile(r"[&|;<>(){}]+")


def blocks(text: str) -> Iterator[str]:
    """Yield fenced and indented blocks, with continued lines joined."""
    plain = text
    for block in re.findall(r"^```[^\n]*\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        plain = plain.replace(block, "")
        yield block.replace("\\\n", " ")
    yield "\n".join(line for line in plain.splitlines() if line.startswith("    ")).replace("\\\n", " ")


def commands(text: str) -> Iterator[tuple[str, ...]]:
    """Yield the arguments of every `envgen` that a block calls."""
    for line in (line for block in blocks(text) for line in block.splitlines()):
        for part in (line, *re.findall(r"\$\(([^()]+)\)", line)):
            yield from _called(part)


def _called(line: str) -> Iterator[tuple[str, ...]]:
    if "envgen" not in line:
        return
    try:
        words = _words(line)
    except ValueError:  # a quote that another line closes: prose or YAML
        return
    for at, word in enumerate(words):
        if word.rpartition("/")[2] != "envgen" or (at and words[at - 1] not in BEFORE):
            continue
        arguments: list[str] = []
        for one in words[at + 1 :]:
            if OPERATOR.fullmatch(one):
                break
            arguments.append(re.sub(r"^\[(.*)\]$", r"\1", one))  # what may be left out
        yield tuple(arguments)


def _words(line: str) -> list[str]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars="&|;<>")
    lexer.whitespace_split = True
    lexer.commenters = "#"
    found = list(lexer)
    while found and re.fullmatch(r"[A-Z_]+=\S*", found[0]):
        found.pop(0)
    return found


COMMANDS = sorted({(page, words) for page, text in TEXTS.items() for words in commands(text)})


def parsed(words: tuple[str, ...]) -> None:
    """Parse a command line as click does, and run nothing."""
    command: click.Command = group._envgen
    context = command.make_context("envgen", list(words))
    while isinstance(command, click.Group):
        name, found, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        assert found is not None, name
        context, command = found.make_context(name, rest, parent=context), found


@pytest.mark.parametrize(
    ("page", "words"), COMMANDS, ids=lambda value: value if isinstance(value, str) else " ".join(value)
)
def test_a_command_of_a_page_parses(page: str, words: tuple[str, ...]) -> None:
    parsed(words)


def test_commands_are_found() -> None:
    assert len(COMMANDS) >= 30
    with pytest.raises(click.UsageError):
        parsed(("lock", "--no-such-option"))


def code(text: str) -> set[str]:
    """Return what stands in backticks in a text, outside of fenced blocks."""
    return set(re.findall(r"`([^`]+)`", _FENCED.sub("", text)))


def first_cells(text: str, heading: str, until: str | None = None) -> set[str]:
    """Return what stands in backticks in the first column of the tables below a heading."""
    start = text.index(f"{heading}\n")
    rest = text[start : text.index(f"\n{until}", start) if until else None]
    return {word for line in rest.splitlines() if line.startswith("|") for word in code(line.split("|")[1])}


def verbs(cells: set[str]) -> set[str]:
    return {cell.split()[1] for cell in cells if cell.startswith("envgen ")}


def test_both_tables_of_verbs_are_complete() -> None:
    assert verbs(first_cells(TEXTS["README.md"], "## Commands", "## A spec")) == set(group._VERBS)
    assert verbs(first_cells(TEXTS["envgen/cli/README.md"], "# Commands", "## ")) >= set(group._VERBS) - _ELSEWHERE


_ELSEWHERE = {"run", "shell-hook"}
"""Verbs that the table on the use of an environment has."""


@pytest.mark.parametrize("page", TEXTS)
def test_verbs_that_pages_name_exist(page: str) -> None:
    named = {words[1] for text in code(TEXTS[page]) if (words := text.split())[:1] == ["envgen"] and len(words) > 1}
    assert {word for word in named if re.fullmatch(r"[a-z][a-z-]*", word)} <= set(group._VERBS)


def test_formats() -> None:
    assert first_cells(TEXTS["locks/README.md"], "## Exports") == set(FORMATS)


def test_keys_of_a_spec() -> None:
    assert first_cells(TEXTS["environments/README.md"], "## Keys", "## ") == set(parse.SECTIONS)


def test_keys_of_an_image() -> None:
    heading = "## `image`: what is around the environment in an image"
    named = first_cells(TEXTS["environments/README.md"], heading, "## ")
    assert {key.partition(".")[0] for key in named} == set(image_parse._KEYS)
    assert {key.partition(".")[2] for key in named if "." in key} == {"suites", "packages", "sets", "exclude", "drop"}


def test_keys_and_variables_of_a_debian_recipe() -> None:
    page = TEXTS["recipes/README.md"]
    assert first_cells(page, "## A recipe from Debian packages", "## ") == set(debian_parse._SECTIONS)
    named = {match[1] for text in code(page) if (match := re.fullmatch(r"\$\{\{ (\w+) \}\}", text))}
    assert named == set(debian_texts.VARIABLES)


def test_keys_of_a_lock() -> None:
    source = inspect.getsource(cep37._custom) + inspect.getsource(cep37._builds)
    keys = set(re.findall(r'[{ \[]f?"([a-z][a-z-]*)(?=[".])', source))
    named = first_cells(TEXTS["locks/README.md"], "### Metadata of envgen", "## ")
    assert {key.split(".")[1] for key in named} == keys | set(ADJUSTMENTS)


def test_exact_pins() -> None:
    pinned = {line.partition("==")[0] for line in PYPROJECT["project"]["dependencies"] if "==" in line}
    assert first_cells(TEXTS["envgen/README.md"], "## Pins that decide bytes", "## ") == pinned


def test_the_changes_begin_with_this_version() -> None:
    changes = (REPOSITORY / "envgen" / "CHANGELOG.md").read_text(encoding="utf-8")
    first = re.search(r"^## (\S+)", changes, re.MULTILINE)
    assert first
    assert first[1] == PYPROJECT["project"]["version"]


def anchors(text: str) -> set[str]:
    """Return the anchors that code hosts give to the headings of a page."""
    found = re.findall(r"^#+ (.+)$", _FENCED.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in found}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if link.startswith(("http://", "https://")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        if anchor:
            assert anchor in anchors((target / "README.md" if target.is_dir() else target).read_text()), link


@pytest.mark.parametrize("page", TEXTS)
def test_pages_install_from_the_repository(page: str) -> None:
    """The name of the distribution is not published."""
    assert re.findall(r"samebytes(?!(?:\[\w+\])? @ git\+)", TEXTS[page]) == []


def test_the_front_page_is_short() -> None:
    assert len(TEXTS["README.md"].encode()) <= 8500
