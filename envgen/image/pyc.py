"""Compiled Python files for an image: made by the image's own Python, kept in the store, the same everywhere.

A container that cannot write its prefix would compile at every start, which costs seconds for torch.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING

from msgspec import Struct

from envgen.digest import Sha256
from envgen.errors import DigestMismatchError
from envgen.image import pyc_worker
from envgen.system.process import Partner

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from envgen.platforms import PythonMinor
    from envgen.system.store import Store

_FORMAT = 2
_KIND = "pyc"
_SUFFIX = ".pyc"

_LENGTH = 8
"""Bytes of a length before a name, a source or a compiled file."""


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


class Workers:
    """Interpreters that compile, one for each thread that asks at the same time; started when they are needed.

    Args:
        compiler: to compile with.
    """

    def __init__(self, compiler: Compiler) -> None:
        self.compiler = compiler
        self._idle: list[Partner] = []

    def compile(self, sources: Sequence[Code]) -> bytes:
        """Compile source files: for each 8 bytes of length, then the compiled file; nothing for what does not compile.

        Raises:
            DigestMismatchError: a source is not what it should be.
            ProcessError: the interpreter cannot be started, or failed.
        """
        with self._borrowed() as partner:
            try:
                for code in sources:
                    name, source = f"/{code.path}".encode(), _verified(code)
                    partner.input.write(b"".join((_length(name), name, _length(source), source)))
                partner.input.write(pyc_worker.END.to_bytes(_LENGTH, "little"))
                partner.input.flush()
                return b"".join(part for _code in sources for part in _read(partner))
            except (EOFError, BrokenPipeError) as error:
                raise partner.failure() from error

    def close(self) -> None:
        """End the interpreters; none may be at work."""
        while self._idle:
            self._idle.pop().close()

    @contextmanager
    def _borrowed(self) -> Iterator[Partner]:
        partner = self._idle.pop() if self._idle else self._start()
        try:
            yield partner
        except BaseException:
            partner.close()
            raise
        self._idle.append(partner)

    def _start(self) -> Partner:
        isolated = ("-I", "-S", "-B", "-W", "ignore")  # nothing of the machine's settings, and no talk about sources
        return Partner((*self.compiler.command, *isolated, pyc_worker.__file__), env={})


def compile_all(sources: Sequence[Code], workers: Workers, *, store: Store) -> dict[str, bytes]:
    """Compile source files, or take from the store what was compiled before.

    Args:
        sources: of one package; the store keeps them together.
        workers: to compile with.
        store: keeps the result.

    Returns:
        Path of each compiled file -> its bytes; sources that do not compile have none.

    Raises:
        IntegrityError: a source is not what it should be. What is compiled from it would run in every image to come.
    """
    if not sources:
        return {}
    compiler = workers.compiler
    facts = [_FORMAT, compiler.key, [(code.path, code.sha256) for code in sources]]
    key = Sha256.of(json.dumps(facts).encode())
    raw = store.cached(_KIND, key)
    if raw is None:
        raw = workers.compile(sources)
        store.put(_KIND, key, raw)
    return {compiler.target(code.path): data for code, data in zip(sources, _split(raw), strict=True) if data}


def _verified(code: Code) -> bytes:
    """Read a source, and refuse one that is not what it should be."""
    with open(code.file, "rb") as stream:  # noqa: PTH123  thousands of them, Path is slow
        source = stream.read()
    got = Sha256.of(source)
    if got != code.sha256:
        raise DigestMismatchError(
            what=f"`/{code.path}`",
            where=f"`{code.file}`",
            expected=code.sha256,
            got=got,
            hint="the file was modified: run `envgen clean --kind packages` and build the image again",
        )
    return source


def _length(data: bytes) -> bytes:
    return len(data).to_bytes(_LENGTH, "little")


def _read(partner: Partner) -> tuple[bytes, bytes]:
    """Read 8 bytes of length and that many bytes from a worker.

    Raises:
        EOFError: it has ended.
    """
    head = partner.output.read(_LENGTH)
    size = int.from_bytes(head, "little")
    data = partner.output.read(size)
    if len(head) < _LENGTH or len(data) < size:
        raise EOFError
    return head, data


def _split(raw: bytes) -> list[bytes]:
    """Split what `compile` returned."""
    found, position = [], 0
    while position < len(raw):
        start = position + _LENGTH
        position = start + int.from_bytes(raw[position:start], "little")
        found.append(raw[start:position])
    return found
