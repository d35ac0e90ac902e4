"""`licenses`: what the packages of a lock may be used for, and whether the spec's policy accepts it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from envgen.export.export_input import License
from envgen.licenses import Judgement, LicensePolicy, Terms, licenses_in
from envgen.manifest.select import select
from envgen.names import project_name
from envgen.prepare.package_licenses import licenses_of
from envgen.project import shipped
from envgen.project.lock_files import platforms_of, require_packages
from envgen.structs import replace

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from envgen.digest import Sha256
    from envgen.licenses import LicenseTable
    from envgen.packages import Package, PackageKind
    from envgen.platforms import Platform
    from envgen.project.context import Context


class LicenseVerdict(Struct, frozen=True, kw_only=True):
    """The licence of one package and what the policy says about it.

    Attributes:
        name: project or conda name.
        version: as locked.
        kind: where the package comes from.
        license: where it is known.
        stated_by_spec: whether the spec says so, rather than the package.
        judgement: of the policy.
        terms: of its licences that SPDX does not list.
        platforms: which locks have it.
    """

    name: str
    version: str
    kind: PackageKind
    license: License | None
    stated_by_spec: bool
    judgement: Judgement
    terms: tuple[Terms, ...]
    platforms: tuple[Platform, ...]


class LicenseReport(Struct, frozen=True, kw_only=True):
    """What `licenses` found.

    Attributes:
        verdicts: sorted by name and version.
        policy: of the spec, or None.
    """

    verdicts: tuple[LicenseVerdict, ...]
    policy: LicensePolicy | None

    @property
    def rejected(self) -> tuple[LicenseVerdict, ...]:
        """Return packages that the policy refuses; an unknown licence is refused if the policy has `allow`."""
        if self.policy is None:
            return ()
        bad = {Judgement.DENIED, Judgement.NOT_ALLOWED, Judgement.UNKNOWN}
        if self.policy.allow is None:
            bad.remove(Judgement.UNKNOWN)
        return tuple(verdict for verdict in self.verdicts if verdict.judgement in bad)


def licenses(
    context: Context, *, env: str | None = None, platforms: Sequence[Platform] = (), offline: bool = False
) -> LicenseReport:
    """Find the licence of every locked package, and check it against the policy of the spec.

    Args:
        context: the world.
        env: name of the spec, or None for the project's only or default one.
        platforms: these only; all of the spec without.
        offline: ask no index and no channel for what this machine does not know.

    Raises:
        LockError: a lock is missing or cannot be read.
        NetworkError: an index or channel cannot be reached.
    """
    spec = select(context.root, env)
    locks = tuple(require_packages(context, spec, platform) for platform in platforms_of(spec, platforms))
    table = shipped.license_table()
    found = licenses_of(context, locks, fetch=not offline)
    where: dict[Sha256, list[Platform]] = {}
    packages: dict[Sha256, Package] = {}
    for lock in locks:
        for package in lock.packages:
            where.setdefault(package.sha256, []).append(lock.platform)
            packages[package.sha256] = package
    verdicts = (
        _verdict(package, found.get(sha), spec.licenses, table, tuple(where[sha])) for sha, package in packages.items()
    )
    merged = sorted(_merged(verdicts), key=lambda v: (v.name, v.version, v.platforms))
    return LicenseReport(verdicts=tuple(merged), policy=spec.licenses)


def _merged(verdicts: Iterable[LicenseVerdict]) -> Iterator[LicenseVerdict]:
    """Merge the verdicts of one package on several platforms, whose files differ."""
    where: dict[LicenseVerdict, set[Platform]] = {}
    for verdict in verdicts:
        where.setdefault(replace(verdict, platforms=()), set()).update(verdict.platforms)
    yield from (replace(verdict, platforms=tuple(sorted(platforms))) for verdict, platforms in where.items())


def _verdict(
    package: Package,
    found: License | None,
    policy: LicensePolicy | None,
    table: LicenseTable,
    platforms: tuple[Platform, ...],
) -> LicenseVerdict:
    stated = _stated(policy, package.name)
    chosen = License(words=stated, expression=table.expression(stated)) if stated else found
    expression = chosen.expression if chosen else None
    known = licenses_in(expression) if expression else ()
    return LicenseVerdict(
        name=str(package.name),
        version=package.version,
        kind=package.kind,
        license=chosen,
        stated_by_spec=stated is not None,
        judgement=(policy or LicensePolicy()).judge(expression),
        terms=tuple(table.terms[license_] for license_ in known if license_ in table.terms),
        platforms=platforms,
    )


def _stated(policy: LicensePolicy | None, name: str) -> str | None:
    """Find what the spec says about a package, however its name is spelled there."""
    said = {project_name(key): text for key, text in (policy.packages if policy else {}).items()}
    return said.get(project_name(name))
