"""A wheel in conda's words: its name, version and build, what it depends on, and how well it fits a target.

Everything here is a pure function of a wheel's file name and METADATA, a target and the name table.
"""

from __future__ import annotations

import copy
import itertools
from functools import lru_cache, partial
from sys import intern
from typing import TYPE_CHECKING

from msgspec import Struct
from packaging.specifiers import SpecifierSet
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from envgen.cuda import cuda_major
from envgen.metadata import ANY_PATCH, active_requirements
from envgen.names import CUDA_RUNTIME_PROJECTS, CondaName, project_name
from envgen.platforms import LEGACY_MANYLINUX
from envgen.versions import InexpressibleError, conda_spec, conda_version, parse_version

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from packaging.requirements import Requirement
    from packaging.specifiers import Specifier
    from packaging.tags import Tag
    from packaging.version import Version

    from envgen.metadata import WheelMetadata
    from envgen.names import NameTable, ProjectName
    from envgen.packages import Wheel
    from envgen.platforms import PythonMinor, Target

_EXTRA = ".extra."
NEVER = "<0a0"
"""A version that no package has, in the spelling that conda-forge uses to forbid one."""


class PackageId(Struct, frozen=True, kw_only=True):
    """What names a conda package."""

    name: CondaName
    version: str
    build: str

    @property
    def dist(self) -> str:
        """`name-version-build`."""
        return f"{self.name}-{self.version}-{self.build}"


def package_id(wheel: Wheel, *, target: Target, names: NameTable) -> PackageId:
    """Name the conda package that a wheel becomes: `pytorch`, `2.8.0`, `py311_cu128_h1234abcd_0`.

    The build holds the flavour, where there is one: the local part of the version, else the CUDA version that the
    wheel pins the runtime of. The digits are the first of the wheel's sha256, since conda's caches know a package by
    these three texts alone, whatever platform it is for.

    Args:
        wheel: any that runs on the target.
        target: gives the minor version of Python.
        names: gives the conda name.

    Raises:
        InexpressibleError: conda has no such version.
    """
    parsed = parse_version(wheel.version)
    python = f"py{target.python.major}{target.python.minor}"
    flavour = parsed.local or _cuda_flavour(wheel.requires)
    build = "_".join(filter(None, (python, flavour, f"h{wheel.sha256[:8]}", "0")))
    return PackageId(name=names.conda_name(wheel.project), version=conda_version(parsed), build=build)


def wheel_depends(
    meta: WheelMetadata,
    *,
    wheel_tags: Collection[Tag],
    target: Target,
    names: NameTable,
    python_full: str | None = None,
) -> tuple[str, ...]:
    """List the MatchSpecs that a wheel depends on, without any extra, its own or another's, sorted.

    Python's minor version and `Requires-Python`; `python_abi` for a wheel that is compiled for one Python (abi3 needs
    none: no wheel of a later one is chosen); `__glibc`, `__osx` or `__win` from the platform tag; the requirements.
    The packages that stand for extras are left out, for no environment holds them: a solve adds `match_specs`.

    Args:
        meta: of the wheel.
        wheel_tags: all tags in the wheel's file name.
        target: what the wheel is to run on.
        names: project names to conda names.
        python_full: see `active_requirements`.

    Raises:
        InexpressibleError: the wheel does not run on the target, or conda has no words for what it needs.
    """
    fitting = _fitting(target, frozenset(wheel_tags))
    if not fitting:
        raise InexpressibleError(f"no wheel of `{meta.name}` with these tags runs on {target.platform}")
    requirements = active_requirements(meta, target, (), python_full)
    found = {_python_depend(meta.requires_python, target.python), *without_extras(match_specs(requirements, names))}
    if fitting[0].abi == target.python.tag:
        found.add(f"python_abi {target.python}.* *_{target.python.tag}")
    return tuple(sorted(found | _platform_depends({tag.platform for tag in fitting})))


