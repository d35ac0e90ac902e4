"""The store: what envgen keeps between runs, by content or by what determines it.

    artifacts/<2 hex>/<sha256>      wheels, .deb and .conda files, read-only
    packages/<key>/                 extracted conda packages, read by hard links from environments
    blobs/<2 hex>/<sha256>          layers of images, read-only
    cache/<kind>/<2>/<key>          small facts, each behind its own digest
    repodata/                       what rattler keeps of the indices of channels
    channel/<subdir>/               archives that `envgen build` writes; nothing here reads them
    views/<random>/                 short-lived folders of one installation
    locks/                          empty files that processes hold while they work
    envgen-store                    says that the folder is a store
    synced.json                     up to when each boot's packages are known to be on the disk

Everything lands by rename, so what bears a real name was whole once. Artifacts and layers are hashed before they are
used; packages, whose files environments link, are compared with their seal. What is damaged is removed, and made again
by whoever needs it. Whoever reads or writes for longer than a moment shares `locks/store`; `clean` wants it alone, so
that nothing is taken away from under a running process.
"""

from __future__ import annotations

import os
import re
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from envgen.digest import Sha256
from envgen.errors import DigestMismatchError, EnvgenError, UserError
from envgen.events import NullReporter
from envgen.system.boots import boot_time
from envgen.system.fs import HashedFile, atomic_dir, atomic_path, atomic_write, file_lock, remove_tree, sync_files
from envgen.system.home import cache_home, expand
from envgen.system.os_faults import NOT_ALLOWED, explained
from envgen.system.proven import ProvenFiles
from envgen.system.seal import write_seal
from envgen.system.sealed_packages import SealedPackages, refuse_unproven
from envgen.system.store_entries import Cleaned, StoreKind, Usage, entries, leftovers, measure, only_here, to_remove
from envgen.system.store_trust import check_access, claim, make_folder

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Collection, Iterator, Mapping

    from envgen.events import Reporter
    from envgen.system.boots import BootTime

__all__ = ["Cleaned", "Store", "StoreKind", "Usage", "store_root"]


_KEY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+!=@-]{0,220}")

_PATIENCE = 3600.0
"""Seconds to wait while another process makes the same thing: the largest wheels convert in minutes."""

_DIGEST_SIZE = 32


def store_root(environment: Mapping[str, str], home: Path) -> Path:
    """Return where the store is: `ENVGEN_CACHE`, else `envgen` in `cache_home`, which may raise a UserError."""
    own = environment.get("ENVGEN_CACHE")
    return expand(own, home).absolute() if own else cache_home(environment, home) / "envgen"


