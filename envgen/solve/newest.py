"""Which chosen wheels are not the newest that could be wanted, and why: nothing is passed over without a word."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from packaging.specifiers import SpecifierSet

from envgen.names import project_name
from envgen.records import Older
from envgen.solve.closure import WheelCandidate
from envgen.solve.listing import Reason, Rejection

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Mapping, Sequence

    from packaging.version import Version

    from envgen.names import ProjectName
    from envgen.solve.catalogue import Catalogue
    from envgen.solve.encode import Offer
    from envgen.solve.listing import Listing
    from envgen.solve.spec_requirements import Line
    from envgen.solve.task import IndexFile

_TARGETS = frozenset({Reason.PLATFORM, Reason.INTERPRETER})
"""What the target, not envgen, has against a release that has no source archive either."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ideal:
    """What is known of projects that the spec names where not each of them can be the newest.

    Attributes:
        held: project -> which requirements keep it from its newest.
        unusable: project -> the release that would be chosen, were it not for a limit of envgen.
    """

    held: Mapping[ProjectName, str] = field(default_factory=dict)
    unusable: Mapping[ProjectName, WheelCandidate] = field(default_factory=dict)


def passed_over(
    chosen: Sequence[Offer],
    lines: Iterable[Line],
    catalogue: Catalogue,
    *,
    demands: Mapping[ProjectName, Sequence[SpecifierSet]],
    ideal: Ideal,
) -> tuple[Older, ...]:
    """List chosen wheels that are older than a release which their requirements allow, by project.

    For projects that the spec names its lines count, else what the chosen packages require of them; of the latter
    only those that a limit of envgen holds back. What an old lock holds is never among them.

    Args:
        chosen: the answer.
        lines: of the spec.
        catalogue: what was offered.
        demands: project -> what the chosen packages require of it.
        ideal: of projects that the spec names.
    """
    named = {project_name(line.requirement.name): line for line in lines if line.requirement}
    found = []
    for offer in chosen:
        wheel = offer.origin
        if not isinstance(wheel, WheelCandidate) or offer.extra or catalogue.is_kept(wheel):
            continue
        listing = catalogue.closure.projects[wheel.project].listing
        newer = _newer(wheel, listing, demands.get(wheel.project, ())) if listing else None
        if line := named.get(wheel.project):
            newer = _newer_of_named(wheel, listing, ideal) or newer
        found += [_older(wheel, newer, line)] if newer and (line or newer.limit) else []
    return tuple(sorted(found, key=lambda older: older.project))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Newer:
    """A release that was not chosen: why, whether that is a limit of envgen, and when it was uploaded."""

    version: Version
    why: str
    limit: bool
    uploaded: dt.datetime | None = None


def _older(wheel: WheelCandidate, newer: _Newer, line: Line | None) -> Older:
    uploaded = (wheel.file.uploaded, newer.uploaded)
    return Older(
        project=wheel.project,
        chosen=str(wheel.version),
        newest=str(newer.version),
        line=line.text if line else None,
        why=newer.why,
        limit=newer.limit,
        days=(uploaded[1] - uploaded[0]).days if uploaded[0] and uploaded[1] else None,
    )


def _newer_of_named(wheel: WheelCandidate, listing: Listing | None, ideal: Ideal) -> _Newer | None:
    """Say why a project that the spec names is not the newest, as far as solving told."""
    if unusable := ideal.unusable.get(wheel.project):
        return _Newer(version=unusable.version, why=unusable.refused or "", limit=True, uploaded=unusable.file.uploaded)
    if (why := ideal.held.get(wheel.project)) and listing:
        newest = next(listing.matching(listing.allowing(SpecifierSet())), wheel.version)
        if newest > wheel.version:
            return _Newer(version=newest, why=why, limit=False, uploaded=_uploaded(listing.file(newest)))
    return None


def _newer(wheel: WheelCandidate, listing: Listing, demands: Iterable[SpecifierSet]) -> _Newer | None:
    """Find the newest release that the requirements allow and of which there is no wheel, or none that can be used."""
    wanted = SpecifierSet(",".join(filter(None, map(str, demands))))
    every = listing.with_sources()
    newest = next(every.matching(every.allowing(wanted)), None)
    if newest is not None and newest > wheel.version:
        judged, uploaded = listing.file(newest, pinned=True), _uploaded(every.file(newest, pinned=True))
        if isinstance(judged, Rejection):
            return _Newer(version=newest, why=_without_wheel(judged), limit=True, uploaded=uploaded)
        if why := listing.unusable.get(newest):
            return _Newer(version=newest, why=f"{Reason.UNUSABLE}: {why}", limit=True, uploaded=uploaded)
    return _elsewhere(wheel, listing, wanted)


def _uploaded(file: IndexFile | Rejection) -> dt.datetime | None:
    return None if isinstance(file, Rejection) else file.uploaded


def _without_wheel(judged: Rejection) -> str:
    if judged.reason is Reason.SDIST:
        return judged.reason.value
    there = f" (there are {judged.detail})" if judged.detail else ""
    return f"{judged.reason.value}{there}, and envgen builds no source archives"


def _elsewhere(wheel: WheelCandidate, listing: Listing, wanted: SpecifierSet) -> _Newer | None:
    """Find a newer release that has wheels for other platforms or Pythons only: no tool can use it on the target."""
    for version, judged in listing.blocked(listing.allowing(wanted)).items():
        if version <= wheel.version:
            return None
        if judged.reason in _TARGETS and not version.is_prerelease:
            return _Newer(version=version, why=f"{judged.reason.value}; there are {judged.detail}", limit=False)
    return None
