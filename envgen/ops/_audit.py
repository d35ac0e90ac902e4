"""`audit`: what is known to be vulnerable, withdrawn or superseded among the locked packages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from envgen.audit.database import AdvisoryArchive, DatabaseAge, archives
from envgen.audit.findings import Uncompared, Vulnerability, apply_ignores, findings
from envgen.audit.sarif import sarif
from envgen.audit.subjects import Audited, Uncovered, subjects_of_debian, subjects_of_lock
from envgen.convert.deb_unpack import control_fields, read_control
from envgen.errors import ArtifactError, UserError
from envgen.manifest.select import select
from envgen.prepare.security_updates import security_suites
from envgen.prepare.wheel_status import statuses
from envgen.project.lock_files import platforms_of, require_lock
from envgen.structs import replace

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from envgen.audit.affects import Ecosystem
    from envgen.digest import Sha256
    from envgen.lock.debian_lock import DebianLock
    from envgen.lock.model import Lock
    from envgen.manifest.env_spec import EnvSpec
    from envgen.packages import Wheel
    from envgen.platforms import Platform
    from envgen.project.context import Context

_VARIABLE = "OSV_SCANNER_LOCAL_DB_CACHE_DIRECTORY"


class AuditOptions(Struct, frozen=True, kw_only=True):
    """What to audit.

    Attributes:
        env: name of the spec, or None for the project's only or default one.
        platforms: these only; all of the spec without.
        database: folder of an OSV database, absolute or relative to the working directory; None for the one that
            `OSV_SCANNER_LOCAL_DB_CACHE_DIRECTORY` names.
        offline: ask no index and no archive; what they said before counts.
    """

    env: str | None = None
    platforms: Sequence[Platform] = ()
    database: Path | None = None
    offline: bool = False


class Withdrawn(Struct, frozen=True, kw_only=True):
    """A locked wheel that its index marks: `reason` says how, in a few words."""

    name: str
    version: str
    reason: str
    platforms: tuple[Platform, ...]


class SecurityUpdate(Struct, frozen=True, kw_only=True):
    """A locked Debian package of which the security suite has a newer version."""

    name: str
    version: str
    newer: str
    suite: str
    platforms: tuple[Platform, ...]


class SourceAge(Struct, frozen=True, kw_only=True):
    """An index or archive that the answer rests on, and the date of what it said; None where it said nothing."""

    name: str
    date: dt.datetime | None


class AuditReport(Struct, frozen=True, kw_only=True):
    """What `audit` found.

    Attributes:
        spec: path of the spec relative to the project.
        vulnerabilities: sorted by package and identifier.
        uncompared: advisories whose versions cannot be compared with that of a package.
        withdrawn: yanked wheels, and wheels of projects that are archived or quarantined.
        updates: Debian packages with a newer version in the security suite.
        uncovered: packages that no database knows.
        assumed: packages that were looked up under a name or version that may be wrong.
        databases: archives of advisories that were read.
        indexes: other sources that were asked.
        remarks: what could not be looked at, and ignores of the spec that no longer apply.
    """

    spec: str
    vulnerabilities: tuple[Vulnerability, ...]
    uncompared: tuple[Uncompared, ...]
    withdrawn: tuple[Withdrawn, ...]
    updates: tuple[SecurityUpdate, ...]
    uncovered: tuple[Uncovered, ...]
    assumed: tuple[Audited, ...]
    databases: tuple[DatabaseAge, ...]
    indexes: tuple[SourceAge, ...]
    remarks: tuple[str, ...]

    @property
    def fails(self) -> bool:
        """Return whether anything was found that the spec does not ignore."""
        return any(one.counts for one in self.vulnerabilities) or bool(self.withdrawn or self.updates)

    def sarif(self) -> Mapping[str, Any]:
        """Return the vulnerabilities as SARIF 2.1.0."""
        dates = {f"advisories of {one.ecosystem}": one.newest for one in self.databases}
        dates |= {one.name: one.date.isoformat() if one.date else None for one in self.indexes}
        return sarif(self.vulnerabilities, spec=self.spec, dates=dates)


def audit(context: Context, options: AuditOptions) -> AuditReport:
    """Find known vulnerabilities, withdrawn wheels and security updates among the packages of locks.

    Raises:
        LockError: a lock is missing or cannot be read.
        UserError: the database cannot be read, or has no archive of an ecosystem of the lock.
        IntegrityError: an archive of the database is damaged.
    """
    spec = select(context.root, options.env)
    pairs = [require_lock(context, spec, platform) for platform in platforms_of(spec, options.platforms)]
    locks = [pair.lock for pair in pairs]
    debian = [pair.debian for pair in pairs if pair.debian]
    subjects, uncovered = _subjects(context, locks, debian)
    databases, vulnerabilities, uncompared, unread = _vulnerabilities(context, options, spec, subjects)
    withdrawn, index, not_asked = _withdrawn(context, locks, fetch=not options.offline)
    updates, suites, not_read = _updates(context, debian, fetch=not options.offline)
    return AuditReport(
        spec=spec.source,
        vulnerabilities=vulnerabilities,
        uncompared=uncompared,
        withdrawn=withdrawn,
        updates=updates,
        uncovered=uncovered,
        assumed=tuple(subject for subject in subjects if subject.is_assumed),
        databases=databases,
        indexes=(*index, *suites),
        remarks=(*unread, *not_asked, *not_read, *_expired(context, spec, vulnerabilities, bool(databases))),
    )


def _subjects(
    context: Context, locks: Iterable[Lock], debian: Iterable[DebianLock]
) -> tuple[tuple[Audited, ...], tuple[Uncovered, ...]]:
    found = [one for lock in locks for one in subjects_of_lock(lock, context.names)]
    subjects = [one for one in found if isinstance(one, Audited)]
    for lock in debian:
        subjects += subjects_of_debian(lock, _controls(context, lock))
    uncovered = {one: None for one in found if isinstance(one, Uncovered)}
    return _merged(subjects), tuple(sorted(uncovered, key=lambda one: (one.name, one.version)))


def _merged(subjects: Iterable[Audited]) -> tuple[Audited, ...]:
    """Merge what is the same on several platforms."""
    where: dict[Audited, set[Platform]] = {}
    for subject in subjects:
        where.setdefault(replace(subject, platforms=()), set()).update(subject.platforms)
    merged = (replace(subject, platforms=tuple(sorted(platforms))) for subject, platforms in where.items())
    return tuple(sorted(merged, key=lambda one: (one.name, one.version)))


def _controls(context: Context, lock: DebianLock) -> dict[Sha256, dict[str, str]]:
    """Read the control files of the `.deb`s that are in the store: sha256 -> fields, names in lower case."""
    found: dict[Sha256, dict[str, str]] = {}
    for deb in lock.packages:
        path = context.store.artifact(deb.sha256)
        if path is None:
            continue
        try:
            with path.open("rb") as stream:
                found[deb.sha256] = control_fields(read_control(deb, stream).get("control", b""))
        except (ArtifactError, OSError):
            continue  # the name is then taken from the path; `create` finds the damage
    return found


def _vulnerabilities(
    context: Context, options: AuditOptions, spec: EnvSpec, subjects: Sequence[Audited]
) -> tuple[tuple[DatabaseAge, ...], tuple[Vulnerability, ...], tuple[Uncompared, ...], tuple[str, ...]]:
    folder = _database(context, options)
    if folder is None:
        remark = "no database of advisories was read: name one with `--database`, or set " + _VARIABLE
        return (), (), (), (remark,)
    opened: dict[tuple[Ecosystem, str | None], AdvisoryArchive] = {}
    for ecosystem, release in sorted({(one.ecosystem, one.release) for one in subjects}, key=str):
        opened[ecosystem, release] = _open(context, folder, ecosystem, release)
    found: list[Vulnerability | Uncompared] = []
    for (ecosystem, release), archive in opened.items():
        own = [one for one in subjects if (one.ecosystem, one.release) == (ecosystem, release)]
        advisories = tuple(archive.about({one.project for one in own}))
        found += findings(own, {ecosystem: advisories})
    vulnerabilities = apply_ignores(
        (one for one in found if isinstance(one, Vulnerability)), spec.audit, today=context.now.date()
    )
    ages = {archive.age.path: archive.age for archive in opened.values()}
    return (
        tuple(ages.values()),
        tuple(sorted(vulnerabilities, key=lambda one: (one.subject.name, one.id))),
        tuple(one for one in found if isinstance(one, Uncompared)),
        (),
    )


def _database(context: Context, options: AuditOptions) -> Path | None:
    named = options.database or context.environment.get(_VARIABLE)
    if not named:
        return None
    folder = context.directory / named
    if not folder.is_dir():
        raise UserError(f"there is no folder `{folder}`, expected an OSV database")
    return folder


def _open(context: Context, folder: Path, ecosystem: Ecosystem, release: str | None) -> AdvisoryArchive:
    found = archives(folder, ecosystem, release)
    if not found:
        wanted = f"osv-scanner/{ecosystem}/all.zip"
        raise UserError(
            f"`{folder}` has no advisories of {ecosystem}, expected `{wanted}`",
            hint=f"`osv-scanner --offline --download-offline-databases` makes the folder, with `{_VARIABLE}` set to it",
        )
    return AdvisoryArchive(found[0], ecosystem=ecosystem, store=context.store, reporter=context.reporter)


def _withdrawn(
    context: Context, locks: Sequence[Lock], *, fetch: bool
) -> tuple[tuple[Withdrawn, ...], tuple[SourceAge, ...], tuple[str, ...]]:
    where: dict[Sha256, list[Platform]] = {}
    wheels: dict[Sha256, Wheel] = {}
    for lock in locks:
        for wheel in lock.wheels:
            where.setdefault(wheel.sha256, []).append(lock.platform)
            wheels[wheel.sha256] = wheel
    if not wheels:
        return (), (), ()
    known, failure = statuses(context, locks, fetch=fetch)
    found = [
        Withdrawn(name=str(wheel.project), version=wheel.version, reason=reason, platforms=tuple(sorted(where[sha])))
        for sha, wheel in wheels.items()
        if sha in known
        for reason in known[sha].reasons
    ]
    unknown = len(wheels) - len(known)
    remarks = [f"the wheel index was not asked: {failure}"] if failure else []
    if unknown:
        remarks.append(
            f"whether {unknown} of {len(wheels)} wheels are yanked is not known: run `envgen audit` with a network once"
        )
    age = SourceAge(name="wheel index", date=min((status.seen for status in known.values()), default=None))
    return tuple(sorted(found, key=lambda one: (one.name, one.version, one.reason))), (age,), tuple(remarks)


def _updates(
    context: Context, locks: Sequence[DebianLock], *, fetch: bool
) -> tuple[tuple[SecurityUpdate, ...], tuple[SourceAge, ...], tuple[str, ...]]:
    found: dict[SecurityUpdate, set[Platform]] = {}
    ages: dict[str, SourceAge] = {}
    remarks: dict[str, None] = {}
    for lock in locks:
        suites, failure = security_suites(context, lock, fetch=fetch)
        if failure:
            remarks[f"Debian's security suite was not asked: {failure}"] = None
        if not suites:
            remarks["whether Debian has security updates is not known: run `envgen audit` with a network once"] = None
        for suite in suites:
            ages[suite.suite] = SourceAge(name=suite.suite, date=suite.released)
            for deb in lock.packages:
                newer = suite.newer(deb.name, deb.version)
                if newer:
                    update = SecurityUpdate(
                        name=deb.name, version=deb.version, newer=newer, suite=suite.suite, platforms=()
                    )
                    found.setdefault(update, set()).add(lock.platform)
    updates = (replace(update, platforms=tuple(sorted(platforms))) for update, platforms in found.items())
    return tuple(sorted(updates, key=lambda one: one.name)), tuple(ages.values()), tuple(remarks)


def _expired(context: Context, spec: EnvSpec, found: Sequence[Vulnerability], has_database: bool) -> tuple[str, ...]:
    """Name ignores of the spec whose day has passed, or that nothing was found for."""
    today = context.now.date()
    known = {name for one in found for name in one.names}
    late = [
        f"`audit.ignore.{name}` ended on {entry.until}" for name, entry in spec.audit.items() if entry.until < today
    ]
    idle = [
        f"`audit.ignore.{name}` applies to no locked package: remove it"
        for name in spec.audit
        if has_database and name not in known
    ]
    return (*late, *idle)
