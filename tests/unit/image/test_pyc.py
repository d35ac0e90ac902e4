"""Compiled Python files: loadable, and the same whatever else was compiled."""

from __future__ import annotations

import importlib.util
import marshal
import random
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from envgen.digest import Sha256
from envgen.errors import EnvgenError, IntegrityError
from envgen.image.pyc import Code, Compiler, compile_all
from envgen.platforms import PythonMinor

if TYPE_CHECKING:
    from envgen.system.store import Store

THIS = PythonMinor(*sys.version_info[:2])
SITE = f"opt/env/lib/python{THIS}/site-packages"
SOURCES = {
    "plain.py": "import os\nx = (1, 2.5, 'text', b'bytes', 10 ** 30)\n",
    "nested.py": "class A:\n    def f(self, path, os=None):\n        return {path in {'a', 'b'}, lambda: self.x}\n",
    "same.py": "def f(path):\n    return path.join\n\ndef g(path):\n    return path.join\n",
    "broken.py": "def f(:\n",
    "null.py": "x = 1\0\n",
    "coding.py": "# -*- coding: latin-1 -*-\nx = '\xe9'\n",
}


@pytest.fixture
def compiler() -> Compiler:
    return Compiler(command=(sys.executable,), key="this", minor=THIS)


def code(folder: Path, *names: str) -> list[Code]:
    found = []
    for name in names:
        file = folder / name
        file.write_bytes(SOURCES[name].encode("latin-1"))
        found.append(Code(path=f"{SITE}/{name}", file=str(file), sha256=Sha256.of(file.read_bytes())))
    return found


def test_compiled_files_are_loaded_unchecked(tmp_path: Path, store: Store, compiler: Compiler) -> None:
    sources = code(tmp_path, "plain.py", "nested.py", "coding.py")
    found = compile_all(sources, compiler, store=store)
    for source in sources:
        data = found[compiler.target(source.path)]
        assert data[:4] == importlib.util.MAGIC_NUMBER
        assert data[4:8] == b"\x01\0\0\0"  # PEP 552: a hash that nobody checks
        assert data[8:16] == importlib.util.source_hash(Path(source.file).read_bytes())
        assert marshal.loads(data[16:]).co_filename == f"/{source.path}"  # noqa: S302  our own


def test_an_edited_source_is_not_compiled(tmp_path: Path, store: Store, compiler: Compiler) -> None:
    sources = code(tmp_path, "plain.py", "nested.py")
    Path(sources[1].file).write_text("edited = True\n")  # through the hard link of an environment
    with pytest.raises(IntegrityError, match=r"nested\.py"):
        compile_all(sources, compiler, store=store)
    Path(sources[1].file).write_text(SOURCES["nested.py"])
    assert b"edited" not in compile_all(sources, compiler, store=store)[compiler.target(sources[1].path)]


def test_what_does_not_compile_is_left_out(tmp_path: Path, store: Store, compiler: Compiler) -> None:
    found = compile_all(code(tmp_path, "broken.py", "null.py", "plain.py"), compiler, store=store)
    assert list(found) == [compiler.target(f"{SITE}/plain.py")]


def test_neither_order_nor_company_changes_a_byte(tmp_path: Path, store: Store, compiler: Compiler) -> None:
    names = list(SOURCES)
    together = compile_all(code(tmp_path, *names), compiler, store=store)
    random.Random(3).shuffle(names)  # noqa: S311  a test
    assert compile_all(code(tmp_path, *names), compiler, store=store) == together
    for name in names:
        alone = compile_all(code(tmp_path, name), compiler, store=store)
        assert alone.items() <= together.items()


def test_the_store_keeps_what_was_compiled(tmp_path: Path, store: Store, compiler: Compiler) -> None:
    sources = code(tmp_path, "plain.py", "broken.py")
    before = compile_all(sources, compiler, store=store)
    gone = Compiler(command=("/nowhere/python",), key="this", minor=THIS)
    assert compile_all(sources, gone, store=store) == before
    other = Compiler(command=("/nowhere/python",), key="other", minor=THIS)
    with pytest.raises(EnvgenError, match="failed to start"):
        compile_all(sources, other, store=store)


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("opt/env/lib/python3.11/site-packages/a.py", True),
        ("opt/env/opt/debian/usr/lib/python3.11/os.py", True),
        ("opt/env/bin/tool.py", False),
        ("opt/env/lib/python3.12/site-packages/a.py", False),
        ("opt/env/lib/python3.11/site-packages/a.pyi", False),
    ],
)
def test_only_importable_sources_are_compiled(path: str, answer: bool) -> None:
    assert Compiler(command=(), key="", minor=PythonMinor(3, 11)).compiles(path) is answer
