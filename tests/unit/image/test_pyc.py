"""Compiled Python files: loadable, and the same whatever else was compiled."""

from __future__ import annotations

import importlib.util
import marshal
import random
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from envgen.digest import Sha256
from envgen.errors import EnvgenError, IntegrityError
from envgen.image import pyc_worker
from envgen.image.pyc import Code, Compiler, Workers, compile_all
from envgen.platforms import PythonMinor
from envgen.system.process import ProcessError

if TYPE_CHECKING:
    from collections.abc import Iterator

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
LARGE = "".join(f"x{number} = 'text {number}'\n" for number in range(20_000))
"""More than a pipe holds, as is what it compiles to."""


COMPILER = Compiler(command=(sys.executable,), key="this", minor=THIS)


@pytest.fixture
def workers() -> Iterator[Workers]:
    with closing(Workers(COMPILER)) as found:
        yield found


def code(folder: Path, *names: str) -> list[Code]:
    found = []
    for name in names:
        file = folder / name
        file.write_bytes(SOURCES[name].encode("latin-1"))
        found.append(Code(path=f"{SITE}/{name}", file=str(file), sha256=Sha256.of(file.read_bytes())))
    return found


def test_compiled_files_are_loaded_unchecked(tmp_path: Path, store: Store, workers: Workers) -> None:
    sources = code(tmp_path, "plain.py", "nested.py", "coding.py")
    found = compile_all(sources, workers, store=store)
    for source in sources:
        data = found[COMPILER.target(source.path)]
        assert data[:4] == importlib.util.MAGIC_NUMBER
        assert data[4:8] == b"\x01\0\0\0"  # PEP 552: a hash that nobody checks
        assert data[8:16] == importlib.util.source_hash(Path(source.file).read_bytes())
        assert marshal.loads(data[16:]).co_filename == f"/{source.path}"  # noqa: S302  our own


def test_an_edited_source_is_not_compiled(tmp_path: Path, store: Store, workers: Workers) -> None:
    sources = code(tmp_path, "plain.py", "nested.py")
    Path(sources[1].file).write_text("edited = True\n")  # through the hard link of an environment
    with pytest.raises(IntegrityError, match=r"nested\.py"):
        compile_all(sources, workers, store=store)
    Path(sources[1].file).write_text(SOURCES["nested.py"])
    assert b"edited" not in compile_all(sources, workers, store=store)[COMPILER.target(sources[1].path)]


def test_what_does_not_compile_is_left_out(tmp_path: Path, store: Store, workers: Workers) -> None:
    found = compile_all(code(tmp_path, "broken.py", "null.py", "plain.py"), workers, store=store)
    assert list(found) == [COMPILER.target(f"{SITE}/plain.py")]


def test_neither_order_nor_company_changes_a_byte(tmp_path: Path, store: Store, workers: Workers) -> None:
    names = list(SOURCES)
    together = compile_all(code(tmp_path, *names), workers, store=store)
    random.Random(3).shuffle(names)  # noqa: S311  a test
    assert compile_all(code(tmp_path, *names), workers, store=store) == together
    for name in names:
        alone = compile_all(code(tmp_path, name), workers, store=store)
        assert alone.items() <= together.items()


def test_the_store_keeps_what_was_compiled(tmp_path: Path, store: Store, workers: Workers) -> None:
    sources = code(tmp_path, "plain.py", "broken.py")
    before = compile_all(sources, workers, store=store)
    gone = Workers(Compiler(command=("/nowhere/python",), key="this", minor=THIS))
    assert compile_all(sources, gone, store=store) == before
    other = Workers(Compiler(command=("/nowhere/python",), key="other", minor=THIS))
    with pytest.raises(EnvgenError, match="failed to start"):
        compile_all(sources, other, store=store)


def test_what_one_package_compiles_does_not_show_in_the_next(tmp_path: Path, store: Store, workers: Workers) -> None:
    folder = tmp_path / "later"
    folder.mkdir()
    text = code(folder, "coding.py")
    alone = workers.compile(text)
    name = tmp_path / "name.py"  # CPython has one object for each letter of latin-1, and interns it as a name
    name.write_text("\xe9 = 1\n", encoding="utf-8")
    compile_all([Code(path="name.py", file=str(name), sha256=Sha256.of(name.read_bytes()))], workers, store=store)
    assert workers.compile(text) == alone


def test_large_sources_are_compiled_by_several_threads(tmp_path: Path, workers: Workers) -> None:
    file = tmp_path / "large.py"
    file.write_text(LARGE)
    sources = [Code(path=f"{n}.py", file=str(file), sha256=Sha256.of(file.read_bytes())) for n in range(3)]
    with ThreadPoolExecutor(3) as pool:
        every = list(pool.map(workers.compile, [sources] * 6))
    assert every == every[:1] * 6
    assert len(every[0]) > 3 * len(LARGE)


def test_an_interpreter_that_fails_is_named(tmp_path: Path) -> None:
    script = tmp_path / "python"
    script.write_text("#!/bin/sh\necho out of order >&2\nexit 3\n")
    script.chmod(0o755)
    workers = Workers(Compiler(command=(str(script),), key="", minor=THIS))
    with pytest.raises(ProcessError, match=r"failed with status 3:\nout of order"):
        workers.compile(code(tmp_path, "plain.py"))


def test_a_source_that_ends_the_interpreter_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    worker = tmp_path / "worker.py"
    text = Path(pyc_worker.__file__).read_text(encoding="utf-8")
    worker.write_text(
        text.replace("    code = compile(", "    os.kill(os.getpid(), 9)\n    code = compile("), encoding="utf-8"
    )
    monkeypatch.setattr(pyc_worker, "__file__", str(worker))
    with pytest.raises(ProcessError, match="was terminated by SIGKILL"):
        Workers(COMPILER).compile(code(tmp_path, "plain.py"))


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
