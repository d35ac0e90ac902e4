"""Compiles Python files, in the interpreter that they are compiled for: run as a program, by path, never imported.

Standard library only, and as little of it as possible. In: requests, one after another; for each source an 8-byte
length of its name in the image, the name, an 8-byte length and the source; then `END`. Out: for each source an 8-byte
length and the compiled file; no bytes for what does not compile, such as templates. Each request is answered by a fork,
so that nothing that was compiled before shows in the bytes, and the start of the interpreter is paid for once.

`marshal` marks every object that has more than one reference, so that what else lives in the interpreter shows in the
bytes. Here every object of the code has one more reference than it needs while it is written: then all are marked.
"""

from __future__ import annotations

import gc
import importlib.util
import marshal
import os
import sys
from operator import attrgetter
from types import CodeType

_UNCHECKED_HASH = (1).to_bytes(4, "little")
"""PEP 552: validated by nothing. An image never changes, and its files have one time, so that nothing else serves."""

END = (1 << 64) - 1
"""In place of a length: the request is complete."""

_LINES = "co_linetable" if hasattr(CodeType, "co_linetable") else "co_lnotab"  # Python 3.10
_LATER = (name for name in ("co_qualname", "co_exceptiontable") if hasattr(CodeType, name))  # Python 3.11
_parts = attrgetter("co_name", "co_filename", _LINES, *_LATER)
_names = attrgetter("co_names", "co_varnames", "co_freevars", "co_cellvars")
"""Return what `marshal` writes of code beside its constants: single objects, and tuples of texts."""


def compiled(source: bytes, name: str) -> bytes:
    """Compile one file as `import` would; the same bytes in every process of one interpreter."""
    code = compile(source, name, "exec", dont_inherit=True, optimize=0)
    held: list[object] = []
    _hold(code, held)
    return importlib.util.MAGIC_NUMBER + _UNCHECKED_HASH + importlib.util.source_hash(source) + marshal.dumps(code)


def _hold(value: object, held: list[object]) -> None:
    """Refer to a value and everything in it once more."""
    held.append(value)
    if isinstance(value, CodeType):
        held += _parts(value)
        for names in _names(value):
            held.append(names)
            held += names
        _hold(value.co_consts, held)
    elif isinstance(value, (tuple, frozenset)):
        for item in value:
            _hold(item, held)


def main() -> None:
    """Answer requests as long as there are any."""
    gc.disable()  # code has no cycles, and looking for them takes a fifteenth of the time
    while sources := _request():
        child = os.fork()
        if not child:
            _answer(sources)
            os._exit(0)  # not what this process has yet to do at its end
        status = os.waitpid(child, 0)[1]
        if status:
            os.kill(os.getpid(), status & 0x7F) if status & 0x7F else sys.exit(status >> 8)


def _request() -> list[tuple[str, bytes]]:
    """Read names and sources; none where there is no other request."""
    found = []
    while (name := _field()) is not None:
        found.append((name.decode(), _field() or b""))
    return found


def _field() -> bytes | None:
    """Read a length and that many bytes; None at the end of a request, and of all requests."""
    source = sys.stdin.buffer
    length = int.from_bytes(source.read(8).ljust(8, b"\xff"), "little")
    return None if length == END else source.read(length)


def _answer(sources: list[tuple[str, bytes]]) -> None:
    out = sys.stdout.buffer
    for name, source in sources:
        try:
            data = compiled(source, name)
        except (SyntaxError, ValueError, RecursionError, MemoryError):  # what `compile` raises for bad sources
            data = b""
        out.write(len(data).to_bytes(8, "little"))
        out.write(data)
    out.flush()


if __name__ == "__main__":
    main()
