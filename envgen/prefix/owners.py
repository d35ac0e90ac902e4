"""Who owns what among packages that are there; of channels, the last in rattler's order of linking keeps a path."""

from __future__ import annotations

from collections import Counter
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING

from envgen.paths import folders_of
from envgen.prefix.clobber import ClobberRules, decide
from envgen.structs import replace

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    import rattler

    from envgen.platforms import Platform
    from envgen.prefix.brought import Brought
    from envgen.prefix.clobber import Claims, Ownership
    from envgen.prefix.contents import Contents, LinkPackage


def owners(
    contents: Sequence[Contents], *, platform: Platform, conflicts: Mapping[str, str], fold_case: bool = False
) -> Ownership:
    """Assign each path of an environment to one package.

    Args:
        contents: of every package, no two of one name.
        platform: of the environment.
        conflicts: path or pattern -> package that keeps its file, as the spec has it.
        fold_case: whether the file system takes `A` and `a` for one name, as those of other platforms do anyway.

    Raises:
        ArtifactError: packages that cannot be in one environment.
    """
    rules = _rules([content.package for content in contents], conflicts, fold_case=fold_case or not platform.is_linux)
    return decide((content.claims() for content in contents), rules)


def owners_of_paths(
    packages: Sequence[Brought], *, platform: Platform, conflicts: Mapping[str, str], fold_case: bool = False
) -> Ownership:
    """Assign each path as `owners` does, and read only the packages of which another one has a path, too.

    Args:
        packages: every one, no two of one name.
        platform: of the environment.
        conflicts: path or pattern -> package that keeps its file, as the spec has it.
        fold_case: see `owners`.

    Raises:
        ArtifactError: packages that cannot be in one environment, or cannot be read.
    """
    fold_case = fold_case or not platform.is_linux
    count = Counter(chain.from_iterable(one.paths for one in packages))
    if fold_case or not count.keys().isdisjoint(folders_of(count)):  # spellings, or a file for a folder
        return owners([one.read() for one in packages], platform=platform, conflicts=conflicts, fold_case=fold_case)
    contested = frozenset(path for path, number in count.items() if number > 1)
    claims = [_only(one.read().claims(), contested) for one in packages if not contested.isdisjoint(one.paths)]
    return decide(claims, _rules([one.package for one in packages], conflicts, fold_case=fold_case))


def _only(claims: Claims, paths: Collection[str]) -> Claims:
    return replace(claims, claims=[claim for claim in claims.claims if claim.path in paths])


def _rules(packages: Sequence[LinkPackage], conflicts: Mapping[str, str], *, fold_case: bool) -> ClobberRules:
    order = partial(linking_order, packages)
    return ClobberRules(fold_case=fold_case, conflicts=conflicts, order=order)


def linking_order(packages: Iterable[LinkPackage]) -> tuple[str, ...]:
    """Return the names of packages in rattler's order of linking; no two of one name.

    What a package depends on comes before it, and of two that do not depend on each other the first by name comes
    last; of several packages with one path, the last keeps it (`topological_sort.rs` and `clobber_registry.rs` in
    rattler). Names, dependencies and `noarch` determine it, so it is a function of the lock.
    """
    import rattler  # noqa: PLC0415  takes 50 ms, and only packages of channels have an order

    ordered = rattler.PackageRecord.sort_topologically([_rattler_record(package) for package in packages])
    return tuple(record.name.normalized for record in ordered)


def _rattler_record(package: LinkPackage) -> rattler.PackageRecord:
    import rattler  # noqa: PLC0415  as above

    record = rattler.PackageRecord.from_index_json(package.directory / "info" / "index.json")
    record.depends = list(package.record.depends)
    return record
