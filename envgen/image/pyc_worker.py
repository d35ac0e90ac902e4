"""Compiles Python files, in the interpreter that they are compiled for: run as a program, by path, never imported.

Standard library only, and as little of it as possible. In: `<source file> NUL <name in the image> NUL`, repeated. Out:
for each an 8-byte length and the compiled file; no bytes for what does not compile, such as templates.

`marshal` marks every object that has more than one reference, so that what else lives in the interpreter shows in the
bytes. Here every object of the code has one more reference than it needs while it is written: then all are marked.
"""

from __future__ import annotations

import gc
import importlib.util
import marshal
import sys
from types import CodeType

_UNCHECKED_HASH = (1).to_bytes(4, "little")
"""PEP 552: validated by nothing. An image never changes, and its files have one time, so that nothing else serves."""


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
        for part in (value.co_consts, value.co_names, value.co_varnames, value.co_freevars, value.co_cellvars):
            _hold(part, held)
        held += (value.co_name, value.co_filename, value.co_linetable, value.co_lnotab)
        for later in ("co_qualname", "co_exceptiontable"):  # Python 3.11
            held.append(getattr(value, later, None))
    elif isinstance(value, (tuple, frozenset)):
        for item in value:
            _hold(item, held)


def main() -> None:
    """Compile what standard input asks for."""
    gc.disable()  # code has no cycles, and looking for them takes a fifteenth of the time
    names = sys.stdin.buffer.read().split(b"\0")
    out = sys.stdout.buffer
    for path, name in zip(names[0:-1:2], names[1:-1:2]):  # noqa: B905 - `strict` is younger than Python 3.9
        try:
            with open(path, "rb") as file:  # noqa: PTH123 - pathlib is not needed for the rest
                data = compiled(file.read(), name.decode())
        except (SyntaxError, ValueError, RecursionError, MemoryError):  # what `compile` raises for bad sources
            data = b""
        out.write(len(data).to_bytes(8, "little") + data)


if __name__ == "__main__":
    main()
