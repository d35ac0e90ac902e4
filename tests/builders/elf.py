"""ELF files made in memory: as much of one as the dynamic loader looks at.

make_elf(soname="libspam.so.1", needed=["libc.so.6"], wants={"libc.so.6": ["GLIBC_2.34"]}, defines=["spam_init"])
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

X86_64, AARCH64 = 62, 183
EXECUTABLE, SHARED = 2, 3

_HEADER_SIZE, _PROGRAM_HEADER_SIZE = 64, 56
_AT = 0x1000
"""Where the tables start, in the file and in memory: one segment maps all."""


class _Strings:
    def __init__(self) -> None:
        self.raw = b"\0"

    def add(self, text: str) -> int:
        at = len(self.raw)
        self.raw += text.encode() + b"\0"
        return at


def make_elf(  # one argument for each thing that a file can say
    *,
    soname: str | None = None,
    needed: Iterable[str] = (),
    rpath: str | None = None,
    runpath: str | None = None,
    interpreter: str | None = None,
    wants: Mapping[str, Iterable[str]] | None = None,
    versions: Iterable[str] = (),
    defines: Iterable[str] = (),
    undefined: Iterable[str] = (),
    level: int = 0,
    machine: int = X86_64,
    kind: int = SHARED,
) -> bytes:
    """Write an ELF file; `versions` are symbol versions that it defines, `level` is the x86-64 level it demands."""
    strings = _Strings()
    tags = [(1, strings.add(name)) for name in needed]
    tags += [(tag, strings.add(text)) for tag, text in ((14, soname), (15, rpath), (29, runpath)) if text is not None]
    symbols = struct.pack("<IBBHQQ", 0, 0, 0, 0, 0, 0)
    for name in undefined:
        symbols += struct.pack("<IBBHQQ", strings.add(name), 0x12, 0, 0, 0, 0)
    for name in defines:
        symbols += struct.pack("<IBBHQQ", strings.add(name), 0x12, 0, 7, 0x4000, 8)
    needs, definitions = _needs(wants or {}, strings), _definitions(versions, strings)
    count = len(symbols) // 24
    parts = {
        6: symbols,
        4: struct.pack("<II", 1, count) + struct.pack(f"<{1 + count}I", *([0] * (1 + count))),
        0x6FFFFFFE: needs[1],
        0x6FFFFFFC: definitions[1],
        5: strings.raw,
    }
    body, tables = b"", []
    for tag, raw in parts.items():
        if raw:
            tables.append((tag, _AT + len(body)))
            body += raw + b"\0" * (-len(raw) % 8)
    tables += [(10, len(strings.raw))]
    tables += [(0x6FFFFFFF, needs[0])] if needs[0] else []
    tables += [(0x6FFFFFFD, definitions[0])] if definitions[0] else []
    dynamic = b"".join(struct.pack("<qQ", tag, value) for tag, value in (*tags, *tables, (0, 0)))
    dynamic_at = _AT + len(body)
    note = _property(level) if level else b""
    note_at = dynamic_at + len(dynamic)
    named = f"{interpreter}\0".encode() if interpreter else b""
    size = note_at + len(note) + len(named)
    headers = [(1, 0, size), (2, dynamic_at, len(dynamic)), *([(0x6474E553, note_at, len(note))] if note else [])]
    headers += [(3, note_at + len(note), len(named))] if named else []
    head = b"\x7fELF\x02\x01\x01" + b"\0" * 9
    head += struct.pack("<HHIQQQIHHHHHH", kind, machine, 1, 0, 64, 0, 0, 64, 56, len(headers), 64, 0, 0)
    head += b"".join(struct.pack("<IIQQQQQQ", kind, 4, at, at, at, length, length, 8) for kind, at, length in headers)
    return head.ljust(_AT, b"\0") + body + dynamic + note + named


def _needs(wants: Mapping[str, Iterable[str]], strings: _Strings) -> tuple[int, bytes]:
    raw = b""
    for number, (library, names) in enumerate(wants.items(), 1):
        entries = [struct.pack("<IHHII", 0, 0, 2, strings.add(name), 16) for name in names]
        entries[-1] = entries[-1][:-4] + b"\0\0\0\0"
        aux = b"".join(entries)
        following = 0 if number == len(wants) else 16 + len(aux)
        raw += struct.pack("<HHIII", 1, len(entries), strings.add(library), 16, following) + aux
    return len(wants), raw


def _definitions(versions: Iterable[str], strings: _Strings) -> tuple[int, bytes]:
    names = list(versions)
    raw = b"".join(
        struct.pack("<HHHHIII", 1, 0, number, 1, 0, 20, 28 if number < len(names) else 0)
        + struct.pack("<II", strings.add(name), 0)
        for number, name in enumerate(names, 1)
    )
    return len(names), raw


def _property(level: int) -> bytes:
    bits = (1 << level) - 1
    body = struct.pack("<III4x", 0xC0008002, 4, bits)
    return struct.pack("<III", 4, len(body), 5) + b"GNU\0" + body
