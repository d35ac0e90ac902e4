"""Is this lock still true for this spec? Answered offline, with the requirement that broke in words.

What the spec says is held against the packages themselves, not against a text of the spec: a comment, another order,
another spelling or a requirement made looser leave a lock true.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from envgen.builds import USUAL_TERMS, GitSource
from envgen.cuda import cuda_major
from envgen.lock.adjusted import differences
from envgen.lock.locked_indexes import index_differences, moved_wheels
from envgen.lock.model import Lock, normal
from envgen.lock.request import active, asked_extras
from envgen.manifest.adjust import adjustments
from envgen.manifest.python_archive import RECIPE
from envgen.manifest.values import match_name, match_rest
from envgen.names import CondaName, ProjectName, project_name
from envgen.packages import Package, Wheel
from envgen.platforms import virtual_package
from envgen.references import FileReference, FolderReference, GitReference, parse_reference
from envgen.versions import conda_spec, is_plainly_met
from envgen.wheels import package_id

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection, Iterator, Mapping

    import rattler
    from packaging.requirements import Requirement

    from envgen.digest import Sha256
    from envgen.manifest.env_spec import EnvSpec
    from envgen.names import NameTable
    from envgen.platforms import Target

_PYTHON = CondaName("python")
_OF_EVERY_WHEEL = (CondaName("python"), CondaName("python_abi"))
"""What converted wheels depend on beside their requirements; locks do not say so, for CEP 37 has no place for it."""


def stale(
    spec: EnvSpec,
    lock: Lock,
    *,
    recipe_digests: Mapping[str, Sha256],
    debian_digest: Sha256 | None,
    converter: int,
    names: NameTable,
) -> tuple[str, ...]:
    """Return why a lock is no longer true for a spec.

    Args:
        spec: what is wanted.
        lock: of that environment, for one platform.
        recipe_digests: recipe -> digest of its files as they are now.
        debian_digest: digest of the Debian lock that lies beside the lock, None where there is none.
        converter: version of the wheel converter as it is now.
        names: the name table with the spec's own names on top.

    Returns:
        The reasons; none if the lock is true.
    """
    target = spec.targets.get(lock.platform)
    if target is None:
        return (f"{lock.platform} is no longer under `platforms` in the spec",)
    packages = _Packages.of(lock, names.substituted(lock.stand_ins))
    return (
        *_settings(spec, lock, normal(target)),
        *_inputs(lock, recipe_digests, debian_digest, converter),
        *_archive(spec, lock),
        *_roots(spec, lock, target, packages),
        *_closure(lock, packages),
        *_builds(spec, lock),
        *_superfluous(spec, lock, target, packages),
    )


class _Provided(Struct, frozen=True, kw_only=True):
    """What a MatchSpec is matched against."""

    version: str
    build: str
    subdir: str

    def record(self, name: str) -> rattler.PackageRecord:
        import rattler  # noqa: PLC0415  see `unmet_match`

        build = rattler.BuildString(self.build)
        return rattler.PackageRecord(
            name=name, version=self.version, build=build, build_number=0, subdir=self.subdir, depends=[]
        )


class _Packages(Struct, frozen=True, kw_only=True):
    """The packages of a lock under conda's names, with what a MatchSpec is matched against.

    Attributes:
        names: the name table.
        locked: conda name -> package.
        provided: conda name -> the package as conda sees it; virtual packages too.
    """

    names: NameTable
    locked: Mapping[CondaName, Package]
    provided: Mapping[str, _Provided]

    @classmethod
    def of(cls, lock: Lock, names: NameTable) -> _Packages:
        locked = {p.conda_name(names): p for p in lock.packages}
        provided = {str(name): _provided(p, lock.target, names) for name, p in locked.items()}
        return cls(names=names, locked=locked, provided=provided | _virtual(lock.target))

    def wheel(self, project: ProjectName) -> Wheel | None:
        """Find the wheel of a project, or of what stands for it."""
        found = self.locked.get(self.names.conda_name(project))
        return found if isinstance(found, Wheel) and found.project == self.real(project) else None

    def real(self, project: ProjectName) -> ProjectName:
        """Return the project that stands for one, or itself."""
        stand_in = self.names.stand_ins.get(project)
        return stand_in.project if stand_in else project

    def unmet_project(self, project: ProjectName, specifier: str) -> str | None:
        """Return how a wheel's requirement is not met, by a wheel or by the conda package that is the same project."""
        name = self.names.conda_name(project)
        stand_in = self.names.stand_ins.get(project)
        if wheel := self.wheel(project):
            if stand_in and not stand_in.same_versions:
                return None
            fits = SpecifierSet(specifier).contains(Version(wheel.version), prereleases=True)
            return None if fits else f"locked at {wheel.version}"
        return self.unmet_match(name, conda_spec(SpecifierSet(specifier)))

    def unmet_match(self, name: str, rest: str) -> str | None:
        """Return how a MatchSpec, given as name and rest, is not met."""
        found = self.provided.get(name)
        if found is None:
            return "the platform has none" if name.startswith("__") else "not locked"
        if is_plainly_met(rest, found.version):
            return None
        import rattler  # noqa: PLC0415  takes 50 ms, and most that wheels and Debian packages ask is plain

        try:
            is_met = rattler.MatchSpec(f"{name} {rest}").matches(found.record(name))
        except rattler.exceptions.InvalidMatchSpecError:
            return "not a MatchSpec"
        where = "the platform has" if name.startswith("__") else "locked at"
        return None if is_met else f"{where} {found.version} {found.build}"


