"""An OCI layout that somebody else wrote, as a folder or as one uncompressed tar: read, and trusted in nothing.

Opening one looks at the name, kind and size of every file and reads the manifests, so that what follows can rely on it:
only regular files with names that a layout has, each blob listed by a manifest with its size, each listed blob there,
and nothing behind the end. The bytes of a blob are verified when they are read. Nothing is ever unpacked by its name.

Format: OCI image specification 1.1, `image-layout.md`; POSIX ustar, sizes in base 256 as GNU tar writes them.
"""

from __future__ import annotations

import os
import re
import stat
import tarfile
import weakref
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

from envgen import limits
from envgen.digest import CHUNK, Digest, Sha256
from envgen.documents import read_json
from envgen.errors import ArtifactError, DigestMismatchError, UserError
from envgen.oci.descriptor import parse_descriptor
from envgen.oci.layout import INDEX, LAYOUT_VERSION, MANIFEST, MARK
from envgen.oci.tar_blocks import BLOCK
from envgen.system.fs import HashedFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from envgen.oci.descriptor import Descriptor

START = "start.py"
"""The script that stands beside a bundle's blobs, and is one of them, too."""

_INDEX = "index.json"
_BLOB = re.compile(r"blobs/sha256/([0-9a-f]{64})")
_OTHERS = frozenset({MARK, _INDEX, START, "manifest.json"})
_FOLDERS = frozenset({"", ".", "blobs", "blobs/sha256"})
_OWN_LOCK = ".envgen-lock"
_TAIL = 1 << 20
"""Bytes of zeros that may follow the end of a tar; GNU tar fills up to 10 KiB."""

_KINDS = {
    tarfile.SYMTYPE: "a symbolic link",
    tarfile.LNKTYPE: "a hard link",
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
    tarfile.FIFOTYPE: "a named pipe",
    tarfile.DIRTYPE: "a folder",
}


class _Files(Protocol):
    """The files of a layout by their names."""

    @property
    def sizes(self) -> Mapping[str, int]:
        """Name -> bytes."""

    def pieces(self, name: str) -> Iterator[bytes]:
        """Yield the bytes of a file."""


