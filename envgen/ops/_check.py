"""`check`: whether the packages of a lock fit together, judged by their files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from envgen.check.check import accept, find_misfits
from envgen.checks import Severity
from envgen.errors import UserError
from envgen.manifest.select import select
from envgen.prepare.packages import recipe_inputs
from envgen.prepare.plan import items_of
from envgen.prepare.subjects import subject_of
from envgen.project.lock_files import platforms_of, require_lock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from envgen.checks import Misfit
    from envgen.manifest.env_spec import EnvSpec
    from envgen.platforms import Platform
    from envgen.project.context import Context
    from envgen.project.lock_files import LockPair


class CheckedLock(Struct, frozen=True, kw_only=True):
    """What `check` found out about the lock of one platform.

    Attributes:
        platform: of the lock.
        packages: how many the lock has.
        unread: names of packages that the store does not have, or whose files are not of a kind that is read.
        misfits: errors first.
    """

    platform: Platform
    packages: int
    unread: tuple[str, ...]
    misfits: tuple[Misfit, ...]


class CheckReport(Struct, frozen=True, kw_only=True):
    """What `check` found out.

    Attributes:
        environment: its name.
        locks: one for each platform.
        unused: entries of `check.accept` that no finding answers to; known only where every package was read.
    """

    environment: str
    locks: tuple[CheckedLock, ...]
    unused: tuple[str, ...] = ()

    @property
    def open(self) -> tuple[Misfit, ...]:
        """Return errors that the spec does not accept."""
        return tuple(misfit for lock in self.locks for misfit in lock.misfits if misfit.is_open)


def check(context: Context, *, env: str | None = None, platforms: Sequence[Platform] = ()) -> CheckReport:
    """Check whether the packages of locks fit together; nothing is fetched.

    Args:
        context: the world.
        env: name of the spec, or None for the project's only or default one.
        platforms: these only; all of the spec without.

    Raises:
        LockError: a lock is missing or cannot be read.
    """
    spec = select(context.root, env)
    pairs = [require_lock(context, spec, platform) for platform in platforms_of(spec, platforms)]
    return check_locks(context, spec, pairs)


def check_locks(context: Context, spec: EnvSpec, pairs: Sequence[LockPair]) -> CheckReport:
    """Check locks that are read already."""
    checked = [_checked(context, spec, pair) for pair in pairs]
    locks = tuple(lock for lock, _unused in checked)
    complete = len(locks) == len(spec.targets) and not any(lock.unread for lock in locks)
    unused = set.intersection(*(set(unused) for _lock, unused in checked)) if complete else set()
    return CheckReport(environment=spec.name, locks=locks, unused=tuple(sorted(unused)))


def refuse_misfits(context: Context, spec: EnvSpec, pairs: Sequence[LockPair]) -> None:
    """Refuse to publish packages that do not fit together, and count warnings and notes.

    Raises:
        UserError: errors that the spec does not accept.
    """
    report = check_locks(context, spec, pairs)
    if report.open:
        listed = "\n".join(f"  - {m.rule}: {m.what}" for m in dict.fromkeys(report.open))
        raise UserError(
            f"`envgen check` found errors in `{spec.name}`:\n{listed}",
            hint="fix them, accept them under `check.accept` in the spec, or pass `--no-check`",
        )
    for lock in report.locks:
        if lock.unread:
            what = f"{len(lock.unread)} of {lock.packages} packages for {lock.platform}"
            context.reporter.note(f"`envgen check` cannot read {what}: they are not in the cache yet")
    found = (misfit for lock in report.locks for misfit in lock.misfits)
    if rules := sorted({m.rule for m in found if m.severity is Severity.WARNING and m.accepted is None}):
        context.reporter.note(f"`envgen check` has warnings for `{spec.name}`: {', '.join(rules)}")


def _checked(context: Context, spec: EnvSpec, pair: LockPair) -> tuple[CheckedLock, tuple[str, ...]]:
    items = items_of(pair.lock, context.names, inputs=recipe_inputs(pair.debian))
    with context.store.in_use():
        subject = subject_of(context, spec, pair, items)
    misfits, unused = accept(find_misfits(subject), spec.accept)
    checked = CheckedLock(
        platform=pair.lock.platform,
        packages=len(items),
        unread=tuple(part.name for part in subject.parts.values() if part.files is None),
        misfits=misfits,
    )
    return checked, unused
