"""`outdated`: what could be newer than it is locked, what holds it back, and what a move would cost."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from msgspec import Struct
from packaging.specifiers import InvalidSpecifier, SpecifierSet

from envgen.diff.comparison import Difference
from envgen.diff.delta import diff_states, download_of, state_of
from envgen.errors import NetworkError
from envgen.events import MutedReporter
from envgen.lock.request import active
from envgen.manifest.select import select
from envgen.names import project_name
from envgen.packages import PackageKind, Wheel
from envgen.prepare.wheel_index import locked_indexes
from envgen.project.cooldown import dated
from envgen.project.lock_files import find_lock, platforms_of, require_lock
from envgen.project.solve_groups import members
from envgen.resolve.solve_group import resolve_together
from envgen.resolve.upgrade import Upgrade
from envgen.structs import replace
from envgen.together import together
from envgen.versions import InexpressibleError, parse_version

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator, Mapping, Sequence

    from envgen.diff.delta import Entry
    from envgen.digest import Sha256
    from envgen.lock.model import Lock
    from envgen.manifest.env_spec import EnvSpec
    from envgen.names import ProjectName
    from envgen.platforms import Platform
    from envgen.project.context import Context
    from envgen.project.lock_files import LockPair
    from envgen.records import Older
    from envgen.resolve.resolved import Resolved
    from envgen.sources.indexes import WheelIndexes


class OutdatedPackage(Struct, frozen=True, kw_only=True):
    """A locked package of which there is something newer.

    Attributes:
        name: of the lock.
        kind: where it comes from.
        locked: version.
        released: when the locked file was uploaded, aware; None where its index does not say so.
        update: version that `lock --upgrade` would choose; None where it would keep the locked one.
        newest: version of the newest release; None where it is the one that is locked or chosen.
        why: what holds the newest back; empty where nothing does.
    """

    name: str
    kind: PackageKind
    locked: str
    released: dt.datetime | None
    update: str | None
    newest: str | None
    why: str


class OutdatedLock(Struct, frozen=True, kw_only=True):
    """What is outdated in one lock.

    Attributes:
        environment: name of the spec.
        platform: of the lock.
        packages: sorted by name, Debian packages last.
        move: from the lock to the one that `lock --upgrade` would write.
        exclude_newer: the date up to which releases count, aware; None where all do.
    """

    environment: str
    platform: Platform
    packages: tuple[OutdatedPackage, ...]
    move: Difference
    exclude_newer: dt.datetime | None

    @property
    def download(self) -> int | None:
        """Bytes to download for the packages that would be new or changed; None where a size is not known."""
        gone = self.move.delta.removed
        return download_of(entry for entry in self.move.delta.touched() if entry not in gone)


def outdated(
    context: Context, *, env: str | None = None, platforms: Sequence[Platform] = ()
) -> tuple[OutdatedLock, ...]:
    """Solve a spec with everything upgraded, write nothing, and compare the result with its locks.

    Args:
        context: the world.
        env: name of the spec, or None for the project's only or default one.
        platforms: these only; all of the spec without.

    Raises:
        LockError: a lock is missing or cannot be read.
        UnsatisfiableError, NetworkError, IntegrityError: as the solve and the sources say.
    """
    spec = select(context.root, env)
    olds = {platform: require_lock(context, spec, platform) for platform in platforms_of(spec, platforms)}
    context = replace(context, current_pages=set())  # the solve asks for most pages that are read here after it
    quiet = replace(context, reporter=MutedReporter(context.reporter))
    news = _upgraded(quiet, spec, olds)
    releases = asyncio.run(_releases(context, [pair.lock for pair in olds.values()]))
    today = dated(spec, None, now=context.now)
    return tuple(_outdated(today, old, new, releases) for old, new in zip(olds.values(), news, strict=True))


def _upgraded(context: Context, spec: EnvSpec, olds: Mapping[Platform, LockPair]) -> list[Resolved]:
    """Solve with everything upgraded, together with the rest of its solve group."""
    specs = members(context, spec)
    every = {one.name: {p: find_lock(context, one, p) for p in olds if p in one.targets} for one in specs}
    return resolve_together(context, specs, every, Upgrade(everything=True))[spec.name]


class _Release(Struct, frozen=True, kw_only=True):
    """What an index says of a project: when a locked file was uploaded, and the newest release."""

    released: dt.datetime | None
    newest: str | None
    newest_uploaded: dt.datetime | None
    newest_python: str | None


class _Upgraded(Struct, frozen=True, kw_only=True):
    """What `lock --upgrade` would write: versions that change, by key of the entry, and what is not the newest."""

    spec: EnvSpec
    lock: Lock
    updates: Mapping[tuple[bool, str], str]
    held: Mapping[ProjectName, Older]


async def _releases(context: Context, locks: Sequence[Lock]) -> dict[Sha256, _Release]:
    wheels = {wheel.sha256: wheel for lock in locks for wheel in lock.wheels}
    progress = context.reporter.progress("asking the wheel index", total=len(wheels), unit="wheels")
    with locked_indexes(context, locks) as index, progress as bar:

        async def one(wheel: Wheel) -> _Release:
            found = await _release(index, wheel)
            bar.advance(1)
            return found

        return dict(zip(wheels, await together(map(one, wheels.values())), strict=True))


async def _release(index: WheelIndexes, wheel: Wheel) -> _Release:
    page, released = await index.page(wheel.project), None
    if page is None:
        return _Release(released=None, newest=None, newest_uploaded=None, newest_python=None)
    with suppress(NetworkError):  # an entry of the page is malformed; that version counts as one without a date
        file = await index.find(wheel)
        released = file.uploaded if file else None
    newest = max(filter(None, map(_final, {*page.versions, *page.sdists})), default=None)
    files = page.files(newest[1]) if newest and newest[1] in page.versions else ()
    dates = [file.uploaded for file in files if file.uploaded]
    pythons = {file.requires_python for file in files}
    return _Release(
        released=released,
        newest=newest[1] if newest else None,
        newest_uploaded=min(dates) if dates else None,
        newest_python=pythons.pop() if len(pythons) == 1 else None,
    )


def _final(text: str) -> tuple[object, str] | None:
    try:
        version = parse_version(text)
    except InexpressibleError:
        return None
    return None if version.is_prerelease else (version, text)


def _outdated(spec: EnvSpec, old: LockPair, new: Resolved, releases: Mapping[Sha256, _Release]) -> OutdatedLock:
    lock = old.lock
    delta = diff_states(state_of(lock, old.debian), state_of(new.lock, new.debian))
    upgraded = _Upgraded(
        spec=spec,
        lock=new.lock,
        updates={change.before.key: change.after.version for change in delta.changed},
        held={one.project: one for one in new.older},
    )
    wheels = [_wheel(wheel, releases[wheel.sha256], upgraded) for wheel in lock.wheels]
    others = [_other(change.before, change.after.version) for change in delta.changed]
    packages = [one for one in (*wheels, *others) if one is not None]
    return OutdatedLock(
        environment=lock.environment,
        platform=lock.platform,
        packages=tuple(sorted(packages, key=lambda one: (one.kind is PackageKind.DEBIAN, one.name))),
        move=Difference(environment=lock.environment, platform=lock.platform, delta=delta),
        exclude_newer=spec.exclude_newer,
    )


def _wheel(
    wheel: Wheel,
    release: _Release,
    upgraded: _Upgraded,
) -> OutdatedPackage | None:
    update = upgraded.updates.get((False, str(wheel.project)))
    chosen = update or wheel.version
    newest = release.newest if release.newest and _is_later(release.newest, chosen) else None
    if update == wheel.version or (update is None and newest is None):
        return None
    return OutdatedPackage(
        name=str(wheel.project),
        kind=wheel.kind,
        locked=wheel.version,
        released=release.released,
        update=update,
        newest=newest,
        why=_why(wheel.project, newest, release, upgraded) if newest else "",
    )


def _why(project: ProjectName, newest: str, release: _Release, upgraded: _Upgraded) -> str:
    """Describe what holds a release back: the date, the spec, a package, or what the solve said."""
    limit, uploaded = upgraded.spec.exclude_newer, release.newest_uploaded
    if limit and uploaded and uploaded >= limit:  # with the requirement that would hold it back after that date, too
        held = next(_holders(project, newest, upgraded), "")
        return f"`exclude-newer`: {newest} is of {uploaded:%Y-%m-%d}{held and f'; {held}'}"
    if project in upgraded.held:
        return upgraded.held[project].why
    python = (
        f"{newest} needs Python {release.newest_python}" if _excludes(release.newest_python, upgraded.lock) else None
    )
    return next(_holders(project, newest, upgraded), python or "no file of it is for this environment")


def _excludes(requires_python: str | None, lock: Lock) -> bool:
    try:
        return bool(requires_python) and not SpecifierSet(requires_python or "").contains(lock.python)
    except InvalidSpecifier:
        return False


def _holders(project: ProjectName, newest: str, upgraded: _Upgraded) -> Iterator[str]:
    """Yield which requirements exclude a version: those of the spec, then those of packages."""
    spec, lock = upgraded.spec, upgraded.lock
    for requirement in (*active(spec, lock.target), *spec.constraints, *spec.overrides):
        if project_name(requirement.name) == project and not requirement.specifier.contains(newest, prereleases=True):
            yield f"`{requirement}` in the spec"
    for wheel in lock.wheels:
        specifier = wheel.requires.get(project, "")
        if not SpecifierSet(specifier).contains(newest, prereleases=True):
            yield f"{wheel.project} {wheel.version} needs `{project}{specifier}`"


def _is_later(text: str, other: str) -> bool:
    try:
        return parse_version(text) > parse_version(other)
    except InexpressibleError:
        return False


def _other(before: Entry, version: str) -> OutdatedPackage | None:
    if before.kind is PackageKind.WHEEL or version == before.version:
        return None
    return OutdatedPackage(
        name=before.name, kind=before.kind, locked=before.version, released=None, update=version, newest=None, why=""
    )
