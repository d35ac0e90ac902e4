"""The store: what envgen keeps between runs, by content or by what determines it.

    artifacts/<2 hex>/<sha256>      wheels, .deb and .conda files, read-only
    packages/<key>/                 extracted conda packages, read by hard links from environments
    blobs/<2 hex>/<sha256>          layers of images, read-only
    cache/<kind>/<2>/<key>          small facts, each behind its own digest
    repodata/                       what rattler keeps of the indices of channels
    channel/<subdir>/               archives that `envgen build` writes; nothing here reads them
    views/<random>/                 short-lived folders of one installation
    locks/                          empty files that processes hold while they work

Everything lands by rename, so what bears a real name is whole. Whoever reads or writes for longer than a moment
shares `locks/store`; `clean` wants it alone, so that nothing is taken away from under a running process.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from envgen.digest import Sha256
from envgen.errors import DigestMismatchError, EnvgenError, UserError
from envgen.system.fs import (
    TEMPORARY,
    HashedFile,
    atomic_dir,
    atomic_path,
    atomic_write,
    explained,
    file_lock,
    remove_tree,
    tree_files,
)
from envgen.system.home import cache_home, expand

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Collection, Iterator, Mapping


_KEY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+!=@-]{0,220}")

_PATIENCE = 3600.0
"""Seconds to wait while another process makes the same thing: the largest wheels convert in minutes."""

_DIGEST_SIZE = 32

_SEALED = "info"
"""Folder of a package whose time says when all its files were there: no environment links to anything in it."""


class StoreKind(StrEnum):
    """What the store holds; `temporary` are views and leftovers of processes that died.

    Everything can be had again: what is downloaded from where the locks say, what is made from that. The `channel` is
    written again by `envgen build`; no environment and no lock of this machine needs it, but other people's files may.
    """

    ARTIFACTS = "artifacts"
    PACKAGES = "packages"
    BLOBS = "blobs"
    CACHE = "cache"
    REPODATA = "repodata"
    CHANNEL = "channel"
    TEMPORARY = "temporary"


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What one kind takes.

    Attributes:
        kind: which.
        entries: artifacts, packages, facts or folders, not files.
        size: bytes; a file with several names counts once.
        shared: those of them that environments hold by hard links too: removing them here frees nothing.
    """

    kind: StoreKind
    entries: int
    size: int
    shared: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleaned:
    """What `clean` removed: entries by kind, and the bytes that the disk has back."""

    entries: Mapping[StoreKind, int]
    freed: int


def store_root(environment: Mapping[str, str], home: Path) -> Path:
    """Say where the store is: `ENVGEN_CACHE`, else `envgen` in `cache_home`, which may raise a UserError."""
    own = environment.get("ENVGEN_CACHE")
    return expand(own, home).absolute() if own else cache_home(environment, home) / "envgen"


