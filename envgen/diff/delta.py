"""What differs between two states of an environment on one platform: locks, or what is installed in a prefix.

The one model of differences: of what a solve did to a lock, and of any two states that `diff` is asked about.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from envgen.diff.settings import changed_settings
from envgen.packages import PackageKind
from envgen.structs import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from envgen.diff.settings import SettingChange
    from envgen.digest import Sha256
    from envgen.lock.debian_lock import DebianLock
    from envgen.lock.model import Lock
    from envgen.packages import Package


class Entry(Struct, frozen=True, kw_only=True):
    """One package of a state.

    Attributes:
        name: project, conda name or Debian's name.
        kind: where it comes from.
        version: in the words of its kind.
        build: build string of a conda package, architecture of a Debian package, "" for a wheel.
        digest: what tells two files of one version apart; None where the state does not know.
        size: bytes to download; None where that is not known. What a recipe makes costs what its parts cost.
        users: recipes that a Debian package goes into, and `image`; empty for all others.
        locked: the whole of what a lock says; None for a Debian package and for what is installed.
        installer: what installed it into an environment beside its packages or over one, such as `pip`; else "".
    """

    name: str
    kind: PackageKind
    version: str
    build: str
    digest: Sha256 | None
    size: int | None
    users: tuple[str, ...] = ()
    locked: Package | None = None
    installer: str = ""

    @property
    def manager(self) -> str:
        """Name the manager of the package, as CEP 37 does."""
        return "pip" if self.kind is PackageKind.WHEEL else "conda"

    @property
    def sha256(self) -> Sha256 | None:
        """Digest of the file; of what a recipe makes, of its archive rather than its content."""
        return self.locked.sha256 if self.locked else self.digest

    @property
    def key(self) -> tuple[bool, str]:
        """Return the key for comparison: conda and wheels share one set of names, Debian has another."""
        return self.kind is PackageKind.DEBIAN, self.name


class EntryChange(Struct, frozen=True, kw_only=True):
    """One package that is in both states and not the same."""

    before: Entry
    after: Entry

    @property
    def other_dependencies(self) -> tuple[str, ...]:
        """Return names whose requirements differ, if both states are locks; sorted."""
        return tuple(sorted({name for name, _ in _dependencies(self.before) ^ _dependencies(self.after)}))


class State(Struct, frozen=True, kw_only=True):
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
        return download_of(self.entries)


class Delta(Struct, frozen=True, kw_only=True):
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

    @property
    def downloads(self) -> tuple[int | None, int | None]:
        """Bytes to download for all of the old state and of the new one; None where a size is not known."""
        before, after = (0 if state is None else state.download for state in (self.before, self.after))
        return before, after

    def touched(self) -> tuple[Entry, ...]:
        """List every package that is not the same in both, as it is in the new state where it is there."""
        return (*self.added, *self.removed, *(change.after for change in self.changed))

    def summary(self) -> str:
        """Count the packages in one line: `3 added, 1 removed, 2 changed`."""
        parts = {"added": self.added, "removed": self.removed, "changed": self.changed}
        return ", ".join(f"{len(some)} {what}" for what, some in parts.items() if some) or "no package changed"


def download_of(entries: Iterable[Entry]) -> int | None:
    """Add up the bytes to download for packages; None where a size is not known."""
    sizes = [entry.size for entry in entries]
    return None if None in sizes else sum(size or 0 for size in sizes)


def state_of(lock: Lock, debian: DebianLock | None) -> State:
    """Build the state of a lock and of the Debian lock beside it."""
    has_image = debian is not None and debian.base is not None
    return State(entries=(*_locked(lock), *_debian(debian)), lock=lock, has_image=has_image)


def diff_states(before: State | None, after: State | None, *, exact: bool = False) -> Delta:
    """Compare two states.

    Args:
        before: without it everything is added.
        after: without it everything is removed.
        exact: count a package of two locks as changed also where the file is the same and the lock says something
            else about it: its dependencies, or its URL.
    """
    pairs = list(_pairs(before, after))
    old_lock, new_lock = before.lock if before else None, after.lock if after else None
    return Delta(
        before=before,
        after=after,
        added=tuple(new for old, new in pairs if new and not old),
        removed=tuple(old for old, new in pairs if old and not new),
        changed=tuple(
            EntryChange(before=old, after=new) for old, new in pairs if old and new and _differ(old, new, exact=exact)
        ),
        settings=tuple(changed_settings(old_lock, new_lock)) if old_lock and new_lock else (),
    )


def only(delta: Delta, kinds: Collection[PackageKind]) -> Delta:
    """Remove packages of other kinds, such as Debian's, which an environment on disk does not have."""

    def keep(entries: Iterable[Entry]) -> tuple[Entry, ...]:
        return tuple(entry for entry in entries if entry.kind in kinds)

    changed = tuple(change for change in delta.changed if change.after.kind in kinds)
    return replace(delta, added=keep(delta.added), removed=keep(delta.removed), changed=changed)


def _pairs(before: State | None, after: State | None) -> Iterator[tuple[Entry | None, Entry | None]]:
    """Pair the packages of both states, sorted by name; None where the other state has none of that name."""
    old, new = _by_key(before), _by_key(after)
    for key in sorted(old.keys() | new.keys()):
        yield from _matched(old.get(key, []), new.get(key, []))


def _by_key(state: State | None) -> dict[tuple[bool, str], list[Entry]]:
    found: dict[tuple[bool, str], list[Entry]] = {}
    for entry in state.entries if state else ():
        found.setdefault(entry.key, []).append(entry)
    return found


_LIKENESS: tuple[Callable[[Entry], object], ...] = (
    lambda entry: (entry.manager, entry.build, entry.version),
    lambda entry: (entry.manager, entry.build),
    lambda entry: entry.manager,
    lambda entry: entry.key,
)
"""What makes two packages of one name the same one, closest first.

A wheel and a conda package of one name may both be there, as `graphviz`, or one may take the place of the
other; so may Debian packages of two architectures.
"""


def _matched(old: list[Entry], new: list[Entry]) -> Iterator[tuple[Entry | None, Entry | None]]:
    for like in _LIKENESS:
        for one in tuple(old):
            other = next((entry for entry in new if like(entry) == like(one)), None)
            if other:
                old.remove(one)
                new.remove(other)
                yield one, other
    yield from ((one, None) for one in old)
    yield from ((None, other) for other in new)


def _differ(one: Entry, other: Entry, *, exact: bool) -> bool:
    if exact and one.locked and other.locked:
        return one.locked != other.locked
    if (one.version, one.build) != (other.version, other.build):
        return True
    return one.digest is not None and other.digest is not None and one.digest != other.digest


def _dependencies(entry: Entry) -> set[tuple[str, str]]:
    return set(entry.locked.needs.items()) if entry.locked else set()


def _locked(lock: Lock) -> Iterable[Entry]:
    for package in lock.packages:
        yield Entry(
            name=str(package.name),
            kind=package.kind,
            version=package.version,
            build=package.build,
            digest=package.content,
            size=package.download_size,
            locked=package,
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
