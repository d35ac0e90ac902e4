"""What `create` and `image` would refuse, found while locking: clashing paths, names and RECORDs of the chosen wheels.

Wheels are judged by their directories, packages of recipes by their content in the store. Packages of channels list
their paths in their archives alone; what they bring is judged when they are linked.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from msgspec import Struct, field

from envgen.convert.package import record_of
from envgen.convert.wheel import ConversionTerms
from envgen.convert.wheel_preflight import check_terms
from envgen.digest import Sha256
from envgen.errors import ArtifactError, RecordMismatchError
from envgen.packages import ChannelPackage, store_key
from envgen.prefix.clobber import Claim, Claims, ClobberRules, decide, unused_conflict
from envgen.prefix.contents import LinkPackage, python_layout, read_contents
from envgen.prepare.preparer import prepared
from envgen.prepare.recipe_packages import prepare_built
from envgen.resolve.wheel_directories import Unread
from envgen.whiteout import refuse_whiteouts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from envgen.convert.wheel_preflight import Preflight
    from envgen.lock.model import Lock
    from envgen.names import NameTable
    from envgen.packages import Wheel
    from envgen.project.context import Context
    from envgen.project.lock_files import LockPair
    from envgen.resolve.wheel_directories import Directories, ReadWheel

    _Answer = ReadWheel | Unread | BaseException

_KIND = "preflight"

_RULES = 1
"""Raise it with every change of what is found here: what was found good before is then judged again."""


class Remarks(Struct, frozen=True, kw_only=True):
    """What a person should hear of packages that can be linked.

    Attributes:
        notes: where RECORDs of wheels are odd, in words.
        idle: adjustments that change nothing, in words.
        unread: wheels that were not judged.
    """

    notes: tuple[str, ...] = ()
    idle: tuple[str, ...] = ()
    unread: tuple[Unread, ...] = ()


async def preflight_links(context: Context, lock: Lock, text: str, directories: Directories, *, image: bool) -> Remarks:
    """Check packages as linking them will; what passed once is not read again.

    Args:
        context: the world.
        lock: for one platform.
        text: of the lock, which says everything that `create` will know.
        directories: of wheels.
        image: whether an image is to be made of it.

    Raises:
        ArtifactError: two packages bring different files of one path, or a wheel cannot be converted.
        UserError: an image cannot hold a file.
    """
    here = _has_built(context, lock)
    key = Sha256.of(json.dumps([_RULES, image, text, here]).encode())
    if (kept := context.store.cached(_KIND, key)) is not None:
        notes, idle = json.loads(kept)
        return Remarks(notes=tuple(notes), idle=tuple(idle))
    answers = await asyncio.gather(*(directories.read(w) for w in lock.wheels), return_exceptions=True)
    findings = _Findings(lock=lock, names=context.names.overridden(lock.names).substituted(lock.stand_ins))
    await asyncio.to_thread(_judge, findings, answers, directories)
    with context.store.in_use():
        built = _built(context, lock) if here else []
    findings.claims += built
    remarks = findings.remarks(image=image and lock.platform.is_linux)
    if not remarks.unread and (len(built) == len(lock.built) or not here):
        context.store.put(_KIND, key, json.dumps([remarks.notes, remarks.idle]).encode())
    return remarks


async def have_built(context: Context, pair: LockPair, old: Lock | None) -> None:
    """Build packages of recipes whose digests came from an old lock, where their paths meet those of new wheels.

    Raises:
        UserError, NetworkError, IntegrityError: as `prepare_built` says.
    """
    if old is None or {wheel.sha256 for wheel in pair.lock.wheels} <= {wheel.sha256 for wheel in old.wheels}:
        return
    for package in pair.lock.built:
        if not package.archive.local and not context.store.package(store_key(package.dist, package.content)):
            await asyncio.to_thread(prepare_built, context, package, pair, prepared)


class _Findings(Struct, kw_only=True):
    """What was found so far.

    Attributes:
        lock: what is judged.
        names: its name table.
        claims: paths of each package.
        notes: see `Remarks`.
        unread: see `Remarks`.
        faults: why wheels cannot be converted, in words.
        distrusted: projects of those with nothing against them but RECORD.
    """

    lock: Lock
    names: NameTable
    claims: list[Claims] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    distrusted: list[str] = field(default_factory=list)

    def remarks(self, *, image: bool) -> Remarks:
        """Raise what stands against linking, or say what else there is."""
        if self.faults:
            raise ArtifactError("\n".join(self.faults), hint=self._trust())
        for claims in self.claims if image else ():
            refuse_whiteouts(claims.project or claims.package, [claim.path for claim in claims.claims])
        rules = ClobberRules(fold_case=not self.lock.platform.is_linux, conflicts=self.lock.adjustments.conflicts)
        unused = decide(self.claims, rules).unused
        idle = [*self._unused(unused), *self._untrusted()]
        return Remarks(notes=tuple(self.notes), idle=tuple(idle), unread=tuple(self.unread))

    def _unused(self, keys: Sequence[str]) -> list[str]:
        """Return which `conflicts` decide nothing, unless they may decide about paths that nobody knows yet."""
        if self.unread or any(isinstance(package, ChannelPackage) for package in self.lock.packages):
            return []
        return [unused_conflict(key) for key in keys]

    def _untrusted(self) -> list[str]:
        absent = self.lock.adjustments.trust_record.keys() - {wheel.project for wheel in self.lock.wheels}
        return [f"`trust-record.{p}` has no effect: no wheel of `{p}` is locked" for p in sorted(absent)]

    def _trust(self) -> str | None:
        if len(self.distrusted) < len(self.faults):
            return None
        entries = ", ".join(f'{project}: "why"' for project in self.distrusted)
        return f"`trust-record: {{{entries}}}` in the spec accepts these wheels by their own sha256"


def _judge(findings: _Findings, answers: Sequence[_Answer], directories: Directories) -> None:
    """Check each wheel alone, and keep the directories that pass."""
    for locked, answer in zip(findings.lock.wheels, answers, strict=True):
        if isinstance(answer, Unread):
            findings.unread.append(answer)
        elif isinstance(answer, ArtifactError):
            findings.faults.append(str(answer))
        elif isinstance(answer, BaseException):
            raise answer
        elif found := _preflight_of(findings, locked, answer):
            claims = [Claim(path=path, content=content) for path, content in found.paths.items()]
            name = findings.names.conda_name(locked.project)
            findings.claims.append(Claims(package=name, claims=claims, project=locked.project))
            findings.notes += [f"RECORD of `{locked.filename}` {oddity}" for oddity in found.oddities]
            directories.keep(locked, answer.directory)


def _preflight_of(findings: _Findings, locked: Wheel, wheel: ReadWheel) -> Preflight | None:
    lock = findings.lock
    terms = ConversionTerms(
        target=lock.target, names=findings.names, python_full=lock.marker_python, adjustments=lock.adjustments
    )
    try:
        check_terms(locked, wheel.directory, terms, extras=lock.extras.get(locked.project, ()))
        found = wheel.contents
    except ArtifactError as error:
        found = error
    if not isinstance(found, ArtifactError):
        return found
    findings.faults.append(str(found))
    if isinstance(found, RecordMismatchError):
        findings.distrusted.append(locked.project)
    return None


def _has_built(context: Context, lock: Lock) -> bool:
    return all(context.store.package(store_key(package.dist, package.content)) for package in lock.built)


def _built(context: Context, lock: Lock) -> list[Claims]:
    """Read what packages of recipes bring; nothing where some are not in the store, which was judged before.

    See `have_built`: then the wheels are those of the old lock, and Python's layout is not known here.
    """
    keys = ((package, store_key(package.dist, package.content)) for package in lock.built)
    found = [
        LinkPackage(record=record_of(directory, package.origin), directory=directory)
        for package, key in keys
        if (directory := context.store.package(key))
    ]
    if len(found) < len(lock.built):
        return []
    python = python_layout(found, lock.platform)
    return [read_contents(package, python).claims() for package in found]
