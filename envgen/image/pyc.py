"""Compiled Python files for an image: made by the image's own Python, kept in the store, the same everywhere.

A container that cannot write its prefix would compile at every start, which costs seconds for torch.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from envgen.digest import Sha256
from envgen.errors import DigestMismatchError
from envgen.image import pyc_worker
from envgen.system.process import run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from envgen.platforms import PythonMinor
    from envgen.system.store import Store

_FORMAT = 2
_KIND = "pyc"
_SUFFIX = ".pyc"


class Compiler(Struct, frozen=True, kw_only=True):
    """The Python that compiles.

    Attributes:
        command: how to start it on this machine.
        key: determines what it compiles to: the version of Python in the image.
        minor: of that version.
    """

    command: tuple[str, ...]
    key: str
    minor: PythonMinor

    def target(self, source: str) -> str:
        """Name the compiled file of a source file (PEP 3147)."""
        folder, _slash, name = source.rpartition("/")
        tag = f"cpython-{self.minor.major}{self.minor.minor}"
        return f"{folder}/__pycache__/{name.removesuffix('.py')}.{tag}{_SUFFIX}"

    def compiles(self, path: str) -> bool:
        """Return whether a path of an environment is a source file that `import` finds, below `lib/python3.11`.

        Tests of packages, a seventh of all sources, are not compiled: nobody waits for them in a container.
        """
        return path.endswith(".py") and f"lib/python{self.minor}/" in path and "/tests/" not in path


class Code(Struct, frozen=True, kw_only=True):
    """A source file.

    Attributes:
        path: in the image, without the leading slash.
        file: path where it is now.
        sha256: of its bytes.
    """

    path: str
    file: str
    sha256: Sha256


def compile_all(sources: Sequence[Code], compiler: Compiler, *, store: Store) -> dict[str, bytes]:
    """Compile source files, or take from the store what was compiled before.

    Args:
        sources: of one package; the store keeps them together.
        compiler: to compile with.
        store: keeps the result.

    Returns:
        Path of each compiled file -> its bytes; sources that do not compile have none.

    Raises:
        IntegrityError: a source is not what it should be. What is compiled from it would run in every image to come.
    """
    facts = [_FORMAT, compiler.key, [(code.path, code.sha256) for code in sources]]
    key = Sha256.of(json.dumps(facts).encode())
    raw = store.cached(_KIND, key)
    if raw is None:
        raw = _compile(sources, compiler)
        store.put(_KIND, key, raw)
    return {compiler.target(code.path): data for code, data in zip(sources, _split(raw), strict=True) if data}


def _compile(sources: Sequence[Code], compiler: Compiler) -> bytes:
    for code in sources:
        _verify(code)
    asked = b"".join(f"{code.file}\0/{code.path}\0".encode() for code in sources)
    isolated = ("-I", "-S", "-B", "-W", "ignore")  # nothing of the machine's settings, and no talk about sources
    return run((*compiler.command, *isolated, pyc_worker.__file__), stdin=asked, env={}).stdout


def _verify(code: Code) -> None:
    with Path(code.file).open("rb") as stream:
        got = Sha256.of_stream(stream)
    if got != code.sha256:
        raise DigestMismatchError(
            what=f"`/{code.path}`",
            where=f"`{code.file}`",
            expected=code.sha256,
            got=got,
            hint="the file was modified: run `envgen clean --kind packages` and build the image again",
        )


def _split(raw: bytes) -> list[bytes]:
    """Split the output of the worker: for each source 8 bytes of length, then the compiled file."""
    found, position = [], 0
    while position < len(raw):
        start = position + 8
        position = start + int.from_bytes(raw[position:start], "little")
        found.append(raw[start:position])
    return found
