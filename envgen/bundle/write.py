"""A bundle as one tar or as a folder: the same files and bytes on every machine and at any time."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from envgen.bundle.parts import BundledFile, text_part
from envgen.digest import Digest, Sha256, chunks
from envgen.errors import DigestMismatchError, UserError
from envgen.oci.layout import MARK, MARK_TEXT, index_of
from envgen.oci.read import START
from envgen.oci.tar_blocks import END, header, padding
from envgen.system.fs import atomic_path, atomic_write
from envgen.system.os_faults import explained

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import BinaryIO

    Advance = Callable[[int], None]


class Bundle(Struct, frozen=True, kw_only=True):
    """A bundle that is ready to be written.

    Attributes:
        entries: descriptors of its top manifests with their names, in the order of the index.
        blobs: digest -> file, manifests included.
        start: the script that stands beside them; None where it is left out.
    """

    entries: Sequence[Mapping[str, Any]]
    blobs: Mapping[Sha256, BundledFile]
    start: bytes | None = None

    @property
    def index(self) -> bytes:
        """Return the index, as it is stored."""
        return index_of(self.entries)

    @property
    def digest(self) -> Sha256:
        """Digest of the index, which names the whole content."""
        return Sha256.of(self.index)

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(part.size for part in self.blobs.values())

    @property
    def files(self) -> dict[str, BundledFile]:
        """Path -> file, sorted by path."""
        found = {f"blobs/sha256/{sha}": part for sha, part in self.blobs.items()}
        found |= {"index.json": text_part("", self.index), MARK: text_part("", MARK_TEXT.encode())}
        found |= {START: text_part("", self.start)} if self.start else {}
        return dict(sorted(found.items()))


def write_tar(bundle: Bundle, file: Path, *, advance: Advance) -> None:
    """Write a bundle as one uncompressed tar: sorted, of nobody, from 1970.

    Args:
        bundle: to be written.
        file: the tar; the old one stays until the new one is whole.
        advance: told of the bytes that were written.

    Raises:
        UserError: the file cannot be written, or the disk is full.
        DigestMismatchError: a file of the store is not what its name says.
    """
    with explained(file.parent), atomic_path(file) as temporary, temporary.open("wb") as out:
        for name, part in bundle.files.items():
            out.write(header(name, part.size, mtime=0))
            for piece in _verified(part):
                out.write(piece)
                advance(len(piece))
            out.write(padding(part.size))
        out.write(END)


def write_folder(bundle: Bundle, folder: Path, *, advance: Advance) -> None:
    """Write a bundle as a folder; blobs that are there stay, those of an older bundle go.

    Args:
        bundle: to be written.
        folder: an older bundle, empty or not there.
        advance: told of the bytes that were written or found.

    Raises:
        UserError: the folder holds something else, cannot be written, or the disk is full.
        DigestMismatchError: a file of the store is not what its name says.
    """
    with explained(folder):
        _claim(folder)
        files = bundle.files
        last = {"index.json"}
        for name in [*(name for name in files if name not in last), *sorted(last)]:
            _place(files[name], folder / name, advance)
        for path in (folder / "blobs/sha256").iterdir():
            if Sha256(path.name) not in bundle.blobs:
                path.unlink()


def _claim(folder: Path) -> None:
    names = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    if (names and not names <= {MARK, START, "index.json", "blobs"}) or (folder.exists() and not folder.is_dir()):
        raise UserError(
            f"`{folder}` is neither empty nor a bundle", hint="choose another folder or file with `--output`"
        )


def _place(part: BundledFile, path: Path, advance: Advance) -> None:
    """Link or copy a file to its path, unless it is there already."""
    advance(part.size)
    if isinstance(part.source, bytes):
        atomic_write(path, part.source)
        return
    if path.is_file() and not path.is_symlink() and _digest(path) == part.sha256:
        return
    with atomic_path(path, mode=0o444) as temporary:
        temporary.unlink()
        try:
            os.link(part.source, temporary)
        except OSError:  # another file system, or one without links
            shutil.copyfile(part.source, temporary)
        if (got := _digest(temporary)) != part.sha256:
            raise _mismatch(part, got)


def _digest(path: Path) -> Sha256:
    with path.open("rb") as stream:
        return Sha256.of_stream(stream)


def _verified(part: BundledFile) -> Iterator[bytes]:
    """Yield the bytes of a file, and raise at their end where they are not what they should be."""
    if isinstance(part.source, bytes):
        yield part.source
        return
    digest = Digest()
    with part.source.open("rb") as stream:
        yield from digest.through(_bounded(stream, part.size))
    if digest.sha256 != part.sha256 or digest.size != part.size:
        raise _mismatch(part, digest.sha256)


def _bounded(stream: BinaryIO, size: int) -> Iterator[bytes]:
    """Yield at most `size` bytes: what comes behind them must not shift the rest of a tar."""
    for piece in chunks(stream):
        yield piece[:size]
        size -= len(piece)
        if size <= 0:
            return


def _mismatch(part: BundledFile, got: Sha256) -> DigestMismatchError:
    return DigestMismatchError(what=f"`{part.title}`", where=f"`{part.source!s}`", expected=part.sha256, got=got)
