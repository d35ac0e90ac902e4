"""Who owns what among packages that are there; of channels, the last in rattler's order of linking keeps a path."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import rattler

from envgen.prefix.clobber import ClobberRules, decide

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from envgen.platforms import Platform
    from envgen.prefix.clobber import Ownership
    from envgen.prefix.contents import Contents, LinkPackage


def owners(contents: Sequence[Contents], *, platform: Platform, conflicts: Mapping[str, str]) -> Ownership:
    """Assign each path of an environment to one package.

    Args:
        contents: of every package, no two of one name.
        platform: of the environment.
        conflicts: path or pattern -> package that keeps its file, as the spec has it.

    Raises:
        ArtifactError: packages that cannot be in one environment.
    """
    order = partial(linking_order, [content.package for content in contents])
    rules = ClobberRules(fold_case=not platform.is_linux, conflicts=conflicts, order=order)
    return decide((content.claims() for content in contents), rules)


def linking_order(packages: Iterable[LinkPackage]) -> tuple[str, ...]:
    """Return the names of packages in rattler's order of linking; no two of one name.

    What a package depends on comes before it, and of two that do not depend on each other the first by name comes
    last; of several packages with one path, the last keeps it (`topological_sort.rs` and `clobber_registry.rs` in
    rattler). Names, dependencies and `noarch` determine it, so it is a function of the lock.
    """
    ordered = rattler.PackageRecord.sort_topologically([_rattler_record(package) for package in packages])
    return tuple(record.name.normalized for record in ordered)


def _rattler_record(package: LinkPackage) -> rattler.PackageRecord:
    record = rattler.PackageRecord.from_index_json(package.directory / "info" / "index.json")
    record.depends = list(package.record.depends)
    return record
