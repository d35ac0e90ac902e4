"""Which chosen wheels are not the newest that could be wanted, and why: nothing is passed over without a word."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, field
from packaging.specifiers import SpecifierSet

from envgen.names import project_name
from envgen.records import Older
from envgen.solve.closure import WheelCandidate
from envgen.solve.listing import Reason
from envgen.solve.unusable import Newer, joined, unusable_below, unusable_itself, uploaded_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from envgen.names import ProjectName
    from envgen.solve.catalogue import Catalogue
    from envgen.solve.closure import WheelClosure
    from envgen.solve.encode import Offer
    from envgen.solve.listing import Listing
    from envgen.solve.spec_requirements import Line

_TARGETS = frozenset({Reason.PLATFORM, Reason.INTERPRETER})
"""What the target, not envgen, has against a release that has no source archive either."""


class Ideal(Struct, frozen=True, kw_only=True):
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
        line, wanted = named.get(wheel.project), joined(demands.get(wheel.project, ()))
        newer = _newer(wheel, listing, wanted, catalogue.closure, is_named=line is not None) if listing else None
        if line:
            newer = _newer_of_named(wheel, listing, ideal) or newer
        found += [_older(wheel, newer, line)] if newer and (line or newer.limit) else []
    return tuple(sorted(found, key=lambda older: older.project))


def idle_acceptances(
    accepted: Iterable[ProjectName],
    chosen: Sequence[Offer],
    older: Iterable[Older],
    *,
    is_kept: Callable[[WheelCandidate], bool],
) -> Iterator[str]:
    """Yield which acceptances of older releases accept nothing; of what an old lock holds that is not known."""
    wheels = {offer.origin.project: offer.origin for offer in chosen if isinstance(offer.origin, WheelCandidate)}
    used = {one.project for one in older} | {project for project, wheel in wheels.items() if is_kept(wheel)}
    for project in sorted(set(accepted) - used):
        what = (
            f"`{project}` {wheels[project].version} is the newest"
            if project in wheels
            else f"no wheel of `{project}` is locked"
        )
        yield f"`allow-older.{project}`: {what}, so that it has no effect"


def _older(wheel: WheelCandidate, newer: Newer, line: Line | None) -> Older:
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


def _newer_of_named(wheel: WheelCandidate, listing: Listing | None, ideal: Ideal) -> Newer | None:
    """Return why a project that the spec names is not the newest, as far as solving told."""
    if unusable := ideal.unusable.get(wheel.project):
        return Newer(version=unusable.version, why=unusable.refused or "", limit=True, uploaded=unusable.file.uploaded)
    if (why := ideal.held.get(wheel.project)) and listing:
        newest = next(listing.matching(listing.allowing(SpecifierSet())), wheel.version)
        if newest > wheel.version:
            return Newer(version=newest, why=why, limit=False, uploaded=uploaded_at(listing.file(newest)))
    return None


def _newer(
    wheel: WheelCandidate, listing: Listing, wanted: SpecifierSet, closure: WheelClosure, *, is_named: bool
) -> Newer | None:
    """Find the newest release that the requirements allow and that cannot be chosen, or not on the target."""
    found = unusable_itself(listing, wanted) if listing.has_limits_above(wheel.version) else None
    if found is not None and found.version > wheel.version:
        return found
    # of those that the spec names the solves without limits tell
    return _elsewhere(wheel, listing, wanted) if is_named else unusable_below(closure, wheel, wanted)


def _elsewhere(wheel: WheelCandidate, listing: Listing, wanted: SpecifierSet) -> Newer | None:
    """Find a newer release that has wheels for other platforms or Pythons only: no tool can use it on the target."""
    for version, judged in listing.blocked(listing.allowing(wanted), above=wheel.version).items():
        if judged.reason in _TARGETS and not version.is_prerelease:
            return Newer(version=version, why=f"{judged.reason.value}; there are {judged.detail}", limit=False)
    return None
