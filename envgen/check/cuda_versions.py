"""Whether the packages of one CUDA belong together: minor versions, and what a package was built against."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.version import InvalidVersion, Version

from envgen.checks import Misfit
from envgen.cuda import is_versioned_as_cuda
from envgen.names import CUDA_RUNTIME_PROJECTS, project_name
from envgen.packages import Wheel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from envgen.check.subject import Part, Subject

_NVIDIA = "nvidia-"


def check_minors(subject: Subject) -> Iterator[Misfit]:
    """Yield packages of CUDA whose minor version is not that of its runtime."""
    runtime = next(_runtimes(subject), None)
    if runtime is None:
        return
    own = Version(runtime.package.version).release[:2]
    others = {
        part.name: part.package.version
        for part in subject.parts.values()
        if isinstance(part.package, Wheel)
        and is_versioned_as_cuda(part.package.project)
        and (release := Version(part.package.version).release[:2])[0] == own[0]
        and release != own
    }
    if others:
        listed = ", ".join(f"`{name}` {version}" for name, version in others.items())
        yield Misfit(
            rule="CUDA004",
            packages=(*others, runtime.name),
            what=f"{listed}: expected {own[0]}.{own[1]} like `{runtime.name}` {runtime.package.version}",
            remedy=f"`constraints: [{next(iter(others))} =={own[0]}.{own[1]}.*]` in the spec",
        )


def check_built_against(subject: Subject) -> Iterator[Misfit]:
    """Yield packages that were built with another CUDA, or that pin another release of its libraries, than is there."""
    runtime = next(_runtimes(subject), None)
    for part in subject.parts.values():
        stated = part.files.built_against.get("cuda") if part.files else None
        if runtime and stated and Version(runtime.package.version).release[:2] != _release(stated):
            yield Misfit(
                rule="CUDA005",
                packages=(part.name, runtime.name),
                what=f"`{part.name}` was built with CUDA {stated}, and `{runtime.name}` "
                f"{runtime.package.version} is locked",
            )
        yield from _other_pins(subject, part)


def _other_pins(subject: Subject, part: Part) -> Iterator[Misfit]:
    """Compare what a wheel itself asks for with what overrides of the spec made of it."""
    there = {p.package.project: p for p in subject.parts.values() if isinstance(p.package, Wheel)}
    for text in part.files.requires if part.files else ():
        requirement = Requirement(text)
        found = there.get(project_name(requirement.name))
        if found and not requirement.specifier.contains(found.package.version, prereleases=True):
            yield Misfit(
                rule="CUDA005",
                packages=(part.name, found.name),
                what=f"`{part.name}` requires `{text}`, and {found.package.version} is locked",
                remedy=f"remove `{requirement.name}` from `overrides` in the spec",
            )


def _runtimes(subject: Subject) -> Iterator[Part]:
    wheels = {p.package.project: p for p in subject.parts.values() if isinstance(p.package, Wheel)}
    yield from (wheels[name] for name in CUDA_RUNTIME_PROJECTS if name in wheels)


def _release(text: str) -> tuple[int, ...]:
    try:
        return Version(text).release[:2]
    except InvalidVersion:
        return ()
