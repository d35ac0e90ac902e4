"""A channel in a folder: archives appear whole or not at all, and one publisher at a time writes the index."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from msgspec import Struct
from rattler.index import index_fs

from envgen.digest import Sha256
from envgen.errors import UserError
from envgen.publish.channel import SIDECAR, OtherBytesError, bundles_of, with_bundle
from envgen.system.fs import TEMPORARY, atomic_write, file_lock
from envgen.system.os_faults import explained
from envgen.system.rattler_certificates import settle_certificates

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from envgen.convert.conda_archive import CondaArchive
    from envgen.publish.archives import PackedPackage

_LOCK = ".envgen-index.lock"
_PATIENCE = 3600.0
"""Seconds to wait for another publisher, who may index thousands of packages."""


class FolderChannel(Struct, frozen=True):
    """A channel below a folder, which need not exist yet."""

    root: Path

    @property
    def address(self) -> str:
        """Return its path."""
        return str(self.root)

    @property
    def label(self) -> str:
        """Return its path for a message."""
        return f"`{self.root}`"

    def find(self, package: PackedPackage) -> Sha256 | None:
        """Digest the archive of a package that is there.

        Raises:
            UserError: something else has its name, or it cannot be read.
        """
        path = self.root / package.subdir / package.filename
        if not os.path.lexists(path):
            return None
        if not path.is_file():  # also a link that leads nowhere; opening a named pipe would wait
            raise UserError(
                f"`{path}` is in the way: expected a regular file", hint="remove it, or publish to another folder"
            )
        with explained(path), path.open("rb") as stream:
            return Sha256.of_stream(stream)

    def fetch(self, package: PackedPackage, out: BinaryIO) -> None:
        """Copy an archive.

        Raises:
            UserError: the disk is full.
        """
        with explained(self.root), (self.root / package.subdir / package.filename).open("rb") as stream:
            shutil.copyfileobj(stream, out)

    def put(self, package: PackedPackage, file: Path, archive: CondaArchive) -> None:
        """Link an archive into place; where another publisher was faster, his has to be the same.

        Raises:
            OtherBytesError: it is not.
            UserError: the folder cannot be written, or the disk is full.
        """
        target = self.root / package.subdir / package.filename
        with _written(self.root):
            target.parent.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(prefix=TEMPORARY, dir=target.parent)
            os.close(handle)
            try:
                shutil.copyfile(file, temporary)
                Path(temporary).chmod(0o644)
                self._link(Path(temporary), target, package, archive)
            finally:
                Path(temporary).unlink()

    def _link(self, temporary: Path, target: Path, package: PackedPackage, archive: CondaArchive) -> None:
        try:
            os.link(temporary, target)
        except FileExistsError:
            there = self.find(package)
            if there is not None and there != archive.sha256:
                raise OtherBytesError(target.name, self.label, there=there, ours=archive.sha256) from None

    @property
    def claimed_address(self) -> str | None:
        """Return None: the path of a folder is not valid on other machines."""
        return None

    def attestations(self, package: PackedPackage) -> Sequence[bytes]:
        """Read the sidecar of an archive.

        Raises:
            OddSidecarError: it is not one.
        """
        return bundles_of(self._sidecar(package), package.filename, self.label)

    def attest(self, package: PackedPackage, bundle: bytes) -> None:
        """Append to the sidecar; the copy that its digest names comes first, as readers of an old index need it.

        Raises:
            OddSidecarError: the one that is there is not one.
            UserError: the folder cannot be written, or the disk is full.
        """
        with _written(self.root), file_lock(self.root / _LOCK, timeout=_PATIENCE):
            data = with_bundle(self._sidecar(package), bundle, package.filename, self.label)
            base = f"{package.filename}{SIDECAR}"
            for name in (f"{base}.{Sha256.of(data)}", base):
                atomic_write(self.root / package.subdir / name, data)

    def _sidecar(self, package: PackedPackage) -> bytes | None:
        try:
            return (self.root / package.subdir / f"{package.filename}{SIDECAR}").read_bytes()
        except FileNotFoundError:
            return None

    def index(self, subdirs: Collection[str]) -> None:
        """Write `repodata.json`, `.zst` and shards (CEP 16) of all subdirs."""
        with _written(self.root):
            for subdir in ("noarch", *subdirs):
                (self.root / subdir).mkdir(parents=True, exist_ok=True)
            with file_lock(self.root / _LOCK, timeout=_PATIENCE):
                settle_certificates()
                asyncio.run(index_fs(self.root, write_zst=True, write_shards=True))


@contextmanager
def _written(root: Path) -> Iterator[None]:
    """Explain why a folder cannot be written.

    Raises:
        UserError: it cannot.
    """
    try:
        with explained(root):
            yield
    except OSError as error:
        raise UserError(
            f"failed to write the channel `{root}`: {error.strerror}", hint="choose another folder with `--to`"
        ) from error