def _settings(spec: EnvSpec, lock: Lock, target: Target) -> Iterator[str]:
    """Compare what the spec fixes beside requirements."""
    if lock.environment != spec.name:
        yield f"the lock is for `{lock.environment}`, the spec for `{spec.name}`"
    if lock.target.python != spec.python:
        yield f"`python` is {spec.python}, the lock has {lock.target.python}"
    now, then = target.virtual_packages(), lock.target.virtual_packages()
    for name in sorted(now.keys() | then.keys()):
        if now.get(name) != then.get(name):
            fact = name.removeprefix("__")
            yield f"{fact} of {lock.platform} is {now.get(name, 'none')}, the lock is for {then.get(name, 'none')}"
    if lock.channels != spec.channels:
        yield f"`channels` are {_listed(spec.channels)}, the lock was made with {_listed(lock.channels)}"
    yield from index_differences(spec.indexes, lock.indexes)
    yield from moved_wheels(lock.wheels, spec.indexes)
    for project in sorted(spec.names.keys() | lock.names.keys()):
        if spec.names.get(project) != lock.names.get(project):
            was = lock.names.get(project, "not set")
            yield f"`names.{project}` is {spec.names.get(project, 'not set')}, in the lock {was}"
    yield from differences(adjustments(spec, target, lock.marker_python), lock.adjustments)
    if lock.exclude_newer != spec.exclude_newer:
        yield f"`exclude-newer` is {_moment(spec.exclude_newer)}, the lock was made with {_moment(lock.exclude_newer)}"


def _inputs(lock: Lock, recipes: Mapping[str, Sha256], debian: Sha256 | None, converter: int) -> Iterator[str]:
    """Compare what the locked packages are made with."""
    for recipe, digest in sorted(lock.recipes.items()):
        if recipe not in recipes:
            yield f"the recipe `{recipe}` no longer exists"
        elif recipes[recipe] != digest:
            yield f"the recipe `{recipe}` changed"
    if lock.debian != debian:
        yield "its Debian lock is missing" if debian is None else "its Debian lock changed"
    if lock.wheels and lock.converter != converter:
        yield f"wheels are converted by converter version {converter}, the lock was made with version {lock.converter}"


def _archive(spec: EnvSpec, lock: Lock) -> Iterator[str]:
    """Compare the archive that Python comes from: its build string begins with the sha256."""
    wanted = spec.python_archive.get(lock.platform)
    python = next((package for package in lock.built if package.name == _PYTHON), None)
    is_archive = python is not None and python.recipe == RECIPE
    if wanted is None and is_archive:
        yield f"`{RECIPE}` is no longer in the spec, and Python is locked from an archive"
    elif wanted and not (python and is_archive and python.build.startswith(f"h{wanted.sha256[:8]}_")):
        yield f"`{RECIPE}`: Python is not locked from the archive with sha256 {wanted.sha256[:8]}…"


def _roots(spec: EnvSpec, lock: Lock, target: Target, packages: _Packages) -> Iterator[str]:
    """Compare what the spec asks for with the packages."""
    for requirement in active(spec, target, lock.marker_python):
        project = project_name(requirement.name)
        wheel = packages.wheel(project)
        if not wheel:
            yield f"`{requirement}` under `pypi`: no wheel is locked for it"
        elif not _is_of(wheel, requirement):
            yield f"`{requirement}` under `pypi`: locked from `{wheel.direct or wheel.filename}`"
        elif unmet := packages.unmet_project(project, str(requirement.specifier)):
            yield f"`{requirement}` under `pypi`: {unmet}"
        yield from _missing_extras(requirement, lock, packages.real(project))
    for text in spec.dependencies:
        name = match_name(text)
        if unmet := packages.unmet_match(name, match_rest(text)):
            yield f"`{text}` under `dependencies`: {unmet}"
    if unmet := packages.unmet_match("python", f"{lock.target.python}.*"):
        yield f"`python` {lock.target.python}: {unmet}"


def _is_of(wheel: Wheel, requirement: Requirement) -> bool:
    """Return whether a wheel is from where a requirement says: the address it gives, or an index."""
    reference = parse_reference(requirement.url) if requirement.url else None
    source = wheel.made.source if wheel.made else None
    match reference:
        case None:
            return not wheel.direct
        case GitReference():
            asked = (reference.url, reference.reference, reference.subdirectory)
            return isinstance(source, GitSource) and (source.url, source.reference, source.subdirectory) == asked
        case FileReference():
            fits = reference.sha256 is None or reference.sha256 == wheel.listed.sha256
            return wheel.direct == reference.url and fits
        case FolderReference():
            return wheel.direct == reference.path


