"""Commands in messages: what is named in the code parses, and says which environment is meant."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest

from envgen.cli import group
from envgen.cli.commands import naming, parameters

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(__file__).parents[3] / "envgen"
WIDTH = 60
MENTIONS = {
    "add",
    "create --prefix",
    "export",
    "export nix --nars",
    "image --push",
    "sign",
    "verify CHANNEL --key",
}
"""Verbs with an option whose value stands in the sentence, or is for the reader to choose."""

_IN_BACKTICKS = re.compile(r"`envgen ([a-z-][^`]*)`")


def texts(tree: ast.AST) -> Iterator[str]:
    """Yield the strings of a module, with a word for each value that is filled in."""
    documentation = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    parts = {id(value) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for value in node.values}
    for node in ast.walk(tree):
        match node:
            case ast.JoinedStr(values=values):
                yield "".join(str(v.value) if isinstance(v, ast.Constant) else "linux-64" for v in values)
            case ast.Constant(value=str(text)) if id(node) not in documentation | parts:
                yield text
            case _:
                pass


def commands() -> set[str]:
    """Find every command in backticks in a string of envgen; documentation of code is left out."""
    files = [path for path in PACKAGE.rglob("*.py") if "data" not in path.parts]
    found = (text for path in files for text in texts(ast.parse(path.read_text(encoding="utf-8"))))
    return {command for text in found for command in _IN_BACKTICKS.findall(text)}


@pytest.mark.parametrize("command", sorted(commands() - MENTIONS))
def test_a_command_of_a_message_parses(command: str) -> None:
    for part in command.split(" && "):
        words = shlex.split(part.removeprefix("envgen "))
        assert words == ["--help"] or parameters(words) is not None


def test_commands_are_found() -> None:
    assert len(commands()) > 40
    assert commands() >= MENTIONS


def verbs() -> dict[str, click.Command]:
    """Return every command that is no group, by its words."""
    found: dict[str, click.Command] = {}
    for verb in group._VERBS:
        command = group._envgen.get_command(click.Context(group._envgen), verb)
        assert command is not None
        if isinstance(command, click.Group):
            found |= {f"{verb} {name}": below for name, below in command.commands.items()}
        else:
            found[verb] = command
    return found


def typed(line: str) -> list[list[str]]:
    """Return the arguments of each `envgen` in a line of a shell."""
    lexer = shlex.shlex(line.replace('"$(', "").replace(')"', ""), posix=True, punctuation_chars="|>;")
    lexer.whitespace_split = True
    words = list(lexer)
    ends = [at for at, word in enumerate(words) if word in {"|", ">"}]
    return [
        words[at + 1 : min([end for end in ends if end > at], default=None)]
        for at, word in enumerate(words)
        if word == "envgen"
    ]


@pytest.mark.parametrize("words", verbs())
def test_help_has_examples_that_parse_and_fit(words: str) -> None:
    lines = (verbs()[words].epilog or "").partition("Examples:\n")[2].splitlines()
    shown = [arguments for line in lines for arguments in typed(line)]
    assert [one for one in shown if one[: len(words.split())] == words.split()]
    assert [one for one in shown if parameters(one) is None] == []
    assert [line for line in lines if len(line) > WIDTH] == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("run `envgen lock`", "run `envgen lock demo`"),
        ("`envgen lock --upgrade zlib`", "`envgen lock demo --upgrade zlib`"),
        ("`envgen lock other`, `envgen create`", "`envgen lock other`, `envgen create demo`"),
        ("`envgen lock --all`", "`envgen lock --all`"),
        ("`envgen why NAME`", "`envgen why NAME demo`"),
        ("`envgen run -- python`", "`envgen run demo -- python`"),
        ("`envgen create --prefix`", "`envgen create --prefix`"),
        ("`envgen create --prefix ./env`", "`envgen create demo --prefix ./env`"),
        ("`envgen init NAME`", "`envgen init NAME`"),
        ("`envgen console`", "`envgen console`"),
        ("`envgen lock 'x`", "`envgen lock 'x`"),
        ("`envgen diff main`", "`envgen diff main`"),
        ("envgen lock", "envgen lock"),
    ],
)
def test_the_environment_is_named(text: str, expected: str) -> None:
    assert naming(text, "demo") == expected