@lru_cache(maxsize=1 << 12)  # releases of a project have the same tags, and most projects have those of another
def _fitting(target: Target, wheel_tags: frozenset[Tag]) -> tuple[Tag, ...]:
    """List the tags of a wheel that run on a target, best first."""
    return tuple(tag for tag in target.wheel_tags() if tag in wheel_tags)


def match_specs(
    requirements: Iterable[Requirement], names: NameTable, version_spec: Callable[[Requirement], str] | None = None
) -> tuple[str, ...]:
    """Return requirements as MatchSpecs under conda's names, sorted; each extra becomes an `extra_name`.

    A requirement on a project that another one stands for is one on that.

    Args:
        requirements: any.
        names: project names to conda names.
        version_spec: writes the version part; `conda_spec` of the specifier if it is left out.

    Raises:
        InexpressibleError: conda has no words for a specifier.
    """
    found: set[str] = set()
    for requirement in map(partial(standing_in, names=names), requirements):
        name = names.conda_name(project_name(requirement.name))
        spec = version_spec(requirement) if version_spec else conda_spec(requirement.specifier)
        wanted = (name, *(extra_name(name, e) for e in requirement.extras))
        found.update(intern(f"{n} {spec}".rstrip()) for n in wanted)  # releases of a project repeat most of them
    return tuple(sorted(found))


def standing_in(requirement: Requirement, names: NameTable) -> Requirement:
    """Return what a requirement asks of the project that stands for its own, or the requirement itself.

    Versions and extras are asked of the other project where both have the same ones, and else left out.
    """
    stand_in = names.stand_ins.get(project_name(requirement.name))
    if stand_in is None:
        return requirement
    found = copy.copy(requirement)
    found.name = stand_in.project
    if not stand_in.same_versions:
        found.specifier, found.extras = SpecifierSet(), set()
    return found


def extra_name(name: CondaName, extra: str) -> CondaName:
    """Name the package that stands for an extra while a solve runs: `jsonschema.extra.format`."""
    return CondaName(f"{name}{_EXTRA}{canonicalize_name(extra)}")


def without_extras(depends: Iterable[str]) -> tuple[str, ...]:
    """Remove the MatchSpecs that only a solve understands."""
    return tuple(spec for spec in depends if _EXTRA not in spec.partition(" ")[0])


def wheel_constrains(project: ProjectName, names: NameTable) -> tuple[str, ...]:
    """List the MatchSpecs that keep the same library under another name out of an environment, sorted."""
    return tuple(f"{name} {NEVER}" for name in sorted(names.clashes.get(project, ())))


def is_version_of_file(said: str, version: str) -> bool:
    """Return whether a wheel that says `said` of itself may have `version` in its file name.

    A local part may stand in the file name alone: builds for several accelerators are often renamed, not rebuilt.

    Args:
        said: in METADATA, or in the name of a folder of the wheel.
        version: in the file name.
    """
    try:
        inside, outside = parse_version(said), parse_version(version)
    except InexpressibleError:
        return False
    return inside == outside or (inside.local is None and inside.public == outside.public)


def solver_depends(project: ProjectName, version: Version, target: Target) -> tuple[str, ...]:
    """List what a wheel needs of a target's driver, while a solve runs.

    Not part of what it becomes: without a GPU it can be installed, and much of it used. Where the spec says which CUDA
    the machines have, none of a later major version is chosen.
    """
    major = cuda_major(project, version) if target.cuda else None
    return (f"__cuda >={major}",) if major else ()


def solver_constrains(project: ProjectName, names: NameTable) -> tuple[str, ...]:
    """List those of `wheel_constrains` that hold while a solve runs.

    Not those on the project's own family: a solver would take old releases, which require another member or none,
    rather than both. Which of them stays is decided when all that require one are known.
    """
    family = names.family(project)
    relatives = {f"{names.conda_name(member)} {NEVER}" for member in family.holds} if family else frozenset()
    return tuple(spec for spec in wheel_constrains(project, names) if spec not in relatives)


