"""Findings of `audit` in the words of a report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envgen.report.model import ReportedAdvisory, ReportedAudit, ReportedSource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from envgen.audit.findings import Vulnerability
    from envgen.ops._audit import AuditReport


def reported_audit(found: AuditReport) -> ReportedAudit:
    """Return what an audit found, what counts first, with the dates of what it rests on."""
    advisories = sorted(_advisories(found), key=lambda one: (not one.counts, one.package, one.id))
    databases = [
        ReportedSource(name=f"advisories of {age.ecosystem}", date=age.newest[:10] if age.newest else None)
        for age in found.databases
    ]
    indexes = [ReportedSource(name=one.name, date=str(one.date.date()) if one.date else None) for one in found.indexes]
    uncompared = [f"{one.id} cannot be compared with {one.subject.name}: {one.reason}" for one in found.uncompared]
    return ReportedAudit(
        advisories=tuple(advisories),
        has_database=bool(databases),
        sources=(*databases, *indexes),
        uncovered=tuple(one.name for one in found.uncovered),
        remarks=(*found.remarks, *uncompared),
    )


def _advisories(found: AuditReport) -> Iterator[ReportedAdvisory]:
    yield from map(_vulnerability, found.vulnerabilities)
    for one in found.withdrawn:
        yield ReportedAdvisory(id="withdrawn", package=one.name, version=one.version, what=one.reason)
    for update in found.updates:
        what = f"{update.suite} has a newer version"
        yield ReportedAdvisory(
            id="security update", package=update.name, version=update.version, what=what, fixed=update.newer
        )


def _vulnerability(found: Vulnerability) -> ReportedAdvisory:
    return ReportedAdvisory(
        id=found.id,
        package=found.subject.name,
        version=found.subject.version,
        what=found.summary,
        severity=found.severity,
        fixed=found.fixed,
        ignored="unimportant, says Debian" if found.is_minor and found.ignored is None else found.ignored,
    )
