"""Which advisories apply to which packages: one finding for each vulnerability of a package, whatever its names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from envgen.audit.affects import UncomparableError, judge, lookup_name
from envgen.structs import replace

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from envgen.audit.advisory import Advisory, Affected
    from envgen.audit.affects import Ecosystem, Verdict
    from envgen.audit.subjects import Audited
    from envgen.manifest.audit_parse import Ignored

_UNIMPORTANT = "unimportant"
"""What Debian's security team calls a fault without any effect on security."""

_PREFERRED = ("CVE-", "GHSA-", "PYSEC-", "DSA-", "DLA-")
"""By which of its names a vulnerability is shown, best first."""


class Vulnerability(Struct, frozen=True, kw_only=True):
    """One vulnerability of one locked package.

    Attributes:
        subject: the package.
        id: the identifier by which it is shown.
        aliases: its other identifiers, sorted.
        summary: one line; empty where no advisory has one.
        severity: a word or a CVSS vector; None where no advisory has one.
        fixed: the first later version without it; None where no advisory names one.
        is_minor: Debian calls it `unimportant`; it does not fail an audit.
        ignored: why the spec ignores it; None where it does not.
    """

    subject: Audited
    id: str
    aliases: tuple[str, ...]
    summary: str
    severity: str | None
    fixed: str | None
    is_minor: bool
    ignored: str | None = None

    @property
    def names(self) -> frozenset[str]:
        """Return all identifiers of the vulnerability."""
        return frozenset({self.id, *self.aliases})

    @property
    def counts(self) -> bool:
        """Return whether it fails an audit."""
        return not self.is_minor and self.ignored is None


class _Hit(Struct, frozen=True, kw_only=True):
    advisory: Advisory
    affected: Affected
    verdict: Verdict


class Uncompared(Struct, frozen=True, kw_only=True):
    """An advisory whose versions cannot be compared with that of a package."""

    subject: Audited
    id: str
    reason: str


def findings(
    subjects: Iterable[Audited], advisories: Mapping[Ecosystem, Sequence[Advisory]]
) -> Iterator[Vulnerability | Uncompared]:
    """Yield what applies to packages.

    Args:
        subjects: packages.
        advisories: of the database, by ecosystem.
    """
    for subject in subjects:
        hits: list[_Hit] = []
        for advisory in advisories.get(subject.ecosystem, ()):
            for affected in advisory.affected:
                if not _is_about(affected, subject):
                    continue
                try:
                    verdict = judge(affected, subject.project_version, subject.ecosystem)
                except UncomparableError as error:
                    yield Uncompared(subject=subject, id=advisory.id, reason=str(error))
                    continue
                if verdict:
                    hits.append(_Hit(advisory=advisory, affected=affected, verdict=verdict))
        for group in _by_vulnerability(hits):
            yield _vulnerability(subject, group)


def apply_ignores(
    found: Iterable[Vulnerability], ignored: Mapping[str, Ignored], *, today: dt.date
) -> tuple[Vulnerability, ...]:
    """Mark what the spec ignores, up to the last day that it names."""
    valid = {name: entry.reason for name, entry in ignored.items() if entry.until >= today}
    return tuple(replace(one, ignored=next((valid[n] for n in valid if n in one.names), None)) for one in found)


def _is_about(affected: Affected, subject: Audited) -> bool:
    """Return whether an entry is about a package; one without a release of Debian is about every release."""
    wanted = {subject.ecosystem, f"{subject.ecosystem}:{subject.release}"}
    return affected.ecosystem in wanted and (
        lookup_name(affected.name, subject.ecosystem) == lookup_name(subject.project, subject.ecosystem)
    )


def _by_vulnerability(hits: Sequence[_Hit]) -> list[list[_Hit]]:
    """Merge advisories about one vulnerability: databases of several publishers list it under several names."""
    groups: list[tuple[set[str], list[_Hit]]] = []
    for hit in hits:
        names, members = {hit.advisory.id, *hit.advisory.aliases}, [hit]
        for group in [group for group in groups if group[0] & names]:
            groups.remove(group)
            names, members = names | group[0], [*group[1], *members]
        groups.append((names, members))
    return [members for _, members in groups]


def _vulnerability(subject: Audited, group: Sequence[_Hit]) -> Vulnerability:
    names = sorted({name for hit in group for name in (hit.advisory.id, *hit.advisory.aliases)}, key=_rank)
    urgencies = {hit.affected.urgency for hit in group}
    severities = [hit.advisory.severity for hit in group if hit.advisory.severity]
    words = [text for text in severities if "/" not in text]  # a CVSS vector has slashes, and says less to people
    return Vulnerability(
        subject=subject,
        id=names[0],
        aliases=tuple(sorted(names[1:])),
        summary=next((hit.advisory.summary for hit in group if hit.advisory.summary), ""),
        severity=next(iter([*words, *filter(None, urgencies), *severities]), None),
        fixed=next((hit.verdict.fixed for hit in group if hit.verdict.fixed), None),
        is_minor=urgencies == {_UNIMPORTANT},
    )


def _rank(name: str) -> tuple[int, str]:
    return next((at for at, start in enumerate(_PREFERRED) if name.startswith(start)), len(_PREFERRED)), name