class LayoutReader:
    """A layout at `path` that was checked as far as this is possible without reading its blobs; see `open_layout`.

    Attributes:
        path: of the folder or tar.
        manifests: the top ones, in the order of `index.json`, and those of an index among them.
        digest: of `index.json`: it names the whole content.
    """

    def __init__(self, path: Path, files: _Files) -> None:
        self.path = path
        self._files = files
        self._blobs = {Sha256(found[1]): size for name, size in files.sizes.items() if (found := _BLOB.fullmatch(name))}
        if (version := self._json(self._small(MARK), MARK).get("imageLayoutVersion")) != LAYOUT_VERSION:
            raise self._fault(f"`{MARK}`: `imageLayoutVersion`: expected {LAYOUT_VERSION!r}, got {version!r}")
        raw = self._small(_INDEX)
        self.digest = Sha256.of(raw)
        self.manifests = tuple(self._manifests(self._json(raw, _INDEX)))
        self._check(self._listed())

    @property
    def blobs(self) -> Mapping[Sha256, int]:
        """Digest by its name -> bytes, of every blob."""
        return self._blobs

    @property
    def index(self) -> bytes:
        """Return the bytes of `index.json`."""
        return self._small(_INDEX)

    def has(self, sha: Sha256) -> bool:
        """Return whether there is a blob of this name."""
        return sha in self._blobs

    def copy(self, sha: Sha256, out: BinaryIO, *, advance: Callable[[int], None] | None = None) -> None:
        """Write a blob to an empty file.

        Raises:
            DigestMismatchError: its bytes are not what its name says; `out` has some of them.
            ArtifactError: the file became shorter meanwhile.
        """
        digest = Digest(sink=out.write) if not isinstance(out, HashedFile) else None
        for piece in self._files.pieces(f"blobs/sha256/{sha}"):
            if digest:
                digest.update(piece)
            else:
                out.write(piece)
            if advance:
                advance(len(piece))
        got = out.sha256() if isinstance(out, HashedFile) else digest.sha256 if digest else sha
        self._same(sha, got)

    def read(self, sha: Sha256) -> bytes:
        """Return the bytes of a small blob.

        Raises:
            ArtifactError: it is larger than manifests may be.
            DigestMismatchError: its bytes are not what its name says.
        """
        data = self._small(f"blobs/sha256/{sha}")
        self._same(sha, Sha256.of(data))
        return data

    def document(self, entry: Descriptor) -> dict[str, Any]:
        """Read a manifest, an index or another JSON object.

        Raises:
            IntegrityError: as `read`, or it is not a JSON object.
        """
        return self._json(self.read(entry.digest), f"sha256:{entry.digest}")

    def descriptors(self, manifest: Descriptor) -> tuple[Descriptor, ...]:
        """List what a manifest leads to: its layers."""
        return tuple(self._entries(self.document(manifest), "layers", f"sha256:{manifest.digest}"))

    def _manifests(self, index: Mapping[str, Any]) -> Iterator[Descriptor]:
        for entry in self._entries(index, "manifests", _INDEX):
            if entry.media_type == INDEX:
                yield from self._entries(self.document(entry), "manifests", f"sha256:{entry.digest}")
            else:
                yield entry

    def _listed(self) -> dict[Sha256, int]:
        """Collect every blob that the index leads to: digest -> size."""
        waiting = list(self._entries(self._json(self._small(_INDEX), _INDEX), "manifests", _INDEX))
        found: dict[Sha256, int] = {}
        while waiting:
            entry = waiting.pop()
            if entry.digest in found:
                if found[entry.digest] != entry.size:
                    raise self._fault(f"sha256:{entry.digest} is listed with two sizes")
                continue
            found[entry.digest] = entry.size
            if len(found) > limits.BLOBS:
                raise self._fault(f"it lists more than {limits.BLOBS} blobs")
            if entry.media_type in {INDEX, MANIFEST}:
                waiting += self._below(entry)
        return found

    def _below(self, entry: Descriptor) -> list[Descriptor]:
        if not self.has(entry.digest):
            raise self._fault(f"the manifest sha256:{entry.digest} is missing")
        document, where = self.document(entry), f"sha256:{entry.digest}"
        found = [*self._entries(document, "manifests", where), *self._entries(document, "layers", where)]
        single = [self._entry(document[key], f"{where}: {key}") for key in ("config", "subject") if key in document]
        return [*found, *single]

    def _check(self, listed: Mapping[Sha256, int]) -> None:
        """Compare what is listed with what is there.

        Raises:
            ArtifactError: they differ.
        """
        if unlisted := sorted(self._blobs.keys() - listed.keys()):
            raise self._fault(f"{len(unlisted)} blobs are in no manifest, such as sha256:{unlisted[0]}")
        if missing := sorted(listed.keys() - self._blobs.keys()):
            raise self._fault(f"{len(missing)} blobs are missing, such as sha256:{missing[0]}")
        for sha, size in listed.items():
            if self._blobs[sha] != size:
                raise self._fault(f"sha256:{sha} has {self._blobs[sha]} bytes, expected {size}")
        if START in self._files.sizes and Sha256.of(self._small(START)) not in listed:
            raise self._fault(f"`{START}` is in no manifest")

    def _entries(self, document: Mapping[str, Any], key: str, where: str) -> Iterator[Descriptor]:
        entries = document.get(key, [])
        if not isinstance(entries, list):
            raise self._fault(f"{where}: `{key}`: expected a list")
        for number, entry in enumerate(entries):
            yield self._entry(entry, f"{where}: {key}[{number}]")

    def _entry(self, entry: Any, where: str) -> Descriptor:
        try:
            return parse_descriptor(entry)
        except ValueError as error:
            raise self._fault(f"{where}: not a descriptor: {error}") from error

    def _json(self, data: bytes, where: str) -> dict[str, Any]:
        try:
            found = read_json(data, limit=limits.MANIFEST)
        except ValueError as error:
            raise self._fault(f"{where}: not JSON: {error}") from error
        if not isinstance(found, dict):
            raise self._fault(f"{where}: expected a JSON object")
        return found

    def _small(self, name: str) -> bytes:
        size = self._files.sizes.get(name)
        if size is None:
            raise self._fault(f"`{name}` is missing")
        if size > limits.MANIFEST:
            raise self._fault(f"`{name}` has {size} bytes, expected at most {limits.MANIFEST}")
        return b"".join(self._files.pieces(name))

    def _same(self, expected: Sha256, got: Sha256) -> None:
        if got != expected:
            raise DigestMismatchError(what="a blob", where=f"`{self.path}`", expected=expected, got=got)

    def _fault(self, what: str) -> ArtifactError:
        return _fault(self.path, what)


def open_layout(path: Path) -> LayoutReader:
    """Open a layout, which stays open as long as the process lives.

    Args:
        path: of a folder, or of an uncompressed tar.

    Raises:
        UserError: it cannot be read.
        ArtifactError: it is not a layout, is truncated, or holds what no layout holds.
        DigestMismatchError: a manifest is not what its name says.
    """
    try:
        kind = path.stat().st_mode
        if stat.S_ISDIR(kind):
            return LayoutReader(path, _FolderFiles(path))
        if not stat.S_ISREG(kind):  # opening a named pipe would wait for a writer
            raise _fault(path, "it is neither a folder nor a regular file")
        return LayoutReader(path, _TarFiles(path))
    except OSError as error:
        raise UserError(
            f"failed to read the bundle `{path}`: {error.strerror}", hint="check `--bundle` and ENVGEN_BUNDLE"
        ) from error