class Store:
    """The store below `root`; any number of threads and processes may use it at once.

    Raises:
        UserError: `root` belongs to another user, or is not a folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        with explained(root):
            _check_owner(root)

    def artifact(self, sha: Sha256) -> Path | None:
        """Find an artifact; it counts as used now."""
        return path if _touch(path := self._artifact_path(sha)) else None

    @contextmanager
    def new_artifact(self, sha: Sha256) -> Iterator[BinaryIO]:
        """Yield a file to write an artifact to; it is kept if what was written has the digest `sha`.

        Raises:
            DigestMismatchError: it has another one; nothing is kept.
            UserError: the disk is full or the store not writable.
        """
        path = self._artifact_path(sha)
        with explained(self.root), self.in_use(), atomic_path(path, mode=0o444) as temporary:
            with HashedFile(temporary) as out:
                yield out
                got = out.sha256()
            if got != sha:
                raise DigestMismatchError(what="an artifact", where="its source", expected=sha, got=got)

    def ensure_artifact(self, sha: Sha256, fetch: Callable[[BinaryIO], object]) -> Path:
        """Find an artifact or let `fetch` write it; processes that want the same one wait for the first."""
        if found := self.artifact(sha):
            return found
        with self.making(f"artifact-{sha}"):
            if not self.artifact(sha):
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
        raise EnvgenError(f"package `{key}` vanished from the store `{self.root}` while it was needed")

    @contextmanager
    def new_package(self, key: str) -> Iterator[Path]:
        """Yield an empty folder to extract a package to; it is kept under `key` if the block ends well.

        Where another process made the same package meanwhile, that one stays and this one is dropped.

        Raises:
            UserError: the disk is full or the store not writable.
        """
        with explained(self.root), self.in_use(), atomic_dir(self._package_path(key)) as folder:
            yield folder
            _seal(folder)

    def altered(self, key: str) -> bool:
        """Tell whether a file of a package was written to since the package was made: environments hold links to it.

        Who puts its time back afterwards goes unnoticed.
        """
        folder = self._package_path(key)
        try:
            sealed = (folder / _SEALED).stat().st_mtime_ns
        except FileNotFoundError:
            return False
        return any(status.st_mtime_ns > sealed for status in tree_files(folder))

    def ensure_package(self, key: str, make: Callable[[Path], object]) -> Path:
        """Find a package or let `make` fill a folder with it; processes that want the same one wait for the first.

        One that was altered is made anew; environments keep the files that they have.
        """
        if (found := self.package(key)) and not self.altered(key):
            return found
        with self.making(f"package-{key}"):
            if self.altered(key):
                remove_tree(self._package_path(key))
            if not self.package(key):
                with self.new_package(key) as folder:
                    make(folder)
        return self._package_path(key)

    def blob(self, sha: Sha256) -> Path | None:
        """Find a layer of an image; it counts as used now."""
        return path if _touch(path := self._blob_path(sha)) else None

    def need_blob(self, sha: Sha256) -> Path:
        """Find a layer of an image that must be there."""
        if found := self.blob(sha):
            return found
        raise EnvgenError(f"the layer {sha} is missing in the store after it was made")

    def add_blob(self, write: Callable[[BinaryIO], Sha256]) -> None:
        """Keep what `write` writes, under the digest that it returns.

        Raises:
            UserError: the disk is full or the store not writable.
        """
        with self.view() as folder:
            temporary = folder / "blob"
            with temporary.open("wb") as out:
                sha = write(out)
            temporary.chmod(0o444)
            path = self._blob_path(sha)
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary.replace(path)

    def cached(self, kind: str, key: str) -> bytes | None:
        """Look a small fact up; one that a power failure spoilt counts as not there."""
        path = self._cache_path(kind, key)
        try:
            raw = path.read_bytes()
        except FileNotFoundError:
            return None
        _touch(path)
        digest, data = raw[:_DIGEST_SIZE], raw[_DIGEST_SIZE:]
        return data if Sha256.of(data).raw == digest else None

    def put(self, kind: str, key: str, data: bytes) -> None:
        """Keep a small fact in place of what was kept under `key`; readers see the one or the other."""
        with explained(self.root):
            atomic_write(self._cache_path(kind, key), Sha256.of(data).raw + data, sync=False)

    def forget(self, kind: str, key: str) -> None:
        """Drop a small fact."""
        self._cache_path(kind, key).unlink(missing_ok=True)

    @contextmanager
    def view(self) -> Iterator[Path]:
        """Yield an empty folder on the file system of the packages; it goes when the block ends."""
        with explained(self.root), self.in_use():
            folder = self.root / "views"
            folder.mkdir(parents=True, exist_ok=True)
            path = Path(tempfile.mkdtemp(dir=folder))
            try:
                yield path
            finally:
                remove_tree(path)

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Keep `clean` away while the block lasts: hold this from finding packages until they are linked."""
        with explained(self.root), file_lock(self._lock_path("store"), timeout=_PATIENCE, shared=True):
            yield

    def usage(self) -> tuple[Usage, ...]:
        """Measure what each kind takes; reads the status of every file."""
        return tuple(_measure(kind, self._entries(kind)) for kind in StoreKind)

    def clean(self, *, kinds: Collection[StoreKind], older_than: dt.timedelta | None, now: dt.datetime) -> Cleaned:
        """Remove entries of some kinds that were not used for a while.

        Leftovers of processes that died go with `StoreKind.TEMPORARY`, whatever their age. Environments stay whole:
        they hold their files by links of their own.

        Args:
            kinds: what to remove.
            older_than: remove what was last used longer ago than this; None removes all.
            now: the time, aware.

        Raises:
            UserError: another process uses the store.
        """
        if not self.root.exists():
            return Cleaned(entries={}, freed=0)
        limit = None if older_than is None else (now - older_than).timestamp()
        with explained(self.root), file_lock(self._lock_path("store"), timeout=0):
            doomed = {kind: [p for p in self._entries(kind) if _is_older(p, kind, limit)] for kind in kinds}
            freed = _only_here([path for paths in doomed.values() for path in paths])
            for path in (path for paths in doomed.values() for path in paths):
                remove_tree(path)
            self._drop_locks()
        return Cleaned(entries={kind: len(paths) for kind, paths in doomed.items()}, freed=freed)

    def _entries(self, kind: StoreKind) -> list[Path]:
        """List the paths of a kind, sorted."""
        if kind is StoreKind.TEMPORARY:
            patterns = ("views/*", *(f"{where}/{TEMPORARY}*" for where in ("artifacts/*", "packages", "cache/*/*")))
            return sorted(path for pattern in patterns for path in self.root.glob(pattern))
        pattern = {
            StoreKind.ARTIFACTS: "artifacts/*/*",
            StoreKind.PACKAGES: "packages/*",
            StoreKind.BLOBS: "blobs/*/*",
            StoreKind.CACHE: "cache/*/*/*",
            StoreKind.REPODATA: "repodata/*",
            StoreKind.CHANNEL: "channel/*",  # by subdir, for an index without its archives would lie
        }[kind]
        return sorted(path for path in self.root.glob(pattern) if not path.name.startswith(TEMPORARY))

    def _drop_locks(self) -> None:
        """Remove lock files of single things; only with the store to oneself."""
        for path in (self.root / "locks").glob("*-*"):
            path.unlink()

    @contextmanager
    def making(self, name: str) -> Iterator[None]:
        """Let one process or thread at a time make what `name` stands for, and keep `clean` away meanwhile."""
        with self.in_use(), explained(self.root), file_lock(self._lock_path(name), timeout=_PATIENCE):
            yield

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
        raise ValueError(f"not a key of the store: {key!r}")
    return key


