"""What modules say about themselves is true: a docstring each, and every `__all__`."""

from __future__ import annotations

import ast
import importlib
import pkgutil
from pathlib import Path

import pytest

import envgen

MODULES = sorted({"envgen"} | {m.name for m in pkgutil.walk_packages(envgen.__path__, "envgen.")} - {"envgen.__main__"})


@pytest.mark.parametrize("name", MODULES)
def test_module_has_a_docstring(name: str) -> None:
    assert (importlib.import_module(name).__doc__ or "").strip()


@pytest.mark.parametrize("name", MODULES)
def test_all_is_true(name: str) -> None:
    module = importlib.import_module(name)
    exported = getattr(module, "__all__", None)
    if exported is None:
        return
    assert len(exported) == len(set(exported))
    assert [n for n in exported if not hasattr(module, n)] == []
    assert _public_names(module.__file__ or "") <= set(exported)


def _public_names(path: str) -> set[str]:
    """Name what a module defines at its top level, and, for a package, what it re-exports."""
    body = ast.parse(Path(path).read_text(encoding="utf-8")).body
    names = {n.name for n in body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)}
    if path.endswith("__init__.py"):
        names |= {
            a.asname or a.name
            for node in body
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("envgen")
            for a in node.names
        }
    return {n for n in names if not n.startswith("_")}