class _FolderFiles:
    """The files of a layout that is a folder; links are refused."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.sizes: dict[str, int] = {}
        for folder in ("", "blobs", "blobs/sha256"):
            self._scan(folder)

    def pieces(self, name: str) -> Iterator[bytes]:
        handle = os.open(self._path / name, os.O_RDONLY | os.O_NOFOLLOW)
        with os.fdopen(handle, "rb", buffering=0) as stream:
            yield from _exactly(stream, self.sizes[name], self._path)

    def _scan(self, folder: str) -> None:
        if not (self._path / folder).is_dir():
            raise _fault(self._path, f"`{folder}` is missing")
        with os.scandir(self._path / folder) as found:
            entries = list(found)
        for entry in entries:
            name = f"{folder}/{entry.name}".lstrip("/")
            if (entry.is_dir(follow_symlinks=False) and name in _FOLDERS) or name == _OWN_LOCK:
                continue
            status = entry.stat(follow_symlinks=False)
            if not stat.S_ISREG(status.st_mode):
                raise _fault(self._path, f"`{name}` is not a regular file")
            _check_name(self._path, name)
            self.sizes[name] = status.st_size


class _TarFiles:
    """The files of a layout that is a tar, by where they begin in it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        weakref.finalize(self, os.close, self._file)
        self._places: dict[str, int] = {}
        self.sizes: dict[str, int] = {}
        self._end = os.fstat(self._file).st_size
        self._scan()

    def pieces(self, name: str) -> Iterator[bytes]:
        at, left = self._places[name], self.sizes[name]
        while left:  # `pread`, since several threads read one file
            data = os.pread(self._file, min(CHUNK, left), at)
            if not data:
                raise _fault(self._path, "it was cut while it was read")
            at, left = at + len(data), left - len(data)
            yield data

    def _scan(self) -> None:
        at = 0
        while (block := self._block(at)) != bytes(BLOCK):
            info = self._header(block, at)
            name = info.name.removeprefix("./").rstrip("/")
            at += BLOCK
            if info.type == tarfile.DIRTYPE and name in _FOLDERS and not info.size:
                continue
            self._add(info, name, at)
            at += -(-info.size // BLOCK) * BLOCK
        rest = self._end - at
        if rest > _TAIL or os.pread(self._file, rest, at).strip(b"\0"):
            raise _fault(self._path, "there are bytes behind its end")
        if rest < 2 * BLOCK:
            raise _fault(self._path, "it is truncated")

    def _add(self, info: tarfile.TarInfo, name: str, at: int) -> None:
        if info.type not in {tarfile.REGTYPE, tarfile.AREGTYPE}:
            raise _fault(self._path, f"`{name}` is {_KINDS.get(info.type, 'not a regular file')}")
        _check_name(self._path, name)
        if name in self.sizes:
            raise _fault(self._path, f"`{name}` is there twice")
        if not 0 <= info.size <= self._end - at:
            raise _fault(self._path, f"it is truncated: `{name}` would end behind it")
        if len(self.sizes) > limits.BLOBS:
            raise _fault(self._path, f"it holds more than {limits.BLOBS} files")
        self._places[name], self.sizes[name] = at, info.size

    def _block(self, at: int) -> bytes:
        block = os.pread(self._file, BLOCK, at)
        if len(block) < BLOCK:
            raise _fault(self._path, "it is truncated" if at else "it is not a tar")
        return block

    def _header(self, block: bytes, at: int) -> tarfile.TarInfo:
        try:
            return tarfile.TarInfo.frombuf(block, "ascii", "strict")
        except (tarfile.HeaderError, ValueError) as error:
            raise _fault(self._path, f"it has no header at byte {at}" if at else "it is not a tar") from error


def _exactly(stream: BinaryIO, size: int, path: Path) -> Iterator[bytes]:
    while size:
        data = stream.read(min(CHUNK, size))
        if not data:
            raise _fault(path, "a file was cut while it was read")
        size -= len(data)
        yield data


def _check_name(path: Path, name: str) -> None:
    if name not in _OTHERS and not _BLOB.fullmatch(name):
        raise _fault(path, f"it holds {name!r}, which no OCI layout has")


def _fault(path: Path, what: str) -> ArtifactError:
    return ArtifactError(
        f"`{path}` cannot be used as a bundle: {what}",
        hint="expected an OCI layout, as a folder or as an uncompressed tar, such as `envgen bundle` writes",
    )
