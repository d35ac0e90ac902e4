"""Libraries that packages expect of the system, and that the image would not have: told when the lock is made.

An index does not say what a wheel needs, so this is known of wheels in the store only. Which package of Debian has a
library, the archive's `Contents` say; they are fetched only where something is missing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from envgen.check.check import accept
from envgen.check.closure import check_closure, missing_in_image, package_of
from envgen.check.subject import Part, Subject
from envgen.checks import Severity, several
from envgen.errors import IntegrityError, NetworkError
from envgen.prepare.package_files import files_of
from envgen.prepare.packages import recipe_inputs
from envgen.prepare.plan import items_of
from envgen.prepare.subjects import base_of
from envgen.structs import replace

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from envgen.lock.debian_lock import DebianLock
    from envgen.manifest.env_spec import EnvSpec
    from envgen.prepare.plan import PlannedPackage
    from envgen.project.context import Context
    from envgen.project.lock_files import LockPair
    from envgen.sources.debian_suites import DebianSuites

_MANY = 20
"""Libraries that are named; the rest are counted."""


class LibraryRemarks(Struct, frozen=True, kw_only=True):
    """What the user should know of libraries that the image does not have.

    Attributes:
        missing: what needs them, and the line of the spec that brings them.
        unknown: for how many packages that is not known; None where it is for all.
    """

    missing: tuple[str, ...] = ()
    unknown: str | None = None


def remarks_on_libraries(context: Context, spec: EnvSpec, pair: LockPair, suites: DebianSuites) -> LibraryRemarks:
    """Find what packages of a lock need, and neither the environment nor the image has.

    Args:
        context: the world.
        spec: whose `check.accept` counts.
        pair: the lock; nothing is missing where it is for no image.
        suites: of Debian.
    """
    if base_of(context, spec, pair) is None:
        return LibraryRemarks()
    platform = pair.lock.platform
    items = items_of(pair.lock, context.names, inputs=recipe_inputs(pair.debian))
    absent = sum(context.store.package(item.wanted.key) is None for item in items)
    note = (
        f"{platform}: libraries that packages need of the image are not known for {absent} of {len(items)} packages,"
        " which are not in the cache: `envgen create` or `envgen image` fetches them, then `envgen lock` names them"
    )
    return LibraryRemarks(
        missing=tuple(f"{platform}: {text}" for text in _missing(context, spec, pair, items, suites)),
        unknown=note if absent else None,
    )


def _missing(
    context: Context, spec: EnvSpec, pair: LockPair, items: Sequence[PlannedPackage], suites: DebianSuites
) -> Iterator[str]:
    files = files_of(context, items, pair.lock.target)
    parts = {
        str(item.wanted.name): Part(name=item.wanted.name, package=item.package, files=files[item.wanted.name])
        for item in items
    }
    subject = Subject(target=pair.lock.target, parts=parts, base=base_of(context, spec, pair))
    if any(package_of(subject, name) is None for name in missing_in_image(subject)) and pair.debian:
        try:
            subject = _asking(subject, pair.debian, suites)
        except (NetworkError, IntegrityError) as error:
            yield f"which Debian packages have the libraries that packages need is not known: {error}"
    misfits, _unused = accept(check_closure(subject), spec.accept)
    concerned = {name for m in misfits if m.severity is not Severity.NOTE and not m.accepted for name in m.packages}
    yield from _advice(subject, concerned)


def _asking(subject: Subject, debian: DebianLock, suites: DebianSuites) -> Subject:
    """Return the subject with what the suites of its base have."""
    if subject.base is None or debian.base is None:
        return subject
    found = suites.libraries(debian.base.suites, debian.platform.debian_arch)
    return replace(subject, base=replace(subject.base, libraries=found))


def _advice(subject: Subject, concerned: Collection[str]) -> Iterator[str]:
    """Yield one line for all that Debian has, and one for what it does not have."""
    wanted: dict[str, set[str]] = {}
    for library, binaries in missing_in_image(subject).items():
        if names := {subject.owner(binary).name for binary in binaries} & set(concerned):
            wanted[library] = names
    found = {library: package for library in wanted if (package := package_of(subject, library))}
    if found:
        who = several(sorted({name for library in found for name in wanted[library]}))
        packages = ", ".join(sorted(set(found.values())))
        yield (
            f"neither the environment nor the image has {several(found, most=_MANY)}, for {who}; "
            f"add to the spec, beside what is there: `image: {{base: {{packages: [{packages}]}}}}`"
        )
    if absent := sorted(wanted.keys() - found.keys()):
        who = several(sorted({name for library in absent for name in wanted[library]}))
        yield f"neither the environment, the image nor its Debian suites have {several(absent, most=_MANY)}, for {who}"
