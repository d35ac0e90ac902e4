"""Extras that were asked for and that the chosen release does not have.

Where a line of the spec asks for one, that is an error; where a package does, it is told.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from msgspec import Struct
from packaging.requirements import Requirement

from envgen.errors import UnsatisfiableError
from envgen.names import project_name
from envgen.solve.closure import WheelCandidate
from envgen.solve.hints import Hint, accepting, asking, those_that_help
from envgen.structs import replace

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from envgen.records import Older
    from envgen.solve.catalogue import Catalogue
    from envgen.solve.encode import Offer
    from envgen.solve.hints import Solve
    from envgen.solve.spec_requirements import Line
    from envgen.solve.task import SolveTask


_CLOSE = 0.5
"""Similarity from which on an extra may be what was meant."""


def unknown_extras(chosen: Iterable[Offer]) -> Iterator[str]:
    """Remark on extras that a wheel does not have, which add nothing then; misspelt ones look like that."""
    for wheel, extra in _lacking(chosen):
        yield f"{_has_not(wheel, extra)}; it has {_extras_of(wheel) or 'none'}"


async def refuse_missing_extras(
    task: SolveTask,
    lines: Iterable[Line],
    chosen: Sequence[Offer],
    catalogue: Catalogue,
    *,
    older: Iterable[Older],
    solve: Solve,
) -> None:
    """Refuse a release without an extra that a line of the spec asks for.

    Whoever accepts an older release of the project accepts this, too; and so does a lock that was made with the remark.

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
    if task.told is None:
        return
    asked = {
        (project_name(r.name), project_name(extra)): line
        for line in lines
        if (r := line.requirement)
        for extra in r.extras
    }
    reasons = {one.project: one.why for one in older}
    told = {remark.partition("; ")[0] for remark in task.told}
    for wheel, extra in _lacking(chosen):
        line = asked.get((wheel.project, project_name(extra)))
        if line is None or wheel.project in task.adjustments.allow_older or _has_not(wheel, extra) in told:
            continue
        missing = _Missing(task=task, line=line, wheel=wheel, extra=extra)
        raise await missing.error(catalogue, why=reasons.get(wheel.project), solve=solve)


def _lacking(chosen: Iterable[Offer]) -> Iterator[tuple[WheelCandidate, str]]:
    for offer in chosen:
        wheel = offer.origin
        if isinstance(wheel, WheelCandidate) and offer.extra and offer.extra not in wheel.metadata.provides_extra:
            yield wheel, offer.extra


def _has_not(wheel: WheelCandidate, extra: str) -> str:
    return f"`{wheel.project}` {wheel.version} has no extra `{extra}`"


def _extras_of(wheel: WheelCandidate) -> str:
    return ", ".join(f"`{extra}`" for extra in sorted(wheel.metadata.provides_extra))


class _Missing(Struct, frozen=True, kw_only=True):
    """An extra that a line of the spec asks for, and the chosen release that does not have it."""

    task: SolveTask
    line: Line
    wheel: WheelCandidate
    extra: str

    async def error(self, catalogue: Catalogue, *, why: str | None, solve: Solve) -> UnsatisfiableError:
        """Build the error: which releases have the extra, or which extras there are; hints are tried."""
        newer = self._newer(catalogue)
        wheel, task = self.wheel, self.task
        text = (
            f"`{self.line.text}` in the spec would be locked at {wheel.version} for {task.target.platform}, "
            f"which has no extra `{self.extra}`"
        )
        if newer:
            text += f"; {newer.version} has it" + (f", but cannot be chosen: {why}" if why else "")
        else:
            text += f"; it has {_extras_of(wheel) or 'none'}"
        if task.trial:
            return UnsatisfiableError(text)
        hints = list(self._ways(newer, is_kept=catalogue.is_kept(wheel)))
        found = await those_that_help(hints, solve, enough=2)
        return UnsatisfiableError(text, hint="; or ".join(hint.text for hint in found) or None)

    def _newer(self, catalogue: Catalogue) -> WheelCandidate | None:
        """Find the newest release with the extra among those that were offered, which the lines of the spec allow."""
        candidates = catalogue.closure.projects[self.wheel.project].candidates
        newer = (candidates[version] for version in sorted(candidates, reverse=True) if version > self.wheel.version)
        return next((candidate for candidate in newer if self.extra in candidate.metadata.provides_extra), None)

    def _ways(self, newer: WheelCandidate | None, *, is_kept: bool) -> Iterator[Hint]:
        """Yield what to change: the extra, the release, or what is accepted."""
        task, project = self.task, self.wheel.project
        close = get_close_matches(self.extra, sorted(self.wheel.metadata.provides_extra), n=1, cutoff=_CLOSE)
        for meant in close if not newer else ():
            yield Hint(text=f"did you mean `{meant}`?", task=asking(task, self.line, self._with(meant)))
        if is_kept:
            free = {name: kept for name, kept in task.preferred.items() if name != task.names.conda_name(project)}
            yield Hint(
                text=f"run `envgen lock --upgrade {project}` to lock a newer release",
                task=replace(task, preferred=free),
            )
        plain = self._with()
        yield Hint(text=f"ask for `{plain}`, without the extra", task=asking(task, self.line, plain))
        if newer:
            text = f'`allow-older: {{{project}: "reason"}}` in the spec accepts {self.wheel.version} without the extra'
            yield Hint(text=text, task=accepting(task, [project]))

    def _with(self, *instead: str) -> str:
        """Write the line with others in place of the missing extra."""
        found = Requirement(str(self.line.requirement))
        others = {name for name in found.extras if project_name(name) != project_name(self.extra)}
        found.extras = {*others, *instead}
        return str(found)
