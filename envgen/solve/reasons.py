"""Why nothing meets a requirement, and what its author can do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.specifiers import SpecifierSet

from envgen.names import CondaName, project_name
from envgen.packages import BuiltArchive
from envgen.platforms import DEFAULT_GLIBC, dotted
from envgen.records import Record
from envgen.solve.encode import key_of
from envgen.solve.listing import Reason
from envgen.suggest import nearest
from envgen.wheels import needed_glibc, without_extras

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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


_BOOKWORM = "3.11."
"""The Python of Debian 12, of which the shipped recipe is made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Why nothing meets a requirement: a clause for the message, and a remedy."""

    text: str
    hint: str | None = None


async def cause_of(edge: Edge, task: SolveTask, catalogue: Catalogue) -> Cause:
    """Say why no offer meets a requirement."""
    if edge.name.startswith("__"):
        return _of_virtual(edge, task.target)
    project = project_name(edge.requirement.name) if edge.requirement else task.names.project(CondaName(edge.name))
    known = catalogue.closure.projects.get(project) if project else None
    if project and known and known.listing is not None:
        if not without_extras([edge.name]) and known.candidates:
            return _of_extra(edge, project, known.refused)
        specifiers = edge.requirement.specifier if edge.requirement else SpecifierSet()
        if not known.listing.exists:
            return _of_unknown(project, task, catalogue)
        return _of_project(edge, project, known.listing, specifiers, task.target)
    if offers := catalogue.offers.get(edge.name):
        versions = list(dict.fromkeys(key_of(offer.record)[1] for offer in reversed(offers)))
        return Cause(text=f"there is no such version of `{edge.name}`; {_there_are(versions)}", hint=_of_recipe(offers))
    return await _of_missing(edge, task)


def _of_virtual(edge: Edge, target: Target) -> Cause:
    what, key = _VIRTUAL.get(edge.name, (edge.name, None))
    has = target.virtual_packages().get(edge.name)
    if has is None:
        text = f"the spec has no {what} for {target.platform}"
    elif key and getattr(target, key) is None:
        text = f"{what} is {has} by default, since the spec says nothing of it for {target.platform}"
    else:
        text = f"the spec says {what} {has} for {target.platform}"
    hint = f"if the machines have it, say so under `platforms: {target.platform}: {key}:`" if key else None
    if hint and edge.offer and isinstance(edge.offer.origin, Record):
        hint += "; else add `channels: [conda-forge]`, whose packages need less than those of recipes"
    return Cause(text=text, hint=hint)


def _of_recipe(offers: Sequence[Offer]) -> str | None:
    """Say where else versions are of what a recipe makes, which is one version."""
    made = next((o.origin for o in offers if isinstance(o.origin, Record)), None)
    if made is None or not isinstance(made.origin, BuiltArchive):
        return None
    remark = " (what Debian bookworm has)" if made.name == "python" and made.version.startswith(_BOOKWORM) else ""
    return f"`recipes/{made.origin.recipe}` makes {made.version}{remark}; for another add `channels: [conda-forge]`"


def _of_extra(edge: Edge, project: ProjectName, refused: Mapping[tuple[Version, str], str]) -> Cause:
    why = next((text for (_, extra), text in refused.items() if edge.name.endswith(f".{extra}")), None)
    return Cause(text=why or f"no wheel of `{project}` that meets it can be had with these extras")


async def _of_missing(edge: Edge, task: SolveTask) -> Cause:
    """Explain a name that no channel or recipe has."""
    where = "no recipe" if task.channels is None else "neither a channel of the spec nor a recipe"
    names = {*(await task.channels.package_names() if task.channels else ()), *(r.name for r in task.recipes)}
    hint = nearest(edge.name, names, cutoff=_SURE)
    if hint is None and edge.line is not None and edge.line.requirement is None:
        hint = f"if `{edge.name}` is a project of the wheel index, ask for it under `pypi:`"
    return Cause(text=f"{where} offers `{edge.name}`", hint=hint)


def _of_unknown(project: ProjectName, task: SolveTask, catalogue: Catalogue) -> Cause:
    met = (name for name, known in catalogue.closure.projects.items() if known.listing and known.listing.exists)
    hint = nearest(project, {*task.names.renamed, *task.names.same, *met}, cutoff=_SURE)
    return Cause(text=f"the wheel index has no project `{project}`", hint=hint or "check the spelling")


def _of_project(edge: Edge, project: ProjectName, listing: Listing, specifiers: SpecifierSet, target: Target) -> Cause:
    """Explain a project of the index none of whose wheels meets the requirement."""
    blocked = listing.blocked(listing.allowing(specifiers))
    if blocked:
        return _of_blocked(edge, project, blocked, target)
    sources = [v for v in listing.sdists if specifiers.contains(v, prereleases=True)]
    if sources:
        return Cause(
            text=f"there is no wheel of `{project}` {_few(sources)}, only a source archive",
            hint=_write_recipe(edge, project),
        )
    if not listing.versions:
        return Cause(text=f"the wheel index has no files of `{project}`")
    return Cause(text=f"there is no such version of `{project}`; {_there_are(listing.versions)}")


def _of_blocked(edge: Edge, project: ProjectName, blocked: Mapping[Version, Rejection], target: Target) -> Cause:
    """Explain versions that fit but cannot be chosen: by the reason of the newest, and how many share it."""
    newest = next(iter(blocked))
    reason, detail = blocked[newest].reason, blocked[newest].detail
    versions = [version for version, rejection in blocked.items() if rejection.reason is reason]
    which = f"`{project}` {_few(versions)}"
    python = f"no wheel of {which} runs on Python {target.python}"
    causes = {
        Reason.PLATFORM: _of_platform(edge, project, target, which=which, newest=newest, detail=detail),
        Reason.PYTHON: (f"{python}: {newest} needs {detail}", "ask for another version, or change `python:`"),
        Reason.INTERPRETER: (f"{python}: {newest} has {_few(detail.split(', '))}", None),
        Reason.YANKED: (f"{which} was withdrawn (yanked)", f"`{project} =={newest}` takes it nevertheless"),
        Reason.TOO_NEW: (
            f"{which} was uploaded after `exclude-newer`",
            f"set `exclude-newer` to {detail} or later, or ask for an older version",
        ),
        Reason.PRERELEASE: (
            f"only pre-releases meet it: {_few(versions)}",
            f"`{project} >={newest}` under `pypi:` allows them",
        ),
        Reason.UNUSABLE: (f"the metadata of {which} cannot be used: {detail}", None),
    }
    text, hint = causes.get(reason, (f"{which} cannot be used: {reason.value}", None))
    return Cause(text=text, hint=hint)


def _of_platform(
    edge: Edge, project: ProjectName, target: Target, *, which: str, newest: Version, detail: str
) -> tuple[str, str]:
    """Tell machines that the wheels were not made for from a C library that is too old for them."""
    tags = detail.split(", ")
    single = (tag for several in tags for tag in several.split("."))
    glibc = needed_glibc(tag for tag in single if tag.endswith(f"_{target.platform.machine}"))
    has = target.glibc or DEFAULT_GLIBC
    if glibc and glibc > has:
        needed, stated = map(dotted, (glibc, has))
        default = "" if target.glibc else ", the default"
        return (
            f"no wheel of {which} runs with glibc {stated}{default}: those of {newest} need {needed}",
            f'`{target.platform}: {{glibc: "{needed}"}}` under `platforms:` if the machines have it',
        )
    text = f"no wheel of {which} runs on {target.platform}; those of {newest} are for {_few(tags)}"
    return text, _platform_hint(edge, project, detail)


def _platform_hint(edge: Edge, project: ProjectName, detail: str) -> str:
    """Suggest a marker where a line of the spec asks for what only other machines have, else a recipe."""
    machines = [machine for machine in ("x86_64", "aarch64", "arm64", "amd64") if machine in detail]
    if edge.line is None or edge.requirement is None or not machines:
        return _write_recipe(edge, project)
    wanted = "AMD64" if machines[0] == "amd64" else machines[0]
    return f'if it is not needed there: `{edge.requirement.name} ... ; platform_machine == "{wanted}"`; else a recipe'


def _write_recipe(edge: Edge, project: ProjectName) -> str:
    instead = " instead of `pypi:`" if edge.line else ""
    return f"write `recipes/{project}/recipe.yaml`, which builds it, and name it under `dependencies:`{instead}"


def _there_are(versions: Sequence[object]) -> str:
    return f"there {'is' if len(versions) == 1 else 'are'} {_few(versions)}"


def _few(items: Sequence[object]) -> str:
    """List the first few of some items, and count the others."""
    shown = ", ".join(map(str, items[:_SHOWN]))
    return shown if len(items) <= _SHOWN else f"{shown} and {len(items) - _SHOWN} more"
