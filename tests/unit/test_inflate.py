"""Compressed streams are read up to a bound, whatever they claim."""

from __future__ import annotations

import gzip
import io
import lzma
import tracemalloc
import zlib

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from envgen.inflate import Inflated, InflateError

PACK = {"": lambda data: data, ".gz": gzip.compress, ".xz": lzma.compress, ".zst": zstandard.compress}
PACKED = [ending for ending in PACK if ending]


def inflate(data: bytes, ending: str, *, limit: int) -> bytes:
    return Inflated(io.BytesIO(data), ending, limit=limit).read()


@pytest.mark.parametrize("ending", PACK)
@given(data=st.binary(max_size=3000), size=st.integers(1, 4000))
def test_what_was_packed_comes_back(ending: str, data: bytes, size: int) -> None:
    assert inflate(PACK[ending](data), ending, limit=3000) == data
    stream = Inflated(io.BytesIO(PACK[ending](data)), ending, limit=3000)
    assert b"".join(iter(lambda: stream.read(size), b"")) == data


@pytest.mark.parametrize("ending", PACKED)
def test_several_streams_in_one_file(ending: str) -> None:
    padding = bytes(4) if ending == ".xz" else b""
    assert inflate(PACK[ending](b"one") + padding + PACK[ending](b"two") + padding, ending, limit=6) == b"onetwo"


@pytest.mark.parametrize("ending", PACKED)
def test_a_bomb_stays_small(ending: str) -> None:
    bomb = PACK[ending](bytes(200 << 20))
    tracemalloc.start()
    try:
        with pytest.raises(InflateError, match="unpacks to more than 1048576 bytes"):
            inflate(bomb, ending, limit=1 << 20)
        assert tracemalloc.get_traced_memory()[1] < 32 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("ending", PACKED)
@pytest.mark.parametrize("damage", [lambda d: d[:-1], lambda d: d[:5], lambda d: b"x" + d[1:], lambda d: d + b"x" * 9])
def test_damage_is_one_error(ending: str, damage: object) -> None:
    assert callable(damage)
    data = damage(PACK[ending](bytes(range(256)) * 99))
    try:
        found = inflate(data, ending, limit=1 << 20)
    except InflateError:
        return
    assert ending == ".zst"
    assert found != bytes(range(256)) * 99 or data.endswith(b"x")


def test_memory_that_a_header_asks_for_is_bounded() -> None:
    packer = lzma.LZMACompressor(lzma.FORMAT_XZ, filters=[{"id": lzma.FILTER_LZMA2, "preset": 0}])
    good = packer.compress(b"x") + packer.flush()
    assert inflate(good, ".xz", limit=9) == b"x"
    with pytest.raises(InflateError, match="damaged"):
        inflate(_with_dictionary(good, 0x28), ".xz", limit=9)  # 4 GB


def _with_dictionary(stream: bytes, size: int) -> bytes:
    """Change the size of the dictionary in the header of the first block (xz file format 1.2.0, 3.1 and 5.3.1)."""
    start, length = 12, (stream[12] + 1) * 4
    block = bytearray(stream[start : start + length - 4])
    at = bytes(block).index(b"\x21\x01") + 2
    block[at] = size
    return stream[:start] + bytes(block) + zlib.crc32(bytes(block)).to_bytes(4, "little") + stream[start + length :]
