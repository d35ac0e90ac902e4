"""`.conda` archives (CEP 35): the one writer, whose bytes depend on the package alone, and the one reader.

`conda_package_streaming.create.conda_builder` is not used: it writes the time of day into the zip, and copies the
whole package to a temporary file before it compresses it.
"""

from __future__ import annotations

import json
import os
import stat
import tarfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

import zstandard
from msgspec import Struct

from envgen.convert.conda_bounds import check_bounds
from envgen.convert.extracted import check_extracted
from envgen.digest import CHUNK, Digest, Sha256, chunks
from envgen.errors import ArtifactError
from envgen.system.os_faults import NOT_ALLOWED, os_fault, told_by_rust
from envgen.system.seal import SEAL

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from envgen.convert.extracted import Identity

_LEVEL = 3
"""zstd: 3.85 GB in 25 s for a stack of 9 GB, where level 1 takes 4.39 GB and 13 s."""

_ZIP64_FROM = 1 << 31
"""Uncompressed bytes from which a part gets a zip64 header: half of the limit, since zstd may add a little."""

_ZIP_TIME = (1980, 1, 1, 0, 0, 0)
_YEAR_2000 = 946_684_800
_TWENTY_YEARS = 631_152_000


class CondaArchive(Struct, frozen=True, kw_only=True):
    """An archive that was written.

    Attributes:
        sha256: of the archive.
        md5: of the archive, 32 hexadecimal digits; conda-lock demands it.
        size: bytes.
    """

    sha256: Sha256
    md5: str
    size: int


class _Entry(Struct, frozen=True, kw_only=True):
    path: str
    file: Path
    stat: os.stat_result

    @property
    def is_link(self) -> bool:
        return stat.S_ISLNK(self.stat.st_mode)

    @property
    def mode(self) -> int:
        return 0o755 if self.stat.st_mode & 0o100 else 0o644


