"""Bind a symbol of the C library under another version, or to another function with the same signature.

A program asks for the newest version of each symbol that its linker saw, also where an older one does the same. What
is changed here is where the dynamic loader looks: the name in `.dynsym` and `.dynstr`, the index in `.gnu.version`, and
the version in `.gnu.version_r`. All of it in place: no section moves. Format: the Linux Standard Base, "Symbol
Versioning"; 64-bit little-endian files, as on every platform that is supported.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, BinaryIO

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from msgspec import Struct

from envgen.errors import ArtifactError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_SYMBOL, _NEED, _AUX = struct.Struct("<IBBHQQ"), struct.Struct("<HHIII"), struct.Struct("<IHHII")
_HIDDEN = 0x8000
_GLIBC = "GLIBC_"
_MAGIC = b"\x7fELF"


class _NoRoomError(Exception):
    """A text that has no place in the file's strings."""


class _Aux(Struct, frozen=True, kw_only=True):
    """A version that a file needs of a library.

    Attributes:
        at: offset in the file; `before` is that of the entry that leads here, of a library or a version.
        index: by which symbols refer to it.
        name: offset of its name in the strings.
    """

    at: int
    before: int
    need: int
    index: int
    name: int
    following: int


class _Tables:
    """The tables of a file that say what it binds to."""

    def __init__(self, raw: bytearray, places: Mapping[str, tuple[int, int]]) -> None:
        self.raw = raw
        self.symbols, self.strings = places[".dynsym"], places[".dynstr"]
        self.versions, self.needs = places[".gnu.version"], places[".gnu.version_r"]

    def text(self, name: int) -> str:
        start = self.strings[0] + name
        return self.raw[start : self.raw.index(b"\0", start)].decode()

    def of_glibc(self) -> Iterator[tuple[int, str]]:
        """Yield the number and name of each symbol that the C library has to define."""
        glibc = {aux.index for aux in self.auxes() if self.text(aux.name).startswith(_GLIBC)}
        for number in range(self.symbols[1] // _SYMBOL.size):
            name, _info, _other, section, _value, _size = self._symbol(number)
            if not section and self.version(number) in glibc:
                yield number, self.text(name)

    def version(self, number: int) -> int:
        return int.from_bytes(self.raw[(at := self.versions[0] + 2 * number) : at + 2], "little") & ~_HIDDEN

    def set_version(self, number: int, index: int) -> None:
        struct.pack_into("<H", self.raw, self.versions[0] + 2 * number, index)

    def auxes(self) -> Iterator[_Aux]:
        """Yield every version that the file needs."""
        need = self.needs[0]
        while True:
            _version, _count, _file, first, following = _NEED.unpack_from(self.raw, need)
            before, at = need, need + first
            while True:
                _hash, _flags, index, name, step = _AUX.unpack_from(self.raw, at)
                yield _Aux(at=at, before=before, need=need, index=index, name=name, following=step)
                if not step:
                    break
                before, at = at, at + step
            if not following:
                return
            need += following

    def rename(self, number: int, name: str) -> None:
        old = self._symbol(number)[0]
        struct.pack_into("<I", self.raw, self.symbols[0] + number * _SYMBOL.size, self._placed(name, over=old))

    def restamp(self, aux: _Aux, version: str) -> None:
        """Replace the version of an entry."""
        name = self._placed(version, over=aux.name)
        struct.pack_into("<I", self.raw, aux.at, _hash_of(version))
        struct.pack_into("<I", self.raw, aux.at + 8, name)

    def drop(self, aux: _Aux) -> None:
        """Remove an entry that nothing refers to from the list of its library, unless it is the only one."""
        count = _NEED.unpack_from(self.raw, aux.need)[1]
        step = aux.at - aux.before + aux.following
        if aux.before == aux.need:
            struct.pack_into("<I", self.raw, aux.need + 8, step)
        else:
            struct.pack_into("<I", self.raw, aux.before + 12, step if aux.following else 0)
        struct.pack_into("<H", self.raw, aux.need + 2, count - 1)

    def _symbol(self, number: int) -> tuple[int, ...]:
        return _SYMBOL.unpack_from(self.raw, self.symbols[0] + number * _SYMBOL.size)

    def _placed(self, text: str, *, over: int) -> int:
        """Return where a text is in the strings; if nowhere, write it over one that only the caller refers to."""
        start, size = self.strings
        found = self.raw.find(b"\0" + text.encode() + b"\0", start, start + size)
        if found >= 0:
            return found + 1 - start
        room = len(self.text(over))
        if len(text) > room or self._references(over, over + room) > 1:
            raise _NoRoomError(text)
        self.raw[start + over : start + over + room] = text.encode().ljust(room, b"\0")
        return over

    def _references(self, first: int, last: int) -> int:
        """Count what refers to the strings from `first` to `last`: linkers share the ends of texts."""
        symbols = (self._symbol(number)[0] for number in range(self.symbols[1] // _SYMBOL.size))
        return sum(first <= name <= last for name in (*symbols, *(aux.name for aux in self.auxes())))


def rebind(file: Path, targets: Mapping[str, str]) -> frozenset[str]:
    """Change what symbols of a file are bound to, in place.

    Args:
        file: any file; one that is not a dynamically linked ELF file is left alone.
        targets: symbol -> `symbol@VERSION` of the same library, whose function takes and returns the same.

    Returns:
        The symbols that were found, all of which are changed now.

    Raises:
        ArtifactError: the file is malformed, or has no room for a name.
    """
    with file.open("rb") as stream:
        if stream.read(4) != _MAGIC:
            return frozenset()
        stream.seek(0)
        raw = stream.read()
        if not any(name.encode() + b"\0" in raw for name in targets):
            return frozenset()  # most files: their tables need not be read
        places = _places(stream, file.name)
    if places is None:
        return frozenset()
    tables = _Tables(bytearray(raw), places)
    try:
        changed = {name: number for number, name in tables.of_glibc() if name in targets}
        for name, number in changed.items():
            _bind(tables, number, targets[name])
    except (_NoRoomError, struct.error, ValueError) as error:
        raise ArtifactError(f"failed to rebind symbols of `{file.name}`: {error}") from error
    if changed:
        file.write_bytes(tables.raw)
    return frozenset(changed)


def _bind(tables: _Tables, number: int, target: str) -> None:
    symbol, _at, version = target.partition("@")
    old = next(aux for aux in tables.auxes() if aux.index == tables.version(number))
    same_library = [aux for aux in tables.auxes() if aux.need == old.need]
    there = next((aux for aux in same_library if tables.text(aux.name) == version), None)
    count = tables.symbols[1] // _SYMBOL.size
    is_alone = [tables.version(one) for one in range(count)].count(old.index) == 1
    if there:
        tables.set_version(number, there.index)
        if is_alone and there != old:
            tables.drop(old)
    elif is_alone:
        tables.restamp(old, version)
    else:
        raise _NoRoomError(version)
    tables.rename(number, symbol)


def _places(stream: BinaryIO, name: str) -> dict[str, tuple[int, int]] | None:
    """Find the offsets and sizes of the tables; None where a file has not all of them."""
    wanted = (".dynsym", ".dynstr", ".gnu.version", ".gnu.version_r")
    try:
        elf = ELFFile(stream)
        if elf.elfclass != 64 or not elf.little_endian:  # noqa: PLR2004  bits of a word
            return None
        sections = {section.name: section for section in elf.iter_sections() if section.name in wanted}
        found = {name: (section["sh_offset"], section["sh_size"]) for name, section in sections.items()}
    except (ELFError, ValueError, KeyError) as error:
        raise ArtifactError(f"`{name}` is not a valid ELF file: {error}") from error
    return found if len(found) == len(wanted) else None


def _hash_of(text: str) -> int:
    """Compute the hash of a version's name: that of System V, "Hash Table"."""
    value = 0
    for char in text.encode():
        value = (value << 4) + char
        high = value & 0xF0000000
        value = (value ^ (high >> 24)) & ~high & 0xFFFFFFFF
    return value
