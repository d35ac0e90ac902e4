"""Wheels converted from memory as they would be from a server: the end first, then the body in pieces."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pytest

from envgen.convert.wheel import convert, convert_opened
from envgen.convert.wheel_stream import Body, open_streamed
from envgen.digest import Digest
from envgen.errors import ArtifactError, DigestMismatchError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from envgen.convert.wheel import ConversionTerms
    from envgen.packages import Wheel
    from envgen.records import Record

_PIECE = 1000


def convert_streamed(
    raw: bytes,
    wheel: Wheel,
    terms: ConversionTerms,
    *,
    dest: Path,
    told: bytes | None = None,
    piece: int = _PIECE,
    **options: Any,
) -> Record:
    """Convert a wheel as it comes, in pieces of so many bytes; `told` is what the ranges have, where they lie."""
    ranges, digest = io.BytesIO(raw if told is None else told), Digest()
    opened = open_streamed(
        ranges,
        Body(pieces(raw, piece), digest.update),
        wheel,
        size=len(ranges.getvalue()),
        python=terms.target.python,
        fold_case=not terms.target.platform.is_linux,
    )
    record = convert_opened(opened, wheel, terms, dest=dest, **options)
    if digest.sha256 != wheel.sha256:
        raise DigestMismatchError(what="a wheel", where="memory", expected=wheel.sha256, got=digest.sha256)
    return record


def convert_both(file: Path, wheel: Wheel, terms: ConversionTerms, *, roots: Sequence[Path], **options: Any) -> Record:
    """Convert a wheel from the disk and as it comes: both give the same files, or both refuse it; `roots` are made."""
    streamed = {**options, "advance": None}
    for root in roots:
        root.mkdir()
    try:
        record = convert(file, wheel, terms, dest=roots[0], **options)
    except ArtifactError:
        with pytest.raises(ArtifactError):
            convert_streamed(file.read_bytes(), wheel, terms, dest=roots[1], **streamed)
        raise
    assert convert_streamed(file.read_bytes(), wheel, terms, dest=roots[1], **streamed) == record
    assert _files(roots[1]) == _files(roots[0])
    return record


def _files(root: Path) -> dict[str, tuple[int, bytes]]:
    found = (path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): (path.lstat().st_mode, path.read_bytes()) for path in found}


def pieces(raw: bytes, size: int = _PIECE) -> Iterator[bytes]:
    """Yield bytes as a socket does."""
    yield from (raw[start : start + size] for start in range(0, len(raw), size))
