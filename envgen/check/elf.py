"""Read of an ELF file what the dynamic loader obeys.

The loader knows program headers and the dynamic table, no sections, and neither does this: pyelftools walks all
sections to find the strings of the dynamic table, which a file with a million of them makes slow, and takes
microseconds for each symbol, of which one library of torch has 100,000. Every size that a file states is compared
with the file before it is used.

Format: System V ABI, chapters 4 and 5 (`elf.h` of glibc has the numbers); symbol versions as in "ELF Symbol Versioning"
of the LSB; property notes as in the x86-64 psABI, "Program Property".
"""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING, BinaryIO

from msgspec import Struct

from envgen.check.binary import MARKERS, Binary
from envgen.errors import ArtifactError
from envgen.limits import ELF_SYMBOLS, ELF_TABLE, ELF_VERSIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

MAGIC = b"\x7fELF"

_IDENT = 16
_CLASS64, _LITTLE = 2, 1
_HEADER = struct.Struct("<HHIQQQIHHHHHH")
_PROGRAM_HEADER = struct.Struct("<IIQQQQQQ")
_DYNAMIC = struct.Struct("<qQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_VERNEED, _VERNAUX = struct.Struct("<HHIII"), struct.Struct("<IHHII")
_VERDEF, _VERDAUX = struct.Struct("<HHHHIII"), struct.Struct("<II")
_WORD = struct.Struct("<I")

_ET_EXEC, _ET_DYN = 2, 3
_PT_LOAD, _PT_DYNAMIC, _PT_INTERP, _PT_NOTE = 1, 2, 3, 4
_PT_GNU_PROPERTY = 0x6474E553

_NEEDED, _HASH, _STRTAB, _SYMTAB, _STRSZ, _SONAME, _RPATH, _RUNPATH = 1, 4, 5, 6, 10, 14, 15, 29
_GNU_HASH, _VERDEF_AT, _VERDEF_COUNT, _VERNEED_AT, _VERNEED_COUNT = (
    0x6FFFFEF5,
    0x6FFFFFFC,
    0x6FFFFFFD,
    0x6FFFFFFE,
    0x6FFFFFFF,
)
_FLAGS_1, _PIE = 0x6FFFFFFB, 0x08000000
_WEAK_VERSION = 2
_STB_LOCAL, _STB_WEAK = 0, 2
_NOTE_PROPERTY, _X86_ISA_NEEDED = 5, 0xC0008002
_COPIES = 1000
"""Ends of strings that are the name of one symbol; linkers write one."""

_LEVELS = {1: 2, 2: 3, 3: 4}
"""Bit of GNU_PROPERTY_X86_ISA_1_NEEDED -> x86-64 level; bit 0 is the baseline."""


class _Segment(Struct, frozen=True):
    kind: int
    offset: int
    address: int
    size: int


class ElfFile:
    """An ELF file of 64 bits, little-endian, with a dynamic table.

    Args:
        stream: of the file, seekable.

    Raises:
        ArtifactError: the file contradicts itself.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._size = stream.seek(0, os.SEEK_END)
        self._walked = 0
        head = self._at(_IDENT, _HEADER.size)
        self.kind, self.machine, _v, _entry, phoff, _shoff, _flags, _ehsize, phentsize, phnum, *_ = _HEADER.unpack(head)
        self._segments = tuple(self._read_segments(phoff, phentsize, phnum))
        self._tags = list(self._read_tags())
        self._strings = self._read_strings()

    @property
    def is_dynamic(self) -> bool:
        """Return whether the loader reads it; object files and static programs have no dynamic table."""
        return self.kind in (_ET_EXEC, _ET_DYN) and any(s.kind == _PT_DYNAMIC for s in self._segments)

    @property
    def is_program(self) -> bool:
        """Return whether it is a program; an interpreter alone does not make it one, since libc.so.6 names one too."""
        pie = any(tag == _FLAGS_1 and value & _PIE for tag, value in self._tags)
        return self.kind == _ET_EXEC or pie or (self._has(_PT_INTERP) and self._first(_SONAME) is None)

    def texts(self, tag: int) -> tuple[str, ...]:
        """Return the strings of all entries of the dynamic table with a tag."""
        return tuple(self._string(value) for own, value in self._tags if own == tag)

    def wants(self) -> dict[str, tuple[str, ...]]:
        """Return library -> symbol versions that must be there."""
        found: dict[str, tuple[str, ...]] = {}
        for at, (_version, count, file, aux, _next) in self._chain(_VERNEED_AT, _VERNEED_COUNT, _VERNEED, 4):
            names = []
            for _at, (_hash, flags, _other, name, _next) in self._walk(at + aux, count, _VERNAUX, 4):
                if not flags & _WEAK_VERSION:
                    names.append(self._string(name))
            found[self._string(file)] = tuple(sorted(names))
        return found

    def defines(self) -> tuple[str, ...]:
        """Return the symbol versions that the file defines, its own name left out."""
        found = []
        for at, (_version, flags, _index, count, _hash, aux, _next) in self._chain(
            _VERDEF_AT, _VERDEF_COUNT, _VERDEF, 6
        ):
            if not flags & 1 and count:  # VER_FLG_BASE: the name of the file
                name, _following = _VERDAUX.unpack(self._mapped(at + aux, _VERDAUX.size))
                found.append(self._string(name))
        return tuple(sorted(found))

    def level(self) -> int:
        """Return the x86-64 level that the file demands, 0 for none."""
        bits = 0
        for segment in self._segments:
            if segment.kind in (_PT_GNU_PROPERTY, _PT_NOTE):
                bits |= self._isa_bits(segment)
        return max((level for bit, level in _LEVELS.items() if bits >> bit & 1), default=0)

    def exported(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Return which of some symbols the file defines for others."""
        wanted = {offset: name for name in names for offset in self._offsets(name.encode())}
        if not wanted:
            return ()
        found = {wanted[name] for name, info, _o, section, _v, _s in self.symbols() if name in wanted and section}
        return tuple(name for name in names if name in found)

    def symbols(self) -> Iterator[tuple[int, int, int, int, int, int]]:
        """Yield the dynamic symbols as `Elf64_Sym` has them: name, info, other, section, value, size."""
        at = self._first(_SYMTAB)
        if at is None:
            return
        yield from _SYMBOL.iter_unpack(self._mapped(at, self._symbol_count(at) * _SYMBOL.size))

    def split(self) -> tuple[dict[bytes, bool], set[bytes]]:
        """Return undefined symbols with whether they are weak, and defined global ones."""
        undefined: dict[bytes, bool] = {}
        defined: set[bytes] = set()
        strings, find = self._strings, self._strings.find
        for name, info, _other, section, _value, _size in self.symbols():
            binding = info >> 4
            if not name or binding == _STB_LOCAL:
                continue
            text = strings[name : find(b"\0", name)]
            if section:
                defined.add(text)
            else:
                undefined[text] = binding == _STB_WEAK
        return undefined, defined

    def _symbol_count(self, at: int) -> int:
        """Find how many symbols there are: the loader needs no count, so the hash tables or the strings tell it."""
        if (table := self._first(_HASH)) is not None:
            _buckets, count = struct.unpack("<II", self._mapped(table, 8))
        elif (table := self._first(_GNU_HASH)) is not None:
            count = self._gnu_count(table)
        else:
            strings = self._first(_STRTAB) or 0
            count = (strings - at) // _SYMBOL.size if strings > at else 0
        return int(_bounded(count, ELF_SYMBOLS, "symbols"))

    def _gnu_count(self, table: int) -> int:
        """Walk to the end of the chain that starts last."""
        buckets, first, bloom, _shift = struct.unpack("<IIII", self._mapped(table, 16))
        _bounded(buckets, ELF_SYMBOLS, "hash buckets")
        _bounded(bloom, ELF_SYMBOLS, "words of a hash table")
        starts = table + 16 + 8 * bloom
        last = max((one for (one,) in _WORD.iter_unpack(self._mapped(starts, 4 * buckets))), default=0)
        if last < first:
            return int(first)
        chain = starts + 4 * buckets + 4 * (last - first)
        while not _WORD.unpack(self._mapped(chain, 4))[0] & 1:
            chain += 4
            last += 1
            _bounded(last, ELF_SYMBOLS, "symbols")
        return int(last) + 1

    def _isa_bits(self, segment: _Segment) -> int:
        raw = self._at(segment.offset, _bounded(segment.size, ELF_TABLE, "bytes of notes"))
        at, bits = 0, 0
        while at + 12 <= len(raw):
            name_size, size, kind = struct.unpack_from("<III", raw, at)
            body = at + 12 + _padded(name_size, 4)
            if kind == _NOTE_PROPERTY and raw[at + 12 : at + 16] == b"GNU\0":
                bits |= _isa_of(raw[body : body + size])
            at = body + _padded(size, 8 if segment.kind == _PT_GNU_PROPERTY else 4)
        return bits

    def _offsets(self, name: bytes) -> Iterator[int]:
        """Yield where a symbol's name may start in the strings: linkers let names share their ends."""
        at, count = -1, 0
        while (at := self._strings.find(name + b"\0", at + 1)) >= 0:
            count = _bounded(count + 1, _COPIES, f"copies of the name {name.decode()}")
            yield at

    def _chain(
        self, tag: int, count_tag: int, form: struct.Struct, following: int
    ) -> Iterator[tuple[int, tuple[int, ...]]]:
        at, count = self._first(tag), self._first(count_tag) or 0
        if at is not None:
            yield from self._walk(at, count, form, following)

    def _walk(self, at: int, count: int, form: struct.Struct, following: int) -> Iterator[tuple[int, tuple[int, ...]]]:
        """Walk a linked list of the file: field number `following` holds the distance to the next entry."""
        for _number in range(_bounded(count, ELF_VERSIONS, "symbol versions")):
            self._walked = _bounded(self._walked + 1, ELF_VERSIONS, "symbol versions")
            entry = form.unpack(self._mapped(at, form.size))
            yield at, entry
            if not entry[following]:
                return
            at += entry[following]

    def _read_segments(self, at: int, size: int, count: int) -> Iterator[_Segment]:
        if count and size != _PROGRAM_HEADER.size:
            raise ArtifactError(f"a program header has {size} bytes, expected {_PROGRAM_HEADER.size}")
        for fields in _PROGRAM_HEADER.iter_unpack(self._at(at, count * _PROGRAM_HEADER.size)):
            kind, _flags, offset, address, _physical, in_file, _in_memory, _align = fields
            yield _Segment(kind, offset, address, in_file)

    def _read_tags(self) -> Iterator[tuple[int, int]]:
        for segment in self._segments:
            if segment.kind != _PT_DYNAMIC:
                continue
            size = _bounded(segment.size, ELF_TABLE, "bytes of its dynamic table")
            raw = self._at(segment.offset, size - size % _DYNAMIC.size)
            for tag, value in _DYNAMIC.iter_unpack(raw):
                if tag == 0:
                    return
                yield tag, value

    def _read_strings(self) -> bytes:
        at, size = self._first(_STRTAB), self._first(_STRSZ)
        return b"" if at is None or size is None else self._mapped(at, size)

    def _string(self, at: int) -> str:
        end = self._strings.find(b"\0", at)
        if not 0 <= at <= end:
            raise ArtifactError(f"a string starts at byte {at} of {len(self._strings)}")
        return self._strings[at:end].decode("utf-8", "backslashreplace")

    def _first(self, tag: int) -> int | None:
        return next((value for own, value in self._tags if own == tag), None)

    def _has(self, kind: int) -> bool:
        return any(segment.kind == kind for segment in self._segments)

    def _mapped(self, address: int, size: int) -> bytes:
        """Read what the loader would map to an address."""
        for segment in self._segments:
            inside = address - segment.address
            if segment.kind == _PT_LOAD and inside >= 0 and inside + size <= segment.size:
                return self._at(segment.offset + inside, size)
        raise ArtifactError(f"{size} bytes at address {address:#x} are in no segment")

    def _at(self, offset: int, size: int) -> bytes:
        if offset + size > self._size:
            raise ArtifactError(f"it ends at byte {self._size}, and states {size} bytes at {offset}")
        self._stream.seek(offset)
        raw = self._stream.read(_bounded(size, ELF_TABLE, "bytes of a table"))
        if len(raw) != size:
            raise ArtifactError("it was shortened while it was read")
        return raw


def read_binary(stream: BinaryIO, path: str, *, content: str = "") -> Binary | None:
    """Read an ELF file; None for what the loader does not load: object files, static programs, code for GPUs.

    Args:
        stream: of the file, which begins with `MAGIC`.
        path: relative to the prefix.
        content: sha256 of the file, where it is known.

    Raises:
        ArtifactError: the file contradicts itself, or has more entries than a limit allows.
    """
    ident = stream.read(_IDENT)
    if len(ident) < _IDENT or ident[:4] != MAGIC or ident[4] != _CLASS64 or ident[5] != _LITTLE:
        return None
    file = ElfFile(stream)
    if not file.is_dynamic:
        return None
    runpath = _folders(file.texts(_RUNPATH))
    return Binary(
        path=path,
        machine=file.machine,
        soname=next(iter(file.texts(_SONAME)), None),
        needed=file.texts(_NEEDED),
        rpath=() if runpath else _folders(file.texts(_RPATH)),
        runpath=runpath,
        wants=file.wants(),
        defines=file.defines(),
        level=file.level(),
        exports=file.exported(MARKERS),
        program=file.is_program,
        content=content,
    )


def _folders(texts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(folder for text in texts for folder in text.split(":") if folder))


def _isa_of(properties: bytes) -> int:
    at, bits = 0, 0
    while at + 8 <= len(properties):
        kind, size = struct.unpack_from("<II", properties, at)
        if kind == _X86_ISA_NEEDED and size == _WORD.size and at + 12 <= len(properties):
            bits |= _WORD.unpack_from(properties, at + 8)[0]
        at += 8 + _padded(size, 8)
    return bits


def _padded(size: int, to: int) -> int:
    return -(-size // to) * to


def _bounded(number: int, limit: int, what: str) -> int:
    if number > limit:
        raise ArtifactError(f"it states {number} {what}, more than {limit}")
    return number