class _Hashed:
    """A file that is digested as it is read."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self.digest = Digest()

    def read(self, size: int) -> bytes:
        data = self._source.read(size)
        self.digest.update(data)
        return data


def write_conda(package_dir: Path, out: BinaryIO, *, stem: str) -> CondaArchive:
    """Write an extracted package as a `.conda` archive: the same bytes for the same package, zstd and `stem`.

    Args:
        package_dir: a sealed package.
        out: empty, open for reading and writing, seekable: a zip's headers are filled in afterwards, because
            rattler reads archives as a stream and needs the sizes in front.
        stem: `name-version-build`.
    """
    return _write(list(_entries(package_dir)), out, stem=stem, digests=None)


def write_described(package_dir: Path, out: BinaryIO, *, stem: str) -> tuple[CondaArchive, Sha256]:
    """Write an archive as `write_conda` does, and return its `content_digest` as well: each file is read once."""
    entries, digests = list(_entries(package_dir)), dict[str, Sha256]()
    archive = _write(entries, out, stem=stem, digests=digests)
    return archive, _content(entries, digests)


def content_digest(package_dir: Path) -> Sha256:
    """Digest what is in a package, whatever archive it came in: path, mode and bytes or link target of everything.

    It is the sha256 of one line for each path, sorted: kind (`f`, `x` for an executable file, `l`), sha256 of the
    bytes or of the link target, path.
    """
    return _content(_entries(package_dir), {})


def _content(entries: Iterable[_Entry], digests: Mapping[str, Sha256]) -> Sha256:
    """Digest entries, sorted by path; files whose digests are not known are read."""
    whole = Digest()
    for entry in entries:
        if entry.is_link:
            kind, digest = "l", Sha256.of(str(entry.file.readlink()).encode())
        else:
            kind, digest = "x" if entry.mode & 0o100 else "f", digests.get(entry.path) or _digest(entry.file)
        whole.update(f"{kind} {digest} {entry.path}\0".encode())
    return whole.sha256


def _digest(file: Path) -> Sha256:
    with file.open("rb") as source:
        return Sha256.of_stream(source)


def extract_conda(archive: Path, dest: Path, *, expected: Identity | None = None) -> None:
    """Extract a `.conda` or `.tar.bz2` into an empty or missing directory, and prove what it says about itself.

    rattler writes nothing outside `dest`, makes no devices and drops setuid bits (conda-package-streaming follows
    hard links out of the folder); it passes over names that escape, which are then missing in `check_extracted`.

    Args:
        archive: the file.
        dest: becomes the extracted package.
        expected: what the lock calls the package; not compared without.

    Raises:
        ArtifactError: the archive is damaged or unsafe, holds more than `limits.py` allows, or see `check_extracted`.
        UserError: the disk is full, or fails.
    """
    from rattler import package_streaming  # noqa: PLC0415  takes 30 ms, and those who write archives do not need it
    from rattler.exceptions import ExtractError  # noqa: PLC0415  as above

    try:
        check_bounds(archive)
        package_streaming.extract(archive, dest)
    except (ExtractError, OSError, ValueError) as e:
        told = e if isinstance(e, OSError) and e.errno else told_by_rust(e)
        if told and told.errno not in NOT_ALLOWED and (fault := os_fault(told, dest)):  # modes come from the archive
            raise fault from e
        raise ArtifactError(f"failed to extract `{archive.name}`: {e}") from e
    try:
        check_extracted(dest, what=archive.name, expected=expected)
    except PermissionError as e:  # modes come from the archive
        where = os.path.relpath(e.filename, dest)
        raise ArtifactError(f"failed to extract `{archive.name}`: `{where}`: {e.strerror}") from e


def _entries(package_dir: Path) -> Iterator[_Entry]:
    """List files and links, sorted by path; folders follow from them. The seal of the store is no part of a package."""
    found = []
    for folder, folders, files in os.walk(package_dir):
        inside, links = Path(folder), [name for name in folders if Path(folder, name).is_symlink()]
        below = "" if inside == package_dir else f"{inside.relative_to(package_dir).as_posix()}/"
        for name in (*files, *links):
            file = inside / name
            found.append(_Entry(path=f"{below}{name}", file=file, stat=file.lstat()))
    yield from sorted((e for e in found if e.path != SEAL), key=lambda e: e.path)


def _write(entries: Sequence[_Entry], out: BinaryIO, *, stem: str, digests: dict[str, Sha256] | None) -> CondaArchive:
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(_zip_info("metadata.json"), json.dumps({"conda_pkg_format_version": 2}))
        for part, wanted in (("pkg", False), ("info", True)):
            inside = [e for e in entries if e.path.startswith("info/") is wanted]
            _write_part(archive, f"{part}-{stem}.tar.zst", inside, mtime=_mtime(stem), digests=digests)
    out.seek(0)
    return digest_archive(out)


def _write_part(
    archive: zipfile.ZipFile,
    name: str,
    entries: Sequence[_Entry],
    *,
    mtime: int,
    digests: dict[str, Sha256] | None,
) -> None:
    large = sum(e.stat.st_size + 4096 for e in entries) > _ZIP64_FROM
    compressor = zstandard.ZstdCompressor(level=_LEVEL)
    with (
        archive.open(_zip_info(name), "w", force_zip64=large) as part,
        compressor.stream_writer(part, closefd=False) as packed,
        tarfile.TarFile(
            fileobj=cast("BinaryIO", packed), mode="w", format=tarfile.PAX_FORMAT, copybufsize=CHUNK
        ) as tar,
    ):
        for entry in entries:
            _add(tar, entry, mtime, digests)


def _add(tar: tarfile.TarFile, entry: _Entry, mtime: int, digests: dict[str, Sha256] | None) -> None:
    """Add a file or link; the digest of a file is put under its path where somebody wants it."""
    header = tarfile.TarInfo(entry.path)
    header.mtime = mtime
    if entry.is_link:
        header.type, header.linkname, header.mode = tarfile.SYMTYPE, str(entry.file.readlink()), 0o777
        tar.addfile(header)
        return
    header.size, header.mode = entry.stat.st_size, entry.mode
    with entry.file.open("rb") as source:
        if digests is None:
            tar.addfile(header, source)
            return
        hashed = _Hashed(source)
        tar.addfile(header, cast("BinaryIO", hashed))
        digests[entry.path] = hashed.digest.sha256


def _zip_info(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, date_time=_ZIP_TIME)
    info.create_system, info.external_attr = 3, 0o644 << 16
    return info


def _mtime(stem: str) -> int:
    """Choose the one time of an archive's files, somewhere in 2000 to 2019.

    Python takes a `.pyc` for good if its source has the size and time that stand in it. So two versions of a package
    must not share their time, or an update could leave old code running.
    """
    return _YEAR_2000 + int(Sha256.of(stem.encode())[:12], 16) % _TWENTY_YEARS


def digest_archive(archive: BinaryIO) -> CondaArchive:
    """Read what is left of an archive for its digests and size."""
    md5 = Digest("md5")
    sha256 = Digest(sink=md5.update)
    for chunk in chunks(archive):
        sha256.update(chunk)
    return CondaArchive(sha256=sha256.sha256, md5=md5.hexdigest(), size=sha256.size)
