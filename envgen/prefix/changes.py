"""What must happen to a prefix so that it holds what a lock says: a pure comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from envgen.names import CondaName

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from envgen.prefix.installed import InstalledPackage


class Wanted(Struct, frozen=True, kw_only=True):
    """A package that a prefix shall hold.

    Attributes:
        name: conda name.
        version: of the package.
        build: its build string.
        key: `packages/<key>` of a store: what determines its bytes.
    """

    name: CondaName
    version: str
    build: str
    key: str


class PrefixChanges(Struct, frozen=True, kw_only=True):
    """A change of a prefix; each tuple sorted by name.

    Attributes:
        link: names to link, new or changed.
        unlink: packages that go, for good or to come back changed.
        unchanged: packages that stay as they are.
        relink: names in `link` of installed packages that stay the same, and whose paths change owner or place. None
            in what `compare` returns, which knows no paths.
    """

    link: tuple[CondaName, ...]
    unlink: tuple[InstalledPackage, ...]
    unchanged: tuple[InstalledPackage, ...]
    relink: tuple[CondaName, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.link or self.unlink)


def compare(
    wanted: Iterable[Wanted], installed: Iterable[InstalledPackage], *, reinstall: Collection[str] = frozenset()
) -> PrefixChanges:
    """Compare by key: one name, version and build can stand for different bytes (a file that was rebuilt).

    Args:
        wanted: what the prefix shall hold.
        installed: what it holds.
        reinstall: names of packages that come again though nothing differs, for their files are damaged.
    """
    keys = {want.name: want.key for want in wanted}
    unchanged = {
        have.name: have
        for have in installed
        if have.key is not None and keys.get(CondaName(have.name)) == have.key and have.name not in reinstall
    }
    return PrefixChanges(
        link=tuple(sorted(keys.keys() - unchanged.keys())),
        unlink=tuple(have for have in installed if have.name not in unchanged),
        unchanged=tuple(unchanged.values()),
    )


def with_paths(changes: PrefixChanges, paths: Mapping[str, frozenset[str]]) -> PrefixChanges:
    """Remove from the unchanged packages those that have to be linked again because of their paths.

    A package gets a path when the other package that owned it goes, and loses one to a package that comes earlier in
    the order of names; a `noarch: python` package moves with the Python it is for. Where another tool has linked a
    package over files of one that stays, those files go with it.

    Args:
        changes: from `compare`.
        paths: name -> paths that each wanted package shall own.
    """
    moved = {have.name for have in changes.unchanged if frozenset(have.files) != paths[have.name]}
    going = {path for have in _unlinked(changes, moved) for path in have.files}
    moved |= {have.name for have in changes.unchanged if not going.isdisjoint(have.files)}
    relink = tuple(sorted(map(CondaName, moved)))
    return PrefixChanges(
        link=tuple(sorted({*changes.link, *relink})),
        unlink=_unlinked(changes, moved),
        unchanged=tuple(have for have in changes.unchanged if have.name not in moved),
        relink=relink,
    )


def _unlinked(changes: PrefixChanges, moved: Collection[str]) -> tuple[InstalledPackage, ...]:
    """List the packages to unlink where some of the unchanged ones are, too; sorted by name."""
    more = (have for have in changes.unchanged if have.name in moved)
    return tuple(sorted((*changes.unlink, *more), key=lambda have: have.name))
