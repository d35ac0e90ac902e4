"""What the solves of one spec share: that of the spec itself, and those for what builds run in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from envgen.manifest.env_spec import EnvSpec
from envgen.resolve.upgrade import Upgrade
from envgen.structs import replace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from packaging.requirements import Requirement

    from envgen.names import NameTable, ProjectName
    from envgen.platforms import Platform, Target
    from envgen.project.context import Context
    from envgen.project.lock_files import LockPair
    from envgen.resolve.ahead import ReadAhead
    from envgen.resolve.said import Said
    from envgen.resolve.wheel_directories import Directories
    from envgen.sources.debian_suites import DebianSuites
    from envgen.sources.indexes import WheelIndexes


class Workbench(Struct, frozen=True, kw_only=True):
    """What the solves of one spec share.

    Attributes:
        context: the world.
        spec: what is wanted.
        names: the name table.
        index: of wheels.
        ahead: of it, what the lock will ask for.
        suites: of Debian.
        directories: of wheels.
        upgrade: what not to keep.
        said: what the user has heard.
        refresh: solve also where nothing changed.
        olds: platform -> what is locked.
        pin_local: see `resolve`.
        builds: offer source archives.
        inner: whether it is solved for a build, so that nothing but the packages counts.
        building: recipes that this is solved to build.
        sources: projects that it is solved to build from source, outermost first.
        deferred: whether it is solved for builds without isolation, which are left out.
        outline: choose for several environments together, and tell nothing of what is odd about packages.
    """

    context: Context
    spec: EnvSpec
    names: NameTable
    index: WheelIndexes
    ahead: ReadAhead
    suites: DebianSuites
    directories: Directories
    upgrade: Upgrade
    said: Said
    refresh: bool
    olds: Mapping[Platform, LockPair | None]
    pin_local: bool | None = None
    builds: bool = True
    inner: bool = False
    building: tuple[str, ...] = ()
    sources: tuple[ProjectName, ...] = ()
    deferred: bool = False
    outline: bool = False

    def before_builds(self, target: Target) -> Workbench:
        """Return the solve for what builds without isolation see: the spec's own, as if they required nothing."""
        spec = replace(self.spec, targets={target.platform: target}, image=None)
        return replace(self._inner(spec), deferred=True)

    def for_build(self, target: Target, requires: tuple[Requirement, ...], given: tuple[Requirement, ...]) -> Workbench:
        """Return the solve for what a build runs in.

        Args:
            target: of the build.
            requires: what it asks for.
            given: constraints, beside those of the spec.
        """
        spec = replace(
            EnvSpec(name=self.spec.name, python=self.spec.python, targets={target.platform: target}, source=""),
            channels=self.spec.channels,
            pypi=requires,
            names=self.spec.names,
            builds={project: replace(terms, isolation="") for project, terms in self.spec.builds.items()},
            constraints=(*self.spec.build_constraints, *given),
            exclude_newer=self.spec.exclude_newer,
            indexes=self.spec.indexes,
        )
        return replace(self._inner(spec), upgrade=Upgrade(), builds=False)

    def with_sources(self, project: ProjectName) -> Workbench:
        """Return the solve for what a project is built in, where that may have to be built as well."""
        return replace(self, builds=True, sources=(*self.sources, project))

    def for_recipe(self, spec: EnvSpec, recipe: str) -> Workbench:
        """Return the solve for what a recipe is built with, a spec of its own."""
        return replace(self._inner(spec), builds=False, building=(*self.building, recipe))

    def _inner(self, spec: EnvSpec) -> Workbench:
        return replace(self, spec=spec, said=replace(self.said, idle=[]), refresh=True, inner=True)
