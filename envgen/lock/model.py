"""A lock, as types: the packages chosen for one environment on one platform, and what they were chosen by."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from envgen.names import CUDA_RUNTIME_PACKAGES, CUDA_RUNTIME_PROJECTS
from envgen.platforms import Platform, Target

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    from envgen.digest import Sha256
    from envgen.names import CondaName, ProjectName
    from envgen.platforms import PythonMinor

PYPI = "${ENVGEN_PYPI}"
"""Stands for the wheel index in URLs: what follows is `/<project>/<file>`."""

LOCAL_CHANNEL = "${ENVGEN_CHANNEL}"
"""Stands for the channel that envgen publishes to: what follows is `/<subdir>/<file>`."""

FILE_SUFFIX = ".conda-lock.yml"

FORMAT = 1
"""Version of what envgen writes into `custom_metadata`; a reader refuses newer ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedConda:
    """A package of a conda channel.

    Attributes:
        name: conda name.
        version: in conda's order.
        build: the build string.
        url: public, without credentials; a path without a scheme counts from the folder that holds the lock.
        md5: of the archive.
        sha256: of the archive.
        size: bytes of the archive, where the channel says so.
        dependencies: name -> rest of the MatchSpec (`""` for any), virtual packages included.
    """

    name: CondaName
    version: str
    build: str
    url: str
    md5: str
    sha256: Sha256
    size: int | None
    dependencies: Mapping[str, str]

    @property
    def subdir(self) -> str:
        """The platform, or `noarch`: the archive's folder."""
        return self.url.rsplit("/", 2)[-2]

    @property
    def filename(self) -> str:
        """Name of the archive."""
        return self.url.rpartition("/")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedBuilt:
    """A package that envgen builds from a recipe.

    Attributes:
        name: conda name.
        version: in conda's order.
        build: the build string.
        subdir: the platform, or `noarch`.
        filename: name of the archive in the local channel.
        md5: of the archive.
        sha256: of the archive.
        size: bytes of the archive, where known.
        recipe: name of the recipe's folder.
        content: digest of the uncompressed content, which outlives changes of the compressor.
        dependencies: name -> rest of the MatchSpec (`""` for any), virtual packages included.
    """

    name: CondaName
    version: str
    build: str
    subdir: str
    filename: str
    md5: str
    sha256: Sha256
    size: int | None
    recipe: str
    content: Sha256
    dependencies: Mapping[str, str]

    @property
    def url(self) -> str:
        """Where the archive is, once published."""
        return f"{LOCAL_CHANNEL}/{self.subdir}/{self.filename}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedWheel:
    """A wheel.

    Attributes:
        project: normalised project name.
        version: the file's PEP 440 version.
        filename: as the index has it.
        sha256: of the file.
        size: bytes, where the index says so.
        requires: project -> PEP 440 specifier (`""` for any) of the requirements that hold for the target with the
            extras asked for.
    """

    project: ProjectName
    version: str
    filename: str
    sha256: Sha256
    size: int | None
    requires: Mapping[ProjectName, str]

    @property
    def name(self) -> str:
        """Name of the lock's entry: the project."""
        return self.project

    @property
    def url(self) -> str:
        """Where an index has the file; it is looked up there by name and accepted by digest."""
        return f"{PYPI}/{self.project}/{self.filename}"


LockedPackage = LockedConda | LockedBuilt | LockedWheel


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """What `locks/<env>.<platform>.conda-lock.yml` says.

    Attributes:
        environment: its name.
        source: path of the spec relative to the project root.
        target: what was solved for, with defaults filled in (`normal`).
        python: full version of the locked Python.
        channels: of the spec, strongest first.
        names: of the spec: project -> conda name.
        exclude_newer: of the spec.
        request: digest of everything in the spec that the solve depends on.
        asked_extras: project -> extras that the spec itself asks for.
        extras: project -> extras that anything asks for.
        recipes: recipe -> digest of its files, for every recipe that a package was built from.
        debian: digest of the Debian lock beside this one, where there is one.
        converter: version of the wheel converter.
        packages: sorted by manager and name.
    """

    environment: str
    source: str
    target: Target
    python: str
    channels: tuple[str, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    exclude_newer: dt.datetime | None = None
    request: Sha256
    asked_extras: Mapping[ProjectName, tuple[str, ...]] = field(default_factory=dict)
    extras: Mapping[ProjectName, tuple[str, ...]] = field(default_factory=dict)
    recipes: Mapping[str, Sha256] = field(default_factory=dict)
    debian: Sha256 | None = None
    converter: int
    packages: tuple[LockedPackage, ...]

    @property
    def platform(self) -> Platform:
        """The conda subdir."""
        return self.target.platform

    @property
    def marker_python(self) -> str | None:
        """Full version of Python that markers were judged by; None where the minor version had to do.

        Only a Python from a recipe has a version that is known before the solve.
        """
        return self.python if any(package.name == "python" for package in self.built) else None

    @property
    def wheels(self) -> tuple[LockedWheel, ...]:
        """The wheels among the packages."""
        return tuple(p for p in self.packages if isinstance(p, LockedWheel))

    @property
    def built(self) -> tuple[LockedBuilt, ...]:
        """The packages from recipes."""
        return tuple(p for p in self.packages if isinstance(p, LockedBuilt))

    @property
    def cuda_runtime(self) -> LockedPackage | None:
        """The package whose version is that of CUDA, a wheel before one of conda's; None where there is none."""
        wheels = {package.project: package for package in self.wheels}
        condas = {package.name: package for package in self.packages if not isinstance(package, LockedWheel)}
        found: list[LockedPackage] = [wheels[name] for name in CUDA_RUNTIME_PROJECTS if name in wheels]
        found += [condas[name] for name in CUDA_RUNTIME_PACKAGES if name in condas]
        return found[0] if found else None


def file_name(environment: str, platform: Platform) -> str:
    """Name the file of a lock: conda-lock's readers want `conda-lock` in it, micromamba the ending `-lock.yml`."""
    return f"{environment}.{platform}{FILE_SUFFIX}"


def manager(package: LockedPackage) -> str:
    """Name the manager of a package, as CEP 37 does."""
    return "pip" if isinstance(package, LockedWheel) else "conda"


def sort_key(package: LockedPackage) -> tuple[str, str]:
    """Order packages as conda-lock does; no two of one platform are alike in it."""
    return manager(package), package.name


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
