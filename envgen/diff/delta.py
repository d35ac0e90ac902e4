"""What differs between two states of an environment on one platform: locks, or what is installed in a prefix.

`envgen.diff.changes` tells what a new solve did to a lock; here both sides may also be an environment on disk, Debian
packages count too, and sizes are compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from envgen.diff.changes import SettingChange, settings, summary
from envgen.packages import PackageKind

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from envgen.digest import Sha256
    from envgen.lock.debian_lock import DebianLock
    from envgen.lock.model import Lock


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One package of a state.

    Attributes:
        name: project, conda name or Debian's name.
        kind: where it comes from.
        version: in the words of its kind.
        build: build string of a conda package, architecture of a Debian package, "" for a wheel.
        digest: what tells two files of one version apart; None where the state does not know.
        users: recipes that a Debian package goes into, and `image`; empty for all others.
        size: bytes to download; None where that is not known. What a recipe makes costs what its parts cost.
    """

    name: str
    kind: PackageKind
    version: str
    build: str
    digest: Sha256 | None
    size: int | None
    users: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[bool, str]:
        """What it is called: conda and wheels share one world of names, Debian has its own."""
        return self.kind is PackageKind.DEBIAN, self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryChange:
    """One package that is in both states and not the same."""

    before: Entry
    after: Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What is compared.

    Attributes:
        entries: the packages.
        lock: where the state is a lock.
        has_image: whether the base of an image is locked with it.
    """

    entries: tuple[Entry, ...]
    lock: Lock | None = None
    has_image: bool = False

    @property
    def download(self) -> int | None:
        """Bytes to download for all of it, where every size is known."""
        sizes = [entry.size for entry in self.entries]
        return None if None in sizes else sum(size or 0 for size in sizes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delta:
    """The way from one state to another, each part sorted by name, Debian packages last.

    Attributes:
        before: None where there was nothing.
        after: None where there is nothing any more.
        added: only in the new state.
        removed: only in the old one.
        changed: in both, not the same.
        settings: what the locks were made by, where both are locks.
    """

    before: State | None
    after: State | None
    added: tuple[Entry, ...]
    removed: tuple[Entry, ...]
    changed: tuple[EntryChange, ...]
    settings: tuple[SettingChange, ...]

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed or self.settings)

    def touched(self) -> tuple[Entry, ...]:
        """List every package that is not the same in both, as it is in the new state where it is there."""
        return (*self.added, *self.removed, *(change.after for change in self.changed))

    def summary(self) -> str:
        """Count the packages in one line."""
        return summary(added=self.added, removed=self.removed, changed=self.changed)


def state_of(lock: Lock, debian: DebianLock | None) -> State:
    """Take the packages of a lock and of the Debian lock beside it."""
    has_image = debian is not None and debian.base is not None
    return State(entries=(*_locked(lock), *_debian(debian)), lock=lock, has_image=has_image)


def compare(before: State | None, after: State | None) -> Delta:
    """Compare two states; without one of them everything is added, or removed."""
    old = {entry.key: entry for entry in before.entries} if before else {}
    new = {entry.key: entry for entry in after.entries} if after else {}
    old_lock, new_lock = before.lock if before else None, after.lock if after else None
    return Delta(
        before=before,
        after=after,
        added=tuple(new[key] for key in sorted(new.keys() - old.keys())),
        removed=tuple(old[key] for key in sorted(old.keys() - new.keys())),
        changed=tuple(
            EntryChange(before=old[key], after=new[key])
            for key in sorted(new.keys() & old.keys())
            if _differ(old[key], new[key])
        ),
        settings=tuple(settings(old_lock, new_lock)) if old_lock and new_lock else (),
    )


def only(delta: Delta, kinds: Collection[PackageKind]) -> Delta:
    """Leave out packages of other kinds, such as Debian's where an environment on disk says nothing of them."""

    def keep(entries: Iterable[Entry]) -> tuple[Entry, ...]:
        return tuple(entry for entry in entries if entry.kind in kinds)

    return Delta(
        before=delta.before,
        after=delta.after,
        added=keep(delta.added),
        removed=keep(delta.removed),
        changed=tuple(change for change in delta.changed if change.after.kind in kinds),
        settings=delta.settings,
    )


def _differ(one: Entry, other: Entry) -> bool:
    if (one.version, one.build) != (other.version, other.build):
        return True
    return one.digest is not None and other.digest is not None and one.digest != other.digest


def _locked(lock: Lock) -> Iterable[Entry]:
    for package in lock.packages:
        yield Entry(
            name=str(package.name),
            kind=package.kind,
            version=package.version,
            build=package.build,
            digest=package.content,
            size=package.download_size,
        )


def _debian(lock: DebianLock | None) -> Iterable[Entry]:
    for package in lock.packages if lock else ():
        yield Entry(
            name=package.name,
            kind=PackageKind.DEBIAN,
            version=package.version,
            build=package.architecture,
            digest=package.sha256,
            size=package.size,
            users=package.used_by,
        )