class TagOrder(Struct, frozen=True, kw_only=True):
    """Which wheels run on one target, and which is best: made once, then asked about thousands of file names.

    It works on the text of names, 3 µs each, where reading them properly takes 10: most of them are never chosen.

    Attributes:
        ranks: text of a tag -> its place; 0 is best.
    """

    ranks: Mapping[str, int]

    @classmethod
    def of(cls, target: Target) -> TagOrder:
        """Order the tags of a target."""
        return cls(ranks={str(tag): rank for rank, tag in enumerate(target.wheel_tags())})

    def rank(self, filename: str) -> int | None:
        """Find the place of a wheel's best tag, by its file name; None if it does not run on the target."""
        if not filename.endswith(".whl"):
            return None
        parts = filename.removesuffix(".whl").split("-")
        tags = map("-".join, itertools.product(*(part.split(".") for part in parts[-3:])))
        return min((self.ranks[tag] for tag in tags if tag in self.ranks), default=None)

    def preference(self, filename: str) -> tuple[int, int, str] | None:
        """Order wheels of one version, the best first: by tag, then from the highest build tag down.

        Returns:
            None for what does not run on the target or has no name of a wheel.
        """
        rank = self.rank(filename)
        if rank is None:
            return None
        try:
            number, letters = parse_wheel_filename(filename)[2] or (0, "")
        except InvalidWheelFilename:
            return None
        return rank, -number, letters


def needed_glibc(platforms: Iterable[str]) -> tuple[int, int] | None:
    """Read from platform tags the oldest glibc that the easiest of them runs on; None where none is manylinux."""
    return min((_floor(platform) for platform in platforms if platform.startswith("manylinux")), default=None)


def _cuda_flavour(requires: Mapping[ProjectName, str]) -> str | None:
    for project, text in sorted(requires.items()):
        if project not in CUDA_RUNTIME_PROJECTS:
            continue
        for specifier in SpecifierSet(text):
            if specifier.operator == "==":
                major, minor, *_ = (*parse_version(specifier.version.removesuffix(".*")).release, 0)
                return f"cu{major}{minor}"
    return None


def _python_depend(requires_python: SpecifierSet, python: PythonMinor) -> str:
    """Write Python's minor version with what `Requires-Python` says of its patch releases, which is mostly nothing."""
    rest = conda_spec(SpecifierSet([s for s in requires_python if not _holds_throughout(s, python)]))
    return "python " + "|".join(",".join(filter(None, (f"{python}.*", part))) for part in rest.split("|"))


def _holds_throughout(specifier: Specifier, python: PythonMinor) -> bool:
    """Return whether a specifier holds for every patch release; all but `!=` hold for a stretch of versions."""
    if specifier.operator == "!=" and specifier.version.startswith(f"{python}."):
        return False
    return all(specifier.contains(f"{python}.{patch}", prereleases=True) for patch in ANY_PATCH)


def _platform_depends(platforms: Collection[str]) -> set[str]:
    """Name the virtual package that the easiest of some platform tags asks for."""
    if "any" in platforms:
        return set()
    if any(platform.startswith("linux_") for platform in platforms):
        return {"__linux"}
    if any(platform.startswith("win") for platform in platforms):
        return {"__win"}
    major, minor = min(map(_floor, platforms))
    return {f"{'__osx' if any(p.startswith('macosx_') for p in platforms) else '__glibc'} >={major}.{minor}"}


def _floor(platform: str) -> tuple[int, int]:
    """Read the system's version from a tag: `manylinux_2_28_x86_64`, `manylinux2014_x86_64`, `macosx_11_0_arm64`."""
    system, major, minor, *_ = (*platform.split("_"), "")
    return LEGACY_MANYLINUX.get(system) or (int(major), int(minor))