def _seal(package: Path) -> None:
    """Set the time of a package's seal; archives may hold files from the future."""
    seal = package / _SEALED
    if seal.is_dir():
        os.utime(seal)
        moment = max(seal.stat().st_mtime_ns, *(status.st_mtime_ns for status in tree_files(package)))
        os.utime(seal, ns=(moment, moment))


def _check_owner(root: Path) -> None:
    """Refuse a store of somebody else: its bytes are believed by name, and ours could not be cleaned by them."""
    try:
        status = root.stat()
    except FileNotFoundError:
        return
    if not root.is_dir():
        raise UserError(f"`{root}` is not a folder", hint="set ENVGEN_CACHE to a folder of your own")
    if status.st_uid != os.geteuid():
        what = f"the store `{root}` belongs to user {status.st_uid}, this process runs as user {os.geteuid()}"
        raise UserError(what, hint="set ENVGEN_CACHE to a folder of your own")


def _touch(path: Path) -> bool:
    """Set the time of last use; tell whether the path is there."""
    try:
        os.utime(path)
    except FileNotFoundError:
        return False
    except PermissionError:  # a store on a read-only file system serves all the same
        return path.exists()
    return True


def _is_older(path: Path, kind: StoreKind, limit: float | None) -> bool:
    return limit is None or kind is StoreKind.TEMPORARY or path.stat().st_mtime < limit


def _measure(kind: StoreKind, paths: list[Path]) -> Usage:
    sizes: dict[tuple[int, int], int] = {}
    for path in paths:
        sizes.update({(status.st_dev, status.st_ino): status.st_size for status in tree_files(path)})
    total = sum(sizes.values())
    return Usage(kind=kind, entries=len(paths), size=total, shared=total - _only_here(paths))


def _only_here(paths: list[Path]) -> int:
    """Sum up the bytes of files all of whose names are below `paths`."""
    names: Counter[tuple[int, int]] = Counter()
    inodes: dict[tuple[int, int], os.stat_result] = {}
    for path in paths:
        for status in tree_files(path):
            identity = (status.st_dev, status.st_ino)
            names[identity] += 1
            inodes[identity] = status
    return sum(status.st_size for identity, status in inodes.items() if names[identity] >= status.st_nlink)
