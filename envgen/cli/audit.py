"""`envgen audit`: known vulnerabilities, withdrawn wheels and security updates among the locked packages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from envgen import ops
from envgen.cli.every_verb import examples
from envgen.cli.options import database_option, env_argument, json_option, platform_option
from envgen.cli.sizes import counted
from envgen.errors import UsageError, UserError

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence
    from pathlib import Path

    from envgen.cli.console import Console
    from envgen.ops import AuditReport, Vulnerability
    from envgen.platforms import Platform

_SHOWN = 8
"""Names of packages that one line lists."""


@click.command(
    "audit",
    epilog=examples(
        "envgen audit",
        "envgen audit train --database ~/.cache/osv",
        remark="The folder of --database is one that osv-scanner made for work offline.",
    ),
)
@env_argument
@platform_option("this platform only; may be repeated")
@database_option
@click.option("--offline", is_flag=True, help="ask no index; use the last answers of the indexes")
@json_option
@click.option("--sarif", "as_sarif", is_flag=True, help="write the vulnerabilities as SARIF 2.1.0")
@click.pass_obj
def command(
    console: Console,
    env: str | None,
    platforms: tuple[Platform, ...],
    database: Path | None,
    offline: bool,
    as_json: bool,
    as_sarif: bool,
) -> None:
    """List known vulnerabilities of the locked packages; exit 1 if there is one that the spec does not ignore.

    Wheels and Debian packages are compared with an OSV database on this machine. Yanked wheels and updates in
    Debian's security suite need no database.
    """
    if as_json and as_sarif:
        raise UsageError("`--json` and `--sarif` cannot be combined")
    options = ops.AuditOptions(env=env, platforms=platforms, database=database, offline=offline)
    report = ops.audit(console.context(), options)
    if as_sarif:
        console.json(report.sarif())
    elif as_json:
        console.json(_facts(report))
    else:
        _render(console, report)
    _tell(console, report)
    if report.fails:
        raise UserError(_failure(report), hint=_hint(report))


def _render(console: Console, report: AuditReport) -> None:
    counted_ones = [one for one in report.vulnerabilities if not one.is_minor]
    if counted_ones:
        rows = [(*_package(one), one.id, one.severity or "", one.fixed or "", _state(one)) for one in counted_ones]
        console.table(("package", "version", "vulnerability", "severity", "fixed in", "state"), rows)
    if report.withdrawn:
        console.table(("package", "version", "wheel index"), [(w.name, w.version, w.reason) for w in report.withdrawn])
    if report.updates:
        updates = [(u.name, u.version, u.newer, u.suite) for u in report.updates]
        console.table(("package", "version", "security update", "suite"), updates)


def _tell(console: Console, report: AuditReport) -> None:
    """Write what the answer rests on, and what it leaves out."""
    for age in report.databases:
        console.say(f"{age.path}: {age.records} advisories, newest of {age.newest or 'an unknown date'}")
    for source in report.indexes:
        if source.date:
            console.say(f"{source.name}: as of {_moment(source.date)}")
    minor = [one for one in report.vulnerabilities if one.is_minor]
    if minor:
        console.say(f"{counted(len(minor), 'finding')} that Debian calls unimportant: see `--json`")
    if report.databases and report.uncovered:
        console.say(f"not covered by any database: {_names([one.name for one in report.uncovered])}")
    if report.databases and report.assumed:
        names = _names(sorted({one.name for one in report.assumed}))
        console.say(f"looked up by a name or version that may differ in the database: {names}")
    for one in report.uncompared:
        console.warn(f"{one.id} cannot be compared with {one.subject.name} {one.subject.version}: {one.reason}")
    for remark in report.remarks:
        console.warn(remark)


def _failure(report: AuditReport) -> str:
    found = [one for one in report.vulnerabilities if one.counts]
    parts = [
        f"{len(items)} {one if len(items) == 1 else many}"
        for items, one, many in (
            (found, "known vulnerability", "known vulnerabilities"),
            (report.withdrawn, "withdrawn wheel", "withdrawn wheels"),
            (report.updates, "security update", "security updates"),
        )
        if items
    ]
    return f"{' and '.join(parts)} found in `{report.spec}`"


def _hint(report: AuditReport) -> str:
    names = {one.subject.name for one in report.vulnerabilities if one.counts and one.fixed}
    names |= {one.name for one in report.withdrawn} | {one.name for one in report.updates}
    if names:
        return f"`envgen lock {' '.join(f'--upgrade {name}' for name in sorted(names)[:_SHOWN])}` takes newer versions"
    return 'look into it, then ignore it in the spec: `audit: {ignore: {ID: {reason: "...", until: DATE}}}`'


def _package(found: Vulnerability) -> tuple[str, str]:
    return found.subject.name, found.subject.version


def _state(found: Vulnerability) -> str:
    return f"ignored: {found.ignored}" if found.ignored is not None else ""


def _names(names: Sequence[str]) -> str:
    rest = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + rest


def _moment(moment: dt.datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _facts(report: AuditReport) -> dict[str, Any]:
    return {
        "vulnerabilities": [_vulnerability(one) for one in report.vulnerabilities],
        "withdrawn": [
            {"name": w.name, "version": w.version, "reason": w.reason, "platforms": list(w.platforms)}
            for w in report.withdrawn
        ],
        "security_updates": [
            {"name": u.name, "version": u.version, "newer": u.newer, "suite": u.suite, "platforms": list(u.platforms)}
            for u in report.updates
        ],
        "uncompared": [
            {"id": u.id, "name": u.subject.name, "version": u.subject.version, "reason": u.reason}
            for u in report.uncompared
        ],
        "uncovered": [{"name": u.name, "version": u.version, "from": str(u.kind)} for u in report.uncovered],
        "assumed": [
            {"name": s.name, "version": s.version, "project": s.project, "project_version": s.project_version}
            for s in report.assumed
        ],
        "databases": [
            {"path": str(d.path), "ecosystem": str(d.ecosystem), "records": d.records, "newest": d.newest}
            for d in report.databases
        ],
        "indexes": [{"name": i.name, "date": i.date.isoformat() if i.date else None} for i in report.indexes],
        "remarks": list(report.remarks),
    }


def _vulnerability(found: Vulnerability) -> dict[str, Any]:
    subject = found.subject
    return {
        "name": subject.name,
        "version": subject.version,
        "from": str(subject.kind),
        "ecosystem": f"{subject.ecosystem}:{subject.release}" if subject.release else str(subject.ecosystem),
        "project": subject.project,
        "id": found.id,
        "aliases": list(found.aliases),
        "summary": found.summary,
        "severity": found.severity,
        "fixed": found.fixed,
        "minor": found.is_minor,
        "ignored": found.ignored,
        "platforms": list(subject.platforms),
    }
