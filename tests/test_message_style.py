"""How messages, hints, help and labels are written: lower case, no full stop, plain words. Read from the source."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(__file__).parent.parent / "envgen"


SAYS = {"note", "detail", "running", "warn", "progress", "say", "problem", "fine", "fail"}
"""Functions and methods whose text arguments a person reads."""

READ = {"hint", "help", "what", "remedy"}
"""Keyword arguments that a person reads, whatever takes them."""

PROPER = re.compile(r"[A-Z0-9_]{2,}|CycloneDX|Debian|Dockerfile|Level Zero|PyPI|Python")
"""What a message may begin with: names and acronyms."""

BANNED = re.compile(
    r"\b(anew|bears|hitherto|mend(s|ed|ing)?|nothing of|such as is|thereof|true (for|lock)|two answers|wherever|whoever"
    r"|youngest)\b|(?<![Tt]here )\b(is|are) no (?!longer|such|other)[a-z]\w*|\bwhat (\w+ ){1,3}is (what|that of)\b"
)
"""Words that a reader whose first language is not English looks up, or reads twice."""


def modules() -> list[Path]:
    return [
        path for path in sorted(PACKAGE.rglob("*.py")) if not path.relative_to(PACKAGE).as_posix().startswith("data/")
    ]


def texts(node: ast.expr, known: dict[str, list[ast.expr]]) -> Iterator[str]:
    """Yield what an argument may be, with `{}` for what is filled in; names stand for what the module gives them."""
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.JoinedStr(values=values):
            yield "".join(v.value if isinstance(v, ast.Constant) and isinstance(v.value, str) else "{}" for v in values)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            yield from (a + b for a in list(texts(left, known)) or ["{}"] for b in list(texts(right, known)) or ["{}"])
        case ast.IfExp(body=body, orelse=other):
            yield from (*texts(body, known), *texts(other, known))
        case ast.BoolOp(values=values):
            yield from (text for value in values for text in texts(value, known))
        case ast.Name(id=name) if name in known:
            rest = {key: value for key, value in known.items() if key != name}
            yield from (text for value in known[name] for text in texts(value, rest))
        case _:
            return


def assigned(tree: ast.AST) -> dict[str, list[ast.expr]]:
    """Find every value that a name is given in a module."""
    found: dict[str, list[ast.expr]] = {}
    for node in ast.walk(tree):
        match node:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
            ):
                found.setdefault(name, []).append(value)
            case _:
                pass
    return found


def arguments(call: ast.Call) -> Iterator[ast.expr]:
    """Yield the arguments of a call that a person reads."""
    function = call.func
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    if name.endswith("Error") or name in SAYS:
        yield from call.args
    yield from (keyword.value for keyword in call.keywords if keyword.arg in READ)


def messages(path: Path) -> Iterator[tuple[int, str]]:
    """Yield line and text of each message of a module."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    known = assigned(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            for argument in arguments(node):
                yield from ((node.lineno, text) for text in texts(argument, known))


def strings(path: Path) -> Iterator[tuple[int, str]]:
    """Yield line and text of each string of several words that stands in an expression: no documentation."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    documentation = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
            yield node.lineno, node.value


def faults(text: str) -> Iterator[str]:
    if re.search(r"[^.]\.$", text):
        yield "ends with a full stop"
    if re.match(r"[A-Z]", text) and not PROPER.match(text):
        yield "begins with a capital letter"


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_messages(path: Path) -> None:
    found = [f"{line}: {fault}: {text}" for line, text in messages(path) for fault in faults(text)]
    banned = [f"{line}: `{match[0]}`: {text}" for line, text in strings(path) if (match := BANNED.search(text))]
    assert found + banned == []


def test_the_test_finds_what_it_looks_for() -> None:
    assert sum(1 for path in modules() for _ in messages(path)) > 400
    assert list(faults("Cannot read `x`.")) == ["ends with a full stop", "begins with a capital letter"]
    assert list(faults("failed to read `x`: expected [...], got ...")) == []
    assert list(faults("CUDA 12.8 is not supported")) == []
    assert BANNED.search("`x` is no usable zip")
    assert not BANNED.search("there is no lock for `x`")
    assert not BANNED.search("Debian no longer offers `x`, which is no longer needed")
