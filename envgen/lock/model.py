"""A lock, as types: the packages chosen for one environment on one platform, and what they were chosen by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, field

from envgen.builds import LocalSource
from envgen.manifest.adjust import Adjustments
from envgen.names import CUDA_RUNTIME_PACKAGES, CUDA_RUNTIME_PROJECTS
from envgen.packages import BuiltPackage, Wheel
from envgen.platforms import Platform, Target

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    from envgen.builds import RecipeSources
    from envgen.digest import Sha256
    from envgen.indexes import LockedIndex
    from envgen.lock.told import Told
    from envgen.names import ProjectName
    from envgen.packages import Package
    from envgen.platforms import PythonMinor
    from envgen.records import Older

FILE_SUFFIX = ".conda-lock.yml"

FORMAT = 2
"""Version of what envgen writes into `custom_metadata`; a reader takes older ones, and refuses newer ones.

1: as released first. 2: may hold overrides, constraints and exceptions by name, each only where the spec has some. A
reader of format 1 would leave them out without a word, so the number says that it cannot read them.
"""


class Lock(Struct, frozen=True, kw_only=True):
    """What `locks/<env>.<platform>.conda-lock.yml` says.

    Attributes:
        environment: its name.
        source: path of the spec relative to the project root.
        target: what was solved for, with defaults filled in (`normal`).
        python: full version of the locked Python.
        channels: of the spec, strongest first.
        indexes: of the spec, by name.
        names: of the spec: project -> conda name.
        adjustments: what the spec adjusts on this platform: overrides, constraints, exceptions by name.
        exclude_newer: of the spec.
        request: digest of everything in the spec that the solve depends on.
        asked_extras: project -> extras that the spec itself asks for.
        extras: project -> extras that anything asks for.
        recipes: recipe -> digest of its files, for every recipe that a package was built from.
        recipe_sources: recipe -> folders of the project beyond its own that it builds from, where there are some.
        debian: digest of the Debian lock beside this one, where there is one.
        converter: version of the wheel converter.
        packages: sorted by manager and name.
        builds: recipe -> lock of what it is built with, where its recipe requires packages.
        older: packages that were not the newest when they were chosen, and why, by project.
        newest_upload: when the youngest wheel was uploaded, aware; None in locks without an image, in those from
            before this was recorded, and where the index does not say.
        build_environments: key -> packages that builds of that key need beside the locked Python.
        shared: environment that was solved together with this one -> conda names of the packages that both have.
        told: what was said when it was solved; None where nothing was, and nothing adjusts the solve.
    """

    environment: str
    source: str
    target: Target
    python: str
    channels: tuple[str, ...] = ()
    indexes: Mapping[str, LockedIndex] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    adjustments: Adjustments = field(default_factory=Adjustments)
    exclude_newer: dt.datetime | None = None
    request: Sha256
    asked_extras: Mapping[ProjectName, tuple[str, ...]] = field(default_factory=dict)
    extras: Mapping[ProjectName, tuple[str, ...]] = field(default_factory=dict)
    recipes: Mapping[str, Sha256] = field(default_factory=dict)
    recipe_sources: Mapping[str, RecipeSources] = field(default_factory=dict)
    debian: Sha256 | None = None
    converter: int
    packages: tuple[Package, ...]
    builds: Mapping[str, Lock] = field(default_factory=dict)
    older: tuple[Older, ...] = ()
    newest_upload: dt.datetime | None = None
    build_environments: Mapping[str, tuple[Package, ...]] = field(default_factory=dict)
    shared: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    told: Told | None = None

    def sharers(self, package: str) -> tuple[str, ...]:
        """Return the environments that have a package in common, this one among them; empty where it is alone."""
        others = [name for name, packages in self.shared.items() if package in packages]
        return tuple(sorted([self.environment, *others])) if others else ()

    @property
    def platform(self) -> Platform:
        """Return the conda subdir."""
        return self.target.platform

    @property
    def marker_python(self) -> str | None:
        """Return the full version of Python that markers were evaluated with; None if only the minor version was known.

        Only a Python from a recipe has a version that is known before the solve.
        """
        return self.python if any(package.name == "python" for package in self.built) else None

    @property
    def wheels(self) -> tuple[Wheel, ...]:
        """Return the wheels among the packages."""
        return tuple(p for p in self.packages if isinstance(p, Wheel))

    @property
    def stand_ins(self) -> dict[ProjectName, ProjectName]:
        """Return project that others require -> project that substitutes it in this lock."""
        return {project: wheel.project for wheel in self.wheels for project in wheel.stands_for}

    @property
    def built(self) -> tuple[BuiltPackage, ...]:
        """Return the packages from recipes."""
        return tuple(p for p in self.packages if isinstance(p, BuiltPackage))

    @property
    def cuda_runtime(self) -> Package | None:
        """Return the package whose version is that of CUDA, a wheel before one of conda's; None where there is none."""
        wheels = {package.project: package for package in self.wheels}
        condas = {package.name: package for package in self.packages if not isinstance(package, Wheel)}
        found: list[Package] = [wheels[name] for name in CUDA_RUNTIME_PROJECTS if name in wheels]
        found += [condas[name] for name in CUDA_RUNTIME_PACKAGES if name in condas]
        return found[0] if found else None

    @property
    def has_kernel(self) -> bool:
        """Return whether Jupyter can run the environment's Python as a kernel."""
        return any(package.name == "ipykernel" for package in self.packages)


