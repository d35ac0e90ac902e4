"""What a page lists, by version: all of it is kept, perhaps compressed, and a solve looks at a quarter of it.

The pages of 450 packages have 135 MB of JSON, which becomes 30 MB.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from functools import lru_cache
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import zstandard

from envgen.documents import read_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from envgen.sources.pypi_json import Entry

_BLOCK = 1 << 17
"""Bytes that are compressed together: versions that follow one another are mostly asked for together."""

_LEVEL = 1
"""Compresses 700 MB/s to 0.23 of the size; level 3 takes twice as long and makes no difference."""

_UNPACKED = 32
"""Blocks that stay unpacked, those that were read last."""


class PlainEntries:
    """Entries of a page by version, as they stand in its document.

    Args:
        groups: version -> entries in the order of the page.
    """

    def __init__(self, groups: Mapping[str, Sequence[Entry]]) -> None:
        self._groups = groups

    def of(self, version: str) -> list[Mapping[str, Any]]:
        """Return the fields of the entries of a version; raises as `PackedEntries.of` does."""
        return [read_json(bytes(entry)) for entry in self._groups[version]]


class PackedEntries:
    """Entries of a page by version, compressed: nothing of its document stays.

    Args:
        groups: version -> entries in the order of the page.
    """

    def __init__(self, groups: Mapping[str, Sequence[Entry]]) -> None:
        self._places = {version: place for place, version in enumerate(groups)}
        self._starts = array("Q", [0])
        self._blocks: list[bytes] = []
        self._block_starts: list[int] = []
        pack = zstandard.ZstdCompressor(level=_LEVEL).compress
        for block in _blocks(groups.values()):
            self._block_starts.append(self._starts[-1])
            self._starts.extend(accumulate(map(len, block), initial=self._starts.pop()))
            self._blocks.append(pack(b"".join(block)))

    def of(self, version: str) -> list[Mapping[str, Any]]:
        """Return the fields of the entries of a version.

        Raises:
            ValueError, RecursionError: they are not JSON, or too deep.
        """
        place = self._places[version]
        start, end = self._starts[place], self._starts[place + 1]
        block = bisect_right(self._block_starts, start) - 1
        before = self._block_starts[block]
        text = _unpacked(self._blocks[block])[start - before : end - before]
        found: list[Mapping[str, Any]] = read_json(b"[%b]" % text)
        return found


def _blocks(groups: Iterable[Sequence[Entry]]) -> Iterator[list[bytes]]:
    """Yield the texts of groups, about as many bytes at a time as are compressed together."""
    block: list[bytes] = []
    size = 0
    for entries in groups:
        block.append(b",".join(entries))
        size += len(block[-1])
        if size >= _BLOCK:
            yield block
            block, size = [], 0
    if block:
        yield block


@lru_cache(maxsize=_UNPACKED)
def _unpacked(block: bytes) -> bytes:
    return zstandard.ZstdDecompressor().decompress(block)
