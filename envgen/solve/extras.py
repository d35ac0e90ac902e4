"""Extras that were asked for and that the chosen release does not have: told, or refused where newer ones have them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.requirements import Requirement

from envgen.errors import UnsatisfiableError
from envgen.names import project_name
from envgen.solve.closure import WheelCandidate
from envgen.solve.hints import Hint, accepting, asking, those_that_help

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from envgen.names import ProjectName
    from envgen.records import Older
    from envgen.solve.catalogue import Catalogue
    from envgen.solve.encode import Offer
    from envgen.solve.hints import Solve
    from envgen.solve.spec_requirements import Line
    from envgen.solve.task import SolveTask


def unknown_extras(chosen: Iterable[Offer]) -> Iterator[str]:
    """Remark on extras that a wheel does not have, which add nothing then; misspelt ones look like that."""
    for wheel, extra in _lacking(chosen):
        has = ", ".join(f"`{extra}`" for extra in sorted(wheel.metadata.provides_extra))
        yield f"`{wheel.project}` {wheel.version} has no extra `{extra}`; it has {has or 'none'}"


async def refuse_lost_extras(
    task: SolveTask,
    lines: Iterable[Line],
    chosen: Sequence[Offer],
    catalogue: Catalogue,
    *,
    older: Iterable[Older],
    solve: Solve,
) -> None:
    """Refuse a release without an extra that the spec asks for and that newer releases have which its line allows.

    Whoever accepts an older release of the project accepts this, too; what an old lock holds is not asked about.

    Args:
        task: what was solved.
        lines: of the spec.
        chosen: the answer.
        catalogue: what was offered.
        older: what is not the newest, and why.
        solve: tries hints.

    Raises:
        UnsatisfiableError: there is such a release.
    """
    asked = {
        (project_name(r.name), project_name(extra)): line
        for line in lines
        if (r := line.requirement)
        for extra in r.extras
    }
    reasons = {one.project: one.why for one in older}
    for wheel, extra in _lacking(chosen):
        line = asked.get((wheel.project, project_name(extra)))
        if line is None or catalogue.is_kept(wheel) or wheel.project in task.adjustments.allow_older:
            continue
        if newest := _newest_with(catalogue, wheel, extra):
            raise await _lost(task, line, wheel, newest, reasons=reasons, extra=extra, solve=solve)


def _lacking(chosen: Iterable[Offer]) -> Iterator[tuple[WheelCandidate, str]]:
    for offer in chosen:
        wheel = offer.origin
        if isinstance(wheel, WheelCandidate) and offer.extra and offer.extra not in wheel.metadata.provides_extra:
            yield wheel, offer.extra


def _newest_with(catalogue: Catalogue, wheel: WheelCandidate, extra: str) -> WheelCandidate | None:
    """Find the newest release with an extra among those that were offered, which the lines of the spec allow."""
    candidates = catalogue.closure.projects[wheel.project].candidates
    newer = (candidates[version] for version in sorted(candidates, reverse=True) if version > wheel.version)
    return next((candidate for candidate in newer if extra in candidate.metadata.provides_extra), None)


async def _lost(
    task: SolveTask,
    line: Line,
    wheel: WheelCandidate,
    newest: WheelCandidate,
    *,
    reasons: Mapping[ProjectName, str],
    extra: str,
    solve: Solve,
) -> UnsatisfiableError:
    why = reasons.get(wheel.project)
    text = (
        f"`{line.text}` in the spec would be locked at {wheel.version} for {task.target.platform}, which has no extra "
        f"`{extra}`; {newest.version} has it" + (f", but cannot be chosen: {why}" if why else "")
    )
    if task.trial:
        return UnsatisfiableError(text)
    found = await those_that_help(list(_ways(task, line, wheel, extra)), solve, enough=2)
    return UnsatisfiableError(text, hint="; or ".join(hint.text for hint in found) or None)


def _ways(task: SolveTask, line: Line, wheel: WheelCandidate, extra: str) -> Iterator[Hint]:
    """Yield what to change: the line without the extra, or the release without it is accepted."""
    if line.requirement:
        plain = Requirement(str(line.requirement))
        plain.extras = {name for name in plain.extras if project_name(name) != project_name(extra)}
        yield Hint(text=f"ask for `{plain}`, without the extra", task=asking(task, line, str(plain)))
    text = f'`allow-older: {{{wheel.project}: "reason"}}` in the spec accepts {wheel.version} without the extra'
    yield Hint(text=text, task=accepting(task, [wheel.project]))
