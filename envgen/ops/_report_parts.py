"""Results of other verbs in the words of a report."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from envgen.image.inputs import BASE_PART
from envgen.image.layer_plan import LayerGroup
from envgen.lock.debian_lock import IMAGE
from envgen.lock.graph import chains, node_of
from envgen.lock.stack import stack
from envgen.packages import BuiltPackage, PackageKind
from envgen.report.folders import folders_of
from envgen.report.model import (
    ReportedChange,
    ReportedComponent,
    ReportedDifference,
    ReportedFinding,
    ReportedLayer,
    ReportedLink,
    ReportedPackage,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from envgen.checks import Misfit
    from envgen.diff.comparison import Comparison
    from envgen.diff.delta import Delta, Entry, EntryChange
    from envgen.image.layer_plan import PlannedLayer
    from envgen.lock.debian_lock import DebianLock
    from envgen.lock.graph import Chain, Graph
    from envgen.lock.model import Lock
    from envgen.ops._licenses import LicenseReport, LicenseVerdict
    from envgen.prepare.plan import PlannedPackage

_FILES = 20
"""Files of a finding that are kept."""


def reported_packages(
    items: Sequence[PlannedPackage], sizes: Mapping[str, Mapping[str, int]], licenses: LicenseReport, graph: Graph
) -> tuple[ReportedPackage, ...]:
    """Return the packages, largest first.

    Args:
        items: of the lock.
        sizes: name in an environment -> path -> bytes, of packages that the store has.
        licenses: of the same lock.
        graph: of the same lock.
    """
    total = sum(sum(files.values()) for files in sizes.values())
    verdicts = {(verdict.kind, verdict.name): verdict for verdict in licenses.verdicts}
    found = (
        _package(
            item,
            sizes.get(item.wanted.name),
            verdicts.get((item.package.kind, str(item.package.name))),
            total=total,
            rejected=licenses.rejected,
            reason=_shortest(chains(graph, node_of(item.package))),
        )
        for item in items
    )
    return tuple(sorted(found, key=lambda package: (-package.size, package.name)))


def _package(
    item: PlannedPackage,
    files: Mapping[str, int] | None,
    verdict: LicenseVerdict | None,
    *,
    total: int,
    rejected: Collection[LicenseVerdict],
    reason: tuple[str, ...],
) -> ReportedPackage:
    known = verdict.license if verdict else None
    return ReportedPackage(
        name=str(item.package.name),
        version=item.package.version,
        kind=str(item.package.kind),
        group=LayerGroup.of_package(item.wanted.name).name.lower(),
        download=_download(item),
        installed=None if files is None else sum(files.values()),
        license=(known.expression or known.words) if known else None,
        rejected=verdict in rejected,
        folders=() if files is None else folders_of(files, total=total),
        reason=reason,
    )


def _shortest(found: Sequence[Chain]) -> tuple[str, ...]:
    return _reason(min(found, key=lambda chain: len(chain.steps))) if found else ()


def _download(item: PlannedPackage) -> int | None:
    """Return the bytes to download; what a recipe makes costs what it is made from."""
    if not isinstance(item.package, BuiltPackage):
        return item.package.download_size
    sizes = [artifact.size for artifact in item.artifacts]
    return None if None in sizes or not sizes else sum(size or 0 for size in sizes)


def reported_stack(lock: Lock, graph: Graph) -> tuple[ReportedComponent, ...]:
    """Return the accelerator stack, each with the ways that lead to it."""
    return tuple(
        ReportedComponent(
            what=component.what,
            name=str(component.package.name) if component.package else None,
            version=component.package.version if component.package else None,
            reasons=tuple(map(_reason, chains(graph, node_of(component.package)))) if component.package else (),
        )
        for component in stack(lock)
    )


def reported_links(lock: Lock, graph: Graph) -> tuple[ReportedLink, ...]:
    """Return the requirements on the shortest ways from the spec to the accelerator stack, each once."""
    packages = [component.package for component in stack(lock) if component.package]
    found = (link for package in packages for chain in chains(graph, node_of(package)) for link in _links(chain))
    return tuple(dict.fromkeys(found))


def _reason(chain: Chain) -> tuple[str, ...]:
    return (f"{chain.root.section}: {chain.root.words}", *(step.words for step in chain.steps))


def _links(chain: Chain) -> Iterator[ReportedLink]:
    yield ReportedLink(source=None, target=chain.root.node.name, words=chain.root.words)
    source = chain.root.node.name
    for step in chain.steps:
        yield ReportedLink(source=source, target=step.node.name, words=step.words)
        source = step.node.name


def reported_finding(misfit: Misfit) -> ReportedFinding:
    """Return a finding with the first of its files."""
    return ReportedFinding(
        rule=misfit.rule,
        severity=str(misfit.severity),
        what=misfit.what,
        files=misfit.files[:_FILES],
        file_count=len(misfit.files),
        remedy=misfit.remedy,
        accepted=misfit.accepted,
    )


def reported_difference(compared: Comparison) -> ReportedDifference:
    """Return what differs in the one environment and platform that was compared."""
    if not compared.differences:
        return ReportedDifference(against=compared.before, changes=(), download_before=None, download_after=None)
    delta = compared.differences[0].delta
    before, after = delta.downloads
    return ReportedDifference(
        against=compared.before,
        changes=tuple(sorted(_changes(delta), key=_weight)),
        download_before=before,
        download_after=after,
        had_lock=delta.before is not None,
    )


def _weight(change: ReportedChange) -> tuple[bool, int, str]:
    return change.kind == PackageKind.DEBIAN, -abs(change.growth or 0), change.name


def _changes(delta: Delta) -> Iterator[ReportedChange]:
    for entry in delta.added:
        yield _change(entry, before=None, after=entry.version, growth=entry.size)
    for entry in delta.removed:
        yield _change(entry, before=entry.version, after=None, growth=None if entry.size is None else -entry.size)
    for change in delta.changed:
        old, new = change.before, change.after
        known = old.size is not None and new.size is not None
        before, after = _versions(change)
        yield _change(new, before=before, after=after, growth=(new.size or 0) - (old.size or 0) if known else None)


def _change(entry: Entry, *, before: str | None, after: str | None, growth: int | None) -> ReportedChange:
    return ReportedChange(name=entry.name, kind=str(entry.kind), before=before, after=after, growth=growth)


def _versions(change: EntryChange) -> tuple[str, str]:
    """Return both versions, with what else tells the packages apart where those are equal."""
    sides = (change.before, change.after)
    for facts in (
        [entry.version for entry in sides],
        [f"{entry.version} {entry.build or entry.kind}" for entry in sides],
        [f"{entry.version} ({str(entry.sha256 or '')[:12]})" for entry in sides],
    ):
        if facts[0] != facts[1]:
            break
    return facts[0], facts[1]


def touched_parts(compared: Comparison, items: Sequence[PlannedPackage]) -> frozenset[str]:
    """Return the parts of the image whose bytes a difference concerns, by name in an environment."""
    names = {str(item.package.name): item.wanted.name for item in items}
    recipes: dict[str, list[str]] = defaultdict(list)
    for item in items:
        if isinstance(item.package, BuiltPackage):
            recipes[item.package.recipe].append(item.wanted.name)
    found: set[str] = set()
    for entry in (entry for difference in compared.differences for entry in difference.delta.touched()):
        if entry.kind is PackageKind.DEBIAN:
            found.update(name for user in entry.users for name in ([BASE_PART] if user == IMAGE else recipes[user]))
        elif entry.name in names:
            found.add(names[entry.name])
    return frozenset(found)


def reported_layers(
    layers: Sequence[PlannedLayer], items: Sequence[PlannedPackage], touched: Collection[str]
) -> tuple[ReportedLayer, ...]:
    """Return planned layers, lowest first."""
    shown = {str(item.wanted.name): str(item.package.name) for item in items}
    return tuple(
        _layer(layer.stage, layer.size, [share.part for share in layer.shares], shown, touched) for layer in layers
    )


def reported_groups(
    items: Sequence[PlannedPackage], debian: DebianLock | None, touched: Collection[str]
) -> tuple[ReportedLayer, ...]:
    """Return the groups of layers that packages will be in, with the bytes of their downloads."""
    shown = {str(item.wanted.name): str(item.package.name) for item in items}
    groups: dict[LayerGroup, list[PlannedPackage]] = defaultdict(list)
    for item in items:
        groups[LayerGroup.of_package(item.wanted.name)].append(item)
    base = sum(deb.size for deb in debian.used_by(IMAGE)) if debian else 0
    return (
        _layer(LayerGroup.BASE, base, [BASE_PART], shown, touched),
        *(
            _layer(
                group,
                sum(_download(i) or 0 for i in groups[group]),
                [i.wanted.name for i in groups[group]],
                shown,
                touched,
            )
            for group in sorted(groups)
        ),
    )


def _layer(
    group: LayerGroup, size: int, parts: Sequence[str], shown: Mapping[str, str], touched: Collection[str]
) -> ReportedLayer:
    names = {part: shown.get(part, part) for part in parts}
    return ReportedLayer(
        group=group.name.lower(),
        size=size,
        packages=tuple(sorted(names.values())),
        touched=tuple(sorted(name for part, name in names.items() if part in touched)),
    )
