"""Why nothing meets a requirement, and what its author can do about it."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING

from msgspec import Struct
from packaging.specifiers import SpecifierSet

from envgen.indexes import index_of
from envgen.names import CondaName, project_name
from envgen.packages import BuiltArchive
from envgen.platforms import DEFAULT_GLIBC, dotted
from envgen.records import Record
from envgen.solve.encode import key_of
from envgen.solve.hints import Hint, asking, elsewhere, later, renamed, write_recipes
from envgen.solve.listing import Reason
from envgen.structs import replace
from envgen.wheels import needed_glibc, without_extras

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from packaging.version import Version

    from envgen.names import ProjectName
    from envgen.platforms import Target
    from envgen.solve.catalogue import Catalogue
    from envgen.solve.conflicts import Edge
    from envgen.solve.encode import Offer
    from envgen.solve.listing import Listing, Rejection
    from envgen.solve.task import SolveTask

_SHOWN = 3
"""Versions or platforms that a message lists before it says how many more there are."""

_SURE = 0.75
"""Similarity from which on a name is offered: among thousands many are near by chance."""

_VIRTUAL = {"__cuda": ("CUDA", "cuda"), "__glibc": ("glibc", "glibc"), "__osx": ("macOS", "macos")}
"""What a virtual package is called, and its key under `platforms:` in the spec."""


_LEAST = re.compile(r">=?\s*(\d+(?:\.\d+)*)")
"""The version at which a MatchSpec on a virtual package begins."""

_BOOKWORM = "3.11."
"""The Python of Debian 12, of which the shipped recipe is made."""


class Cause(Struct, frozen=True, kw_only=True):
    """Why nothing meets a requirement: a clause for the message, and remedies that may help, the best first."""

    text: str
    hints: tuple[Hint, ...] = ()


async def cause_of(edge: Edge, task: SolveTask, catalogue: Catalogue) -> Cause:
    """Return why no offer meets a requirement, and which project is meant where its name is not that of a project."""
    cause = _cause_of(edge, task, catalogue)
    if _is_program(edge, task):
        return cause
    name = edge.requirement.name if edge.requirement else edge.name
    known = catalogue.closure.projects.get(project_name(name))
    exists = known is not None and known.listing is not None and known.listing.exists
    meant = task.meant.project(name, exists=exists)
    if meant is None:
        return cause
    text = f"{cause.text}; the project known by that name is `{meant}`"
    if edge.line is None:
        return Cause(text=text)
    changed = asking(task, edge.line, meant)
    hint = Hint(text=f"require `{meant}` under `pypi`", task=changed) if changed else None
    return Cause(text=text, hints=_possible([hint]) or cause.hints)


def _cause_of(edge: Edge, task: SolveTask, catalogue: Catalogue) -> Cause:
    if edge.name.startswith("__"):
        return _of_virtual(edge, task)
    project = project_name(edge.requirement.name) if edge.requirement else task.names.project(CondaName(edge.name))
    known = catalogue.closure.projects.get(project) if project else None
    if project and known and known.listing is not None:
        if not without_extras([edge.name]) and known.candidates:
            return _of_extra(edge, project, known.refused)
        specifiers = edge.requirement.specifier if edge.requirement else SpecifierSet()
        if not known.listing.exists:
            return _of_unknown(edge, project, task)
        return _of_project(edge, project, known.listing, specifiers, task)
    if offers := catalogue.offers.get(edge.name):
        versions = list(dict.fromkeys(key_of(offer.record)[1] for offer in reversed(offers)))
        return Cause(
            text=f"there is no such version of `{edge.name}`; {_there_are(versions)}", hints=_of_recipe(offers)
        )
    return _of_missing(edge, task)


def _of_virtual(edge: Edge, task: SolveTask) -> Cause:
    target = task.target
    what, key = _VIRTUAL.get(edge.name, (edge.name, None))
    has = target.virtual_packages().get(edge.name)
    if has is None:
        text = f"the spec sets no {what} for {target.platform}"
    elif key and getattr(target, key) is None:
        text = f"{what} is {has} by default, as the spec does not set it for {target.platform}"
    else:
        text = f"the spec sets {what} {has} for {target.platform}"
    return Cause(text=text, hints=_possible([_declare(key, edge, task)] if key else []))


def _declare(key: str, edge: Edge, task: SolveTask) -> Hint:
    """Suggest to say what the machines have: the version at which the MatchSpec begins, where it has one."""
    target, least = task.target, _LEAST.search(edge.spec)
    made = edge.offer is not None and isinstance(edge.offer.origin, Record)
    major, minor = (*map(int, least[1].split(".")), 0)[:2] if least else (1, 0)
    version = dotted((major, minor))
    where = f'`{target.platform}: {{{key}: "{version}"}}`' if least else f"`{target.platform}: {key}:`"
    changed = replace(task, target=_having(target, key, (major, minor)))
    text = f"if the target machines have it, set {where} under `platforms`"
    if made:
        text += "; otherwise `channels: [conda-forge]` may have packages with lower requirements"
    return Hint(text=text, task=changed)


def _having(target: Target, key: str, version: tuple[int, int]) -> Target:
    if key == "cuda":
        return replace(target, cuda=dotted(version))
    return replace(target, glibc=version) if key == "glibc" else replace(target, macos=version)


def _of_recipe(offers: Sequence[Offer]) -> tuple[Hint, ...]:
    """Return where else versions may be of what a recipe makes, which is one version."""
    made = next((o.origin for o in offers if isinstance(o.origin, Record)), None)
    if made is None or not isinstance(made.origin, BuiltArchive):
        return ()
    remark = " (as in Debian bookworm)" if made.name == "python" and made.version.startswith(_BOOKWORM) else ""
    text = f"`recipes/{made.origin.recipe}` builds {made.version}{remark}; `channels: [conda-forge]` may have another"
    return (Hint(text=text),)


def _of_extra(edge: Edge, project: ProjectName, refused: Mapping[tuple[Version, str], str]) -> Cause:
    why = next((text for (_, extra), text in refused.items() if edge.name.endswith(f".{extra}")), None)
    return Cause(text=why or f"no matching wheel of `{project}` has these extras")


def _of_missing(edge: Edge, task: SolveTask) -> Cause:
    """Explain a name that no channel or recipe has."""
    if _is_program(edge, task):
        return Cause(text=f"{task.asked.sources()} offers `{edge.name}`", hints=(_as_program(edge.name),))
    hints = _near(edge, task)
    if edge.line is not None and edge.line.requirement is None:
        text = f"`{edge.name}` is a project of the wheel index: require it under `pypi`"
        hints = (*hints, Hint(text=text, task=asking(task, edge.line, edge.name)))
    return Cause(text=f"{task.asked.sources()} offers `{edge.name}`", hints=hints)


def _is_program(edge: Edge, task: SolveTask) -> bool:
    """Return whether a line under `dependencies` asks for a program, as with conda."""
    return edge.line is not None and edge.line.requirement is None and edge.name in task.meant.programs


def _as_program(name: str) -> Hint:
    return Hint(
        text=f"`{name}` is a program: take it from Debian, into the environment with a recipe, "
        f"`recipes/{name}/debian.yaml`, or into the image with `image: {{base: {{packages: [{name}]}}}}`"
    )


def _of_unknown(edge: Edge, project: ProjectName, task: SolveTask) -> Cause:
    advice = Hint(text="check the spelling, and that this is the index that has it")
    text = f"{task.asked.index_of(project)} has no project `{project}`"
    if name := index_of(project, task.indexes):
        text = f"{text}, and `indexes.{name}.projects` says that it comes from no other"
    return Cause(text=text, hints=(*_near(edge, task), advice) if edge.line else ())


def _meant(task: SolveTask, edge: Edge, name: str) -> Hint | None:
    changed = renamed(task, edge.line, name)
    return Hint(text=f"did you mean `{name}`?", task=changed) if changed else None


def _possible(hints: Iterable[Hint | None]) -> tuple[Hint, ...]:
    return tuple(hint for hint in hints if hint is not None)


def _of_project(edge: Edge, project: ProjectName, listing: Listing, specifiers: SpecifierSet, task: SolveTask) -> Cause:
    """Explain a project of the index none of whose wheels meets the requirement."""
    blocked = listing.blocked(listing.allowing(specifiers))
    if blocked and not listing.newest_has_source_only(specifiers):
        return _of_blocked(edge, project, blocked, task)
    sources = [v for v in listing.sdists if specifiers.contains(v, prereleases=True)]
    if sources:
        text = f"there is no wheel of `{project}` {_few(sources)}, only a source archive"
        return Cause(text=text, hints=_possible([_write_recipe(edge, project, sources[0], task)]))
    if not listing.versions:
        return Cause(text=f"{task.asked.index_of(project)} has no files of `{project}`")
    return Cause(text=f"there is no such version of `{project}`; {_there_are(listing.versions)}")


def _of_blocked(edge: Edge, project: ProjectName, blocked: Mapping[Version, Rejection], task: SolveTask) -> Cause:
    """Explain versions that fit but cannot be chosen: by the reason of the newest, and how many share it."""
    newest = next(iter(blocked))
    reason, detail = blocked[newest].reason, blocked[newest].detail
    versions = [version for version, rejection in blocked.items() if rejection.reason is reason]
    which = f"`{project}` {_few(versions)}"
    python = f"no wheel of {which} runs on Python {task.target.python}"
    if reason is Reason.PLATFORM:
        return _of_platform(edge, project, task, which=which, newest=newest, detail=detail)
    texts = {
        Reason.PYTHON: f"{python}: {newest} needs {detail}",
        Reason.INTERPRETER: f"{python}: {newest} has {_few(detail.split(', '))}",
        Reason.YANKED: f"{which} was yanked",
        Reason.TOO_NEW: f"{which} was uploaded after `exclude-newer`",
        Reason.PRERELEASE: f"only pre-releases match: {_few(versions)}",
        Reason.UNREADABLE: f"`Requires-Python: {detail}` of {which} cannot be parsed",
        Reason.UNUSABLE: f"{which} cannot be used: {detail}",
    }
    text = texts.get(reason, f"{which} cannot be used: {reason.value}")
    return Cause(text=text, hints=_possible([_way_past(edge, project, reason, newest, detail, task)]))


def _way_past(  # noqa: PLR0917  one place for what a reason calls for
    edge: Edge, project: ProjectName, reason: Reason, newest: Version, detail: str, task: SolveTask
) -> Hint | None:
    """Return what makes a version available that is there and cannot be chosen."""
    extras = f"[{','.join(sorted(edge.requirement.extras))}]" if edge.requirement and edge.requirement.extras else ""
    if reason is Reason.YANKED:
        asked = f"{project}{extras} =={newest}"
        changed = asking(task, edge.line, asked)
        return Hint(text=f"`{asked}` under `pypi` accepts it anyway", task=changed) if changed else None
    if reason is Reason.PRERELEASE:
        asked = f"{project}{extras} >={newest}"
        changed = asking(task, edge.line, asked)
        return Hint(text=f"`{asked}` under `pypi` allows them", task=changed) if changed else None
    if reason is Reason.NO_UPLOAD_TIME and (name := index_of(project, task.indexes)):
        return Hint(text=f'`undated: "reason"` in `indexes.{name}` accepts what it lists without an upload time')
    if reason is Reason.TOO_NEW and detail:
        return Hint(text=f"set `exclude-newer` to {detail} or later", task=later(task, detail))
    return None


def _of_platform(
    edge: Edge, project: ProjectName, task: SolveTask, *, which: str, newest: Version, detail: str
) -> Cause:
    """Distinguish machines that the wheels were not made for from a C library that is too old for them."""
    target = task.target
    tags = detail.split(", ")
    single = (tag for several in tags for tag in several.split("."))
    glibc = needed_glibc(tag for tag in single if tag.endswith(f"_{target.platform.machine}"))
    has = target.glibc or DEFAULT_GLIBC
    if glibc and glibc > has:
        needed, stated = map(dotted, (glibc, has))
        default = "" if target.glibc else ", the default"
        hint = Hint(
            text=f'if the target machines have it, set `{target.platform}: {{glibc: "{needed}"}}` under `platforms`',
            task=replace(task, target=replace(target, glibc=glibc)),
        )
        text = f"no wheel of {which} runs with glibc {stated}{default}: those of {newest} need {needed}"
        return Cause(text=text, hints=(hint,))
    text = f"no wheel of {which} runs on {target.platform}; those of {newest} are for {_few(tags)}"
    hints = [_on_other_machines(edge, task, detail), _write_recipe(edge, project, newest, task)]
    return Cause(text=text, hints=_possible(hints))


def _on_other_machines(edge: Edge, task: SolveTask, detail: str) -> Hint | None:
    """Suggest a marker where a line of the spec asks for what only other machines have."""
    machine = next((machine for machine in ("x86_64", "aarch64", "arm64") if machine in detail), None)
    if edge.line is None or edge.requirement is None or machine is None:
        return None
    changed = elsewhere(task, edge.line, machine, task.target.platform)
    marked = f'{edge.requirement.name} ... ; platform_machine == "{machine}"'
    return Hint(text=f"if it is not needed there, write `{marked}`", task=changed) if changed else None


def _write_recipe(edge: Edge, project: ProjectName, version: Version, task: SolveTask) -> Hint | None:
    return write_recipes(task, [edge.line] if edge.line else [], [(project, version)])


def _near(edge: Edge, task: SolveTask) -> tuple[Hint, ...]:
    """Suggest what a line of the spec may mean: a name that the user has written or locked elsewhere.

    Whatever is near on an index or channel may be a trap for those who misspell a name or ask for a private project.
    """
    if edge.line is None:
        return ()
    own = {
        *(project_name(requirement.name) for requirement in task.pypi),
        *(spec.split()[0] for spec in task.dependencies if spec.strip()),
        *task.preferred,
        *(record.name for record in task.recipes),
    }
    asked = project_name(edge.requirement.name) if edge.requirement else edge.name
    found = difflib.get_close_matches(asked, sorted(own - {asked}), n=1, cutoff=0.75)
    return _possible(_meant(task, edge, name) for name in found)


def _there_are(versions: Sequence[object]) -> str:
    return f"there {'is' if len(versions) == 1 else 'are'} {_few(versions)}"


def _few(items: Sequence[object]) -> str:
    """List the first few of some items, and count the others."""
    shown = ", ".join(map(str, items[:_SHOWN]))
    return shown if len(items) <= _SHOWN else f"{shown} and {len(items) - _SHOWN} more"
