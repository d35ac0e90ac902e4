"""Limits of envgen that keep a release from being chosen: its own, or one of something that it requires."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from packaging.specifiers import SpecifierSet

from envgen.names import project_name
from envgen.solve.listing import Reason, Rejection

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable

    from packaging.requirements import Requirement
    from packaging.version import Version

    from envgen.names import ProjectName
    from envgen.solve.closure import WheelCandidate, WheelClosure
    from envgen.solve.listing import Listing
    from envgen.solve.task import IndexFile


class Newer(Struct, frozen=True, kw_only=True):
    """A release that was not chosen.

    Attributes:
        version: of it.
        why: what speaks against it.
        limit: whether that is a limit of envgen.
        uploaded: moment of its upload, where the index gives it.
    """

    version: Version
    why: str
    limit: bool
    uploaded: dt.datetime | None = None


def joined(specifiers: Iterable[SpecifierSet]) -> SpecifierSet:
    """Return what all of some specifiers demand together."""
    return SpecifierSet(",".join(filter(None, map(str, specifiers))))


def uploaded_at(file: IndexFile | Rejection) -> dt.datetime | None:
    """Return the moment of a file's upload, where the index gives it."""
    return None if isinstance(file, Rejection) else file.uploaded


def unusable_itself(listing: Listing, wanted: SpecifierSet) -> Newer | None:
    """Return the newest release that specifiers allow if envgen cannot use it; None if it can."""
    every = listing.with_sources()
    newest = next(every.matching(every.allowing(wanted)), None)
    if newest is None:
        return None
    judged, uploaded = listing.file(newest, pinned=True), uploaded_at(every.file(newest, pinned=True))
    if isinstance(judged, Rejection):
        return Newer(version=newest, why=_without_wheel(judged), limit=True, uploaded=uploaded)
    if why := listing.unusable.get(newest):
        return Newer(version=newest, why=f"{Reason.UNUSABLE}: {why}", limit=True, uploaded=uploaded)
    return None


def unusable_below(closure: WheelClosure, wheel: WheelCandidate, wanted: SpecifierSet) -> Newer | None:
    """Return the newest release that specifiers allow if it requires, maybe indirectly, what envgen cannot use.

    None where that release is the chosen wheel's, or requires nothing of the kind.

    Only what was offered in a solve is looked at: where an older release that was not might meet a requirement, nothing
    is known.
    """
    known = closure.projects[wheel.project]
    listing = known.listing
    newest = listing.newest(listing.allowing(wanted)) if listing else None
    if listing is None or newest is None or newest <= wheel.version or newest not in known.candidates:
        return None
    why = _obstacle(closure, known.candidates[newest], frozenset({wheel.project}))
    return Newer(version=newest, why=why, limit=True, uploaded=uploaded_at(listing.file(newest))) if why else None


def _without_wheel(judged: Rejection) -> str:
    if judged.reason is Reason.SDIST:
        return judged.reason.value
    there = f" (there are {judged.detail})" if judged.detail else ""
    return f"{judged.reason.value}{there}, and envgen does not build source archives"


def _obstacle(closure: WheelClosure, candidate: WheelCandidate, seen: frozenset[ProjectName]) -> str | None:
    """Return the requirement that a limit of envgen leaves unmet, with the chain to the limit."""
    for requirement in closure.requirements(candidate):
        project = project_name(requirement.name)
        if project not in seen and (why := _unmet(closure, requirement, seen | {project})):
            return f"{candidate.project} {candidate.version} requires `{_text(requirement)}`: {why}"
    return None


def _unmet(closure: WheelClosure, requirement: Requirement, seen: frozenset[ProjectName]) -> str | None:
    """Return why each release that meets a requirement is out of reach; None where one is not, or it is not known."""
    project = project_name(requirement.name)
    known = closure.projects.get(project)
    if known is None or known.listing is None:
        return None
    usable = list(known.listing.matching(known.listing.allowing(requirement.specifier)))
    if not usable:
        limit = unusable_itself(known.listing, requirement.specifier)
        return f"{project} {limit.version}: {limit.why}" if limit else None
    if any(version not in known.candidates for version in usable):
        return None
    obstacles = [_obstacle(closure, known.candidates[version], seen) for version in usable]
    return obstacles[0] if all(obstacles) else None


def _text(requirement: Requirement) -> str:
    return str(requirement).partition(";")[0].strip()