def local_digests(lock: Lock) -> dict[str, Sha256]:
    """Return the digests of the files of projects of the repository, and of recipes, as far as they were read."""
    sources = ((wheel.project, wheel.made.source) for wheel in lock.wheels if wheel.made)
    recipes = {recipe: one.digest for recipe, one in lock.recipe_sources.items() if one.digest}
    return recipes | {
        str(project): one.digest
        for project, one in sources
        if isinstance(one, LocalSource) and one.digest and not one.linked
    }


def for_local_builds(lock: Lock) -> tuple[Package, ...]:
    """Return the packages that projects of the repository and recipes are built in, beside those of the lock.

    Of recipes only those count that build from code of the repository: nobody else has what they give.
    """
    wheels = [wheel.made for wheel in lock.wheels if wheel.made and isinstance(wheel.made.source, LocalSource)]
    environments = dict.fromkeys(made.environment for made in wheels)
    recipes = (lock.builds[recipe].packages for recipe in lock.recipe_sources if recipe in lock.builds)
    found = [*(lock.build_environments[key] for key in environments), *recipes]
    return tuple(package for packages in found for package in packages)


def file_name(environment: str, platform: Platform) -> str:
    """Name the file of a lock: conda-lock's readers want `conda-lock` in it, micromamba the ending `-lock.yml`."""
    return f"{environment}.{platform}{FILE_SUFFIX}"


def normal(target: Target) -> Target:
    """Fill in what a target leaves to defaults, so that equal targets compare equal."""
    return target_of(target.platform, target.python, target.virtual_packages())


def lock_key(name: str) -> tuple[str, Platform] | None:
    """Return the environment and platform that the file name of a lock stands for; None for other names."""
    environment, point, platform = name.removesuffix(FILE_SUFFIX).rpartition(".")
    if not (name.endswith(FILE_SUFFIX) and point and platform in set(Platform)):
        return None
    return environment, Platform(platform)


def target_of(platform: Platform, python: PythonMinor, virtual: Mapping[str, str]) -> Target:
    """Rebuild a target from its virtual packages: the inverse of `Target.virtual_packages`.

    Raises:
        ValueError: a version in `virtual` is not one.
    """
    return Target(
        platform=platform,
        python=python,
        glibc=_two(virtual["__glibc"]) if "__glibc" in virtual else None,
        macos=_two(virtual["__osx"]) if "__osx" in virtual else None,
        cuda=virtual.get("__cuda"),
        archspec=virtual.get("__archspec"),
    )


def _two(text: str) -> tuple[int, int]:
    major, _, minor = text.partition(".")
    return int(major), int(minor)
