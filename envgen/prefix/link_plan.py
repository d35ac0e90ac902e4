"""Which packages a change links and unlinks, and who owns which path; decided over all packages, nothing moves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from envgen.prefix.brought import bring
from envgen.prefix.changes import PrefixChanges, Wanted, compare, with_paths
from envgen.prefix.clobber import Ownership
from envgen.prefix.contents import python_layout
from envgen.prefix.owners import owners_of_paths

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from envgen.platforms import Platform
    from envgen.prefix.brought import Brought
    from envgen.prefix.contents import LinkPackage
    from envgen.prefix.installed import InstalledPackage
    from envgen.system.store import Store


class LinkPlan(Struct, frozen=True, kw_only=True):
    """A change of a prefix.

    Attributes:
        installed: what the prefix held when the plan was made.
        changes: packages to link, to unlink and to leave, with those to link again because of their paths.
        contents: paths of every package, sorted by the package's name; none where nothing changes.
        ownership: who owns paths that several packages bring.
        paths: name -> paths that the package owns then.
    """

    installed: tuple[InstalledPackage, ...]
    changes: PrefixChanges
    contents: tuple[Brought, ...]
    ownership: Ownership
    paths: Mapping[str, frozenset[str]]

    @property
    def packages(self) -> list[LinkPackage]:
        """List the packages of `contents`."""
        return [one.package for one in self.contents]


def plan_links(
    packages: Iterable[LinkPackage],
    installed: tuple[InstalledPackage, ...],
    *,
    platform: Platform,
    conflicts: Mapping[str, str] | None = None,
    reinstall: Collection[str] = frozenset(),
    decide_again: bool = False,
    store: Store | None = None,
    fold_case: bool = False,
) -> LinkPlan:
    """Compare packages with what a prefix holds; finds the paths of each package where anything changes.

    Args:
        packages: all of the environment, extracted in the store; no two of one name.
        installed: from `inventory.read`.
        platform: of the environment.
        conflicts: path or pattern -> package that keeps its file where several bring one, as the spec has it.
        reinstall: names of packages to link again though they are installed, for their files are damaged.
        decide_again: whether who owns what may differ although no package does: the prefix was linked by other
            `conflicts`.
        store: keeps the paths of packages, so that they are read once.
        fold_case: whether the file system of the prefix takes `A` and `a` for one name.

    Raises:
        ArtifactError: packages that cannot be in one environment, or cannot be read.
    """
    ordered = sorted(packages, key=lambda package: package.record.name)
    changes = compare(map(_wanted, ordered), installed, reinstall=reinstall)
    if not (changes or decide_again):
        unowned = Ownership(clobbered={}, conflicting=())
        return LinkPlan(installed=installed, changes=changes, contents=(), ownership=unowned, paths={})
    python = python_layout(ordered, platform)
    contents = tuple(bring(package, python, store) for package in ordered)
    ownership = owners_of_paths(contents, platform=platform, conflicts=conflicts or {}, fold_case=fold_case)
    paths = {one.name: frozenset(one.paths) - ownership.clobbered.get(one.name, frozenset()) for one in contents}
    return LinkPlan(
        installed=installed,
        changes=with_paths(changes, paths),
        contents=contents,
        ownership=ownership,
        paths=paths,
    )


def _wanted(package: LinkPackage) -> Wanted:
    record = package.record
    return Wanted(name=record.name, version=record.version, build=record.build, key=package.key)