def _missing_extras(requirement: Requirement, lock: Lock, project: ProjectName) -> Iterator[str]:
    locked = lock.extras.get(project, ())
    for extra in sorted(project_name(extra) for extra in requirement.extras):
        if extra not in locked:
            yield f"`{requirement}` under `pypi`: the extra `{extra}` is not locked"


def _closure(lock: Lock, packages: _Packages) -> Iterator[str]:
    """Compare what the packages depend on with the packages."""
    for package in lock.packages:
        if isinstance(package, Wheel):
            yield from _later_cuda(package, lock.target)
            for project, specifier in package.requires.items():
                if unmet := packages.unmet_project(project, specifier):
                    yield f"`{package.project}` {package.version} requires `{project}{specifier}`: {unmet}"
        else:
            for name, rest in package.dependencies.items():
                if unmet := packages.unmet_match(name, rest):
                    yield f"`{package.name}` {package.version} depends on `{f'{name} {rest}'.rstrip()}`: {unmet}"


def _builds(spec: EnvSpec, lock: Lock) -> Iterator[str]:
    """Compare what the spec says of builds with how the locked wheels are built."""
    for wheel in lock.wheels:
        if wheel.made and wheel.made.terms != spec.builds.get(wheel.project, USUAL_TERMS):
            yield f"`builds.{wheel.project}` is not what `{wheel.project}` {wheel.version} was built with"
    limits = [(project_name(one.name), one.specifier) for one in spec.build_constraints]
    used = [one for packages in lock.build_environments.values() for one in packages if isinstance(one, Wheel)]
    for wheel in {(one.project, one.version): one for one in used}.values():
        for project, specifier in limits:
            if project == wheel.project and not specifier.contains(wheel.version, prereleases=True):
                yield f"`{project}{specifier}` under `build-constraints`: a build is locked with {wheel.version}"


def _later_cuda(wheel: Wheel, target: Target) -> Iterator[str]:
    """Compare what a wheel needs of the driver with what the machines have, where the spec says it."""
    needs = cuda_major(wheel.project, Version(wheel.version))
    if needs and target.cuda and needs > Version(target.cuda).major:
        yield f"`{wheel.project}` {wheel.version} needs CUDA {needs}, `cuda` of {target.platform} is {target.cuda}"


def _superfluous(spec: EnvSpec, lock: Lock, target: Target, packages: _Packages) -> Iterator[str]:
    """Find what nothing asks for any more."""
    asked = asked_extras(spec, target, lock.marker_python)
    roots = {project_name(requirement.name) for requirement in active(spec, target, lock.marker_python)}
    for project in sorted(roots & lock.asked_extras.keys()):
        for extra in lock.asked_extras[project]:
            if extra not in asked.get(project, ()):
                yield f"the extra `{extra}` of `{project}` is locked, but no longer required by the spec"
    reached = _reachable(spec, roots, packages)
    needed = [packages.locked[name] for name in reached]
    required = roots.union(*(package.requires for package in needed if isinstance(package, Wheel)))
    for project, other in sorted(lock.stand_ins.items()):
        if project not in required:
            yield f"`{other}` is used in place of `{project}`, but nothing requires `{project}`"
    for name, package in packages.locked.items():
        if name not in reached:
            yield f"`{package.name}` {package.version} is locked, but nothing requires it"


def _reachable(spec: EnvSpec, roots: Collection[ProjectName], packages: _Packages) -> set[CondaName]:
    waiting = [CondaName("python"), *map(packages.names.conda_name, roots)]
    waiting += [CondaName(match_name(text)) for text in spec.dependencies]
    reached: set[CondaName] = set()
    while waiting:
        name = waiting.pop()
        if name in reached or name not in packages.locked:
            continue
        reached.add(name)
        package = packages.locked[name]
        waiting += [needed for needed, _ in package.depends_on(packages.names)]
        waiting += _OF_EVERY_WHEEL if isinstance(package, Wheel) else ()
    return reached


def _provided(package: Package, target: Target, names: NameTable) -> _Provided:
    if not isinstance(package, Wheel):
        return _Provided(version=package.version, build=package.build, subdir=str(package.subdir))
    found = package_id(package, target=target, names=names)
    return _Provided(version=found.version, build=found.build, subdir=str(target.platform))


def _virtual(target: Target) -> dict[str, _Provided]:
    found = {name: virtual_package(name, value) for name, value in target.virtual_packages().items()}
    subdir = str(target.platform)
    return {name: _Provided(version=version, build=build, subdir=subdir) for name, (version, build) in found.items()}


def _listed(words: tuple[str, ...]) -> str:
    return ", ".join(words) or "none"


def _moment(moment: dt.datetime | None) -> str:
    return moment.isoformat() if moment else "not set"