class Store:
    """The store below `root`; any number of threads and processes may use it at once.

    Args:
        root: folder, made when something is written.
        reporter: hears of what was damaged.
        clock: tells the boot and the time since.
        prove: raises an ArtifactError unless a package that was stored without a seal is what it says of itself;
            without it, such packages are made again.

    Raises:
        UserError: `root` is not a folder, or another user owns it or may write to it.
    """

    def __init__(
        self,
        root: Path,
        *,
        reporter: Reporter | None = None,
        clock: Callable[[], BootTime] = boot_time,
        prove: Callable[[Path], object] = refuse_unproven,
    ) -> None:
        self.root = root
        self._reporter = reporter or NullReporter()
        self._clock = clock
        self._proven = ProvenFiles()
        self._condemned: set[str] = set()
        self.packages = SealedPackages(root, reporter=self._reporter, clock=clock, prove=prove)
        with explained(root):
            check_access(root)

    def artifact(self, sha: Sha256) -> Path | None:
        """Find an artifact, whatever its bytes are; it counts as used now."""
        return path if _touch(path := self._artifact_path(sha)) else None

    def sound_artifact(self, sha: Sha256) -> Path | None:
        """Find an artifact whose bytes have its digest; a damaged one is removed, and the user told.

        It is read once in the life of this object, and not at all where this object wrote it.
        """
        return self._sound(self._artifact_path(sha), sha)

    @contextmanager
    def new_artifact(self, sha: Sha256) -> Iterator[BinaryIO]:
        """Yield a file to write an artifact to; it is kept if what was written has the digest `sha`.

        Raises:
            DigestMismatchError: it has another one; nothing is kept.
            UserError: the disk is full or the store not writable.
        """
        path = self._artifact_path(sha)
        with explained(self.root), self.in_use():
            self._make_folder(path.parent)
            with atomic_path(path, mode=0o444, sync=False) as temporary:
                with HashedFile(temporary) as out:
                    yield out
                    got = out.sha256()
                if got != sha:
                    raise DigestMismatchError(what="an artifact", where="its source", expected=sha, got=got)
            self._proven.add(path)

    def ensure_artifact(self, sha: Sha256, fetch: Callable[[BinaryIO], object]) -> Path:
        """Find a sound artifact or let `fetch` write it; processes that want the same one wait for the first."""
        if found := self.sound_artifact(sha):
            return found
        with self.making(f"artifact-{sha}"):
            if not self.sound_artifact(sha):
                with self.new_artifact(sha) as out:
                    fetch(out)
        return self._artifact_path(sha)

    def package(self, key: str) -> Path | None:
        """Find an extracted package; it counts as used now."""
        return path if _touch(path := self._package_path(key)) else None

    def need_package(self, key: str) -> Path:
        """Find a package that was put here in this very `in_use` block.

        Raises:
            EnvgenError: it is gone all the same.
        """
        if found := self.package(key):
            return found
        raise EnvgenError(f"package `{key}` was removed from the store `{self.root}` while it was in use")

    @contextmanager
    def new_package(self, key: str) -> Iterator[Path]:
        """Yield an empty folder to extract a package to; it is kept under `key` if the block ends well.

        Where another process made the same package meanwhile, that one stays and this one is dropped.

        Raises:
            UserError: the disk is full or the store not writable.
        """
        with explained(self.root), self.in_use():
            self._make_folder(self.root / "packages")
            with atomic_dir(self._package_path(key)) as folder:
                yield folder
                write_seal(folder, self._clock())
            self._condemned.discard(key)

    def altered(self, key: str, *, read: bool = False) -> bool:
        """Return whether a package is not what was stored, and the user too, once; see `envgen.system.seal`.

        Args:
            key: of the package; one that is not there is not altered.
            read: read its files, also where their status says that nothing happened to them.
        """
        if key in self._condemned:
            return True
        if (fault := self.packages.fault(self._package_path(key), read=read)) is None:
            return False
        self._condemned.add(key)
        self._reporter.warn(f"cached package `{key}` {fault}, rebuilding it")
        return True

    def sync(self) -> None:
        """Sync packages that were found and not written just now, so that they need not be read again.

        Call it when packages were used.
        """
        self.packages.sync()

    def ensure_package(self, key: str, make: Callable[[Path], object]) -> Path:
        """Find a package or let `make` fill a folder with it; processes that want the same one wait for the first.

        One that was altered is made again; environments keep the files that they have.
        """
        if (found := self.package(key)) and not self.altered(key):
            return found
        with self.making(f"package-{key}"):
            if self._is_still_altered(key):
                remove_tree(self._package_path(key))
            if not self.package(key):
                with self.new_package(key) as folder:
                    make(folder)
        return self._package_path(key)

    def _is_still_altered(self, key: str) -> bool:
        """Return whether a package is altered now that nobody else makes it: another process may have made it again."""
        was = key in self._condemned
        self._condemned.discard(key)
        return self.packages.fault(self._package_path(key), read=was) is not None

    def blob(self, sha: Sha256) -> Path | None:
        """Find a layer of an image; it counts as used now."""
        return path if _touch(path := self._blob_path(sha)) else None

    def sound_blob(self, sha: Sha256) -> Path | None:
        """Find a layer whose bytes have its digest, as `sound_artifact` does."""
        return self._sound(self._blob_path(sha), sha)

    def need_blob(self, sha: Sha256) -> Path:
        """Find a layer of an image that must be there."""
        if found := self.blob(sha):
            return found
        raise EnvgenError(f"the layer {sha} is missing in the store after it was written")

    def add_blob(self, write: Callable[[BinaryIO], Sha256]) -> None:
        """Keep what `write` writes, under the digest that it returns; waits until the disk has it.

        Raises:
            UserError: the disk is full or the store not writable.
        """
        with self.view() as folder:
            temporary = folder / "blob"
            with temporary.open("wb") as out:
                sha = write(out)
            sync_files((temporary,))  # else a layout waits for all layers at once, when nothing else is left to do
            temporary.chmod(0o444)
            path = self._blob_path(sha)
            self._make_folder(path.parent)
            temporary.replace(path)
            self._proven.add(path)

    def cached(self, kind: str, key: str) -> bytes | None:
        """Return a small fact; one that a power failure damaged or another user wrote counts as missing."""
        path = self._cache_path(kind, key)
        try:
            with path.open("rb") as stream:
                if os.fstat(stream.fileno()).st_uid != os.geteuid():
                    return None
                raw = stream.read()
        except FileNotFoundError:
            return None
        _touch(path)
        digest, data = raw[:_DIGEST_SIZE], raw[_DIGEST_SIZE:]
        return data if Sha256.of(data).raw == digest else None

    def put(self, kind: str, key: str, data: bytes) -> None:
        """Keep a small fact in place of what was kept under `key`; readers see the one or the other."""
        with explained(self.root):
            path = self._cache_path(kind, key)
            self._make_folder(path.parent)
            atomic_write(path, Sha256.of(data).raw + data, sync=False)

    def repodata(self) -> Path:
        """Make the folder in which rattler keeps repodata."""
        with explained(self.root):
            self._make_folder(self.root / "repodata")
        return self.root / "repodata"

    def log(self, name: str) -> Path:
        """Return where to write the log of a build; `clean` removes it."""
        with explained(self.root):
            self._make_folder(self.root / "logs")
        return self.root / "logs" / _safe(name)

    def forget(self, kind: str, key: str) -> None:
        """Remove a small fact."""
        self._cache_path(kind, key).unlink(missing_ok=True)

    @contextmanager
    def view(self) -> Iterator[Path]:
        """Yield an empty folder on the file system of the packages; it goes when the block ends."""
        with explained(self.root), self.in_use():
            self._make_folder(folder := self.root / "views")
            path = Path(tempfile.mkdtemp(dir=folder))
            try:
                yield path
            finally:
                with suppress(OSError):  # after a fault, threads of rattler may still write there: `sweep` removes it
                    remove_tree(path)

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Keep `clean` away while the block lasts: hold this from finding packages until they are linked."""
        with explained(self.root):
            self._make_folder(self.root / "locks")
            with file_lock(self._lock_path("store"), timeout=_PATIENCE, shared=True):
                yield

    def usage(self) -> tuple[Usage, ...]:
        """Measure what each kind takes; reads the status of every file."""
        return tuple(measure(kind, entries(self.root, kind)) for kind in StoreKind)

    def clean(
        self,
        *,
        kinds: Collection[StoreKind],
        older_than: dt.timedelta | None,
        now: dt.datetime,
        keep_linked: bool = False,
    ) -> Cleaned:
        """Remove entries of some kinds that were not used for a while.

        Leftovers of processes that died go with `StoreKind.TEMPORARY`, whatever their age. Environments stay whole:
        they hold their files by links of their own.

        Args:
            kinds: what to remove.
            older_than: remove what was last used longer ago than this; None removes all.
            now: the time, aware.
            keep_linked: leave packages alone whose files environments hold too.

        Raises:
            UserError: another process uses the store, or the folder is no store.
        """
        if not self.root.exists():
            return Cleaned(entries={}, freed=0)
        limit = None if older_than is None else (now - older_than).timestamp()
        with explained(self.root):
            claim(self.root)
            make_folder(self.root, self.root / "locks")
        with explained(self.root), file_lock(self._lock_path("store"), timeout=0):
            doomed, kept = to_remove(self.root, kinds, limit, keep_linked=keep_linked)
            freed = only_here([path for paths in doomed.values() for path in paths])
            for path in (path for paths in doomed.values() for path in paths):
                remove_tree(path)
            for path in (self.root / "locks").glob("*-*"):  # of single things; nobody can hold one now
                path.unlink()
        return Cleaned(entries={kind: len(paths) for kind, paths in doomed.items()}, freed=freed, kept=kept)

    def sweep(self) -> None:
        """Remove what processes left that were killed, unless another one uses the store and may be at work there."""
        if not leftovers(self.root):
            return
        with suppress(UserError, OSError), file_lock(self._lock_path("store"), timeout=0):
            for path in leftovers(self.root):
                remove_tree(path)

    @contextmanager
    def making(self, name: str) -> Iterator[None]:
        """Lock `name`, so that one process or thread at a time makes it and `clean` waits."""
        with self.in_use(), explained(self.root), file_lock(self._lock_path(name), timeout=_PATIENCE):
            yield

    def _sound(self, path: Path, sha: Sha256) -> Path | None:
        """Find a file that is named by its digest; remove a damaged one."""
        with explained(self.root):
            if not _touch(path) or self._proven.has(path, sha):
                return path if path.exists() else None
            path.unlink(missing_ok=True)
        self._reporter.warn(f"cached file `{path.relative_to(self.root)}` was damaged and was removed")
        return None

    def _make_folder(self, folder: Path) -> None:
        if not folder.is_dir():
            make_folder(self.root, self.root)
            claim(self.root)
            make_folder(self.root, folder)

    def _artifact_path(self, sha: Sha256) -> Path:
        return self.root / "artifacts" / sha[:2] / sha

    def _package_path(self, key: str) -> Path:
        return self.root / "packages" / _safe(key)

    def _blob_path(self, sha: Sha256) -> Path:
        return self.root / "blobs" / sha[:2] / sha

    def _cache_path(self, kind: str, key: str) -> Path:
        return self.root / "cache" / _safe(kind) / _safe(key)[:2] / key

    def _lock_path(self, name: str) -> Path:
        return self.root / "locks" / name


def _safe(key: str) -> str:
    if not _KEY.fullmatch(key):
        raise ValueError(f"not a store key: {key!r}")
    return key


def _touch(path: Path) -> bool:
    """Set the time of last use; return whether the path is there."""
    try:
        os.utime(path)
    except FileNotFoundError:
        return False
    except OSError as error:
        if error.errno not in NOT_ALLOWED:
            raise
        return path.exists()  # a store on a read-only file system serves all the same
    return True
