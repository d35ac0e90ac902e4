"""Which releases of its requirements envgen is bundled with: those that run here, unless the other Python wants others.

The patch release of the other machine's Python is not known, and some releases need a newer one than the first of
their minor version. Such a release is passed over for an older one.
"""

from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING

from msgspec import Struct, field
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from envgen.errors import UserError
from envgen.metadata import active_requirements
from envgen.names import ProjectName, project_name
from envgen.together import together
from envgen.wheels import TagOrder

if TYPE_CHECKING:
    from collections.abc import Iterable

    from packaging.requirements import Requirement

    from envgen.metadata import WheelMetadata
    from envgen.platforms import Target
    from envgen.sources.indexes import WheelIndexes
    from envgen.sources.pypi_page import ProjectFile

_ROUNDS = 50
"""Walks over all requirements; each finds a limit that the one before did not know, and two or three do."""


class Pins(Struct, kw_only=True):
    """A walk from some requirements over all that they need.

    Attributes:
        index: of the wheels.
        target: to run on.
        limits: project -> what anything says of its version.
        extras: project -> extras that anything asks for.
    """

    index: WheelIndexes
    target: Target
    limits: dict[ProjectName, SpecifierSet] = field(default_factory=dict)
    extras: dict[ProjectName, set[str]] = field(default_factory=dict)

    async def choose(self, roots: Iterable[Requirement]) -> dict[ProjectName, ProjectFile]:
        """Choose a wheel of every project, sorted by name.

        Raises:
            UserError: a project has no wheel that fits.
            NetworkError, ArtifactError: see `WheelIndex`.
        """
        roots = list(roots)
        for _ in range(_ROUNDS):
            found: dict[ProjectName, ProjectFile] = {}
            changed = self._learn(roots)
            waiting = {project_name(one.name) for one in roots}
            while waiting:
                files = await together(map(self._best, sorted(waiting)))
                found |= dict(zip(sorted(waiting), files, strict=True))
                metas = await together(map(self.index.metadata, files))
                needs = [need for meta in metas for need in self._active(meta)]
                changed |= self._learn(needs)
                waiting = {project_name(need.name) for need in needs} - found.keys()
            if not changed:
                return dict(sorted(found.items()))
        raise UserError("the requirements of envgen contradict each other", hint="use `--no-tools`")

    def _active(self, meta: WheelMetadata) -> tuple[Requirement, ...]:
        return active_requirements(meta, self.target, self.extras.get(meta.name, set()))

    def _learn(self, requirements: Iterable[Requirement]) -> bool:
        """Record what requirements ask for; return whether any of it is new."""
        changed = False
        for requirement in requirements:
            name = project_name(requirement.name)
            limits, extras = self.limits.get(name, SpecifierSet()), self.extras.setdefault(name, set())
            changed |= limits & requirement.specifier != limits or not extras >= requirement.extras
            self.limits[name] = limits & requirement.specifier
            extras |= requirement.extras
        return changed

    async def _best(self, project: ProjectName) -> ProjectFile:
        page = await self.index.page(project)
        order = TagOrder.of(self.target)
        for version in self._versions(project, page.versions if page else ()):
            ranked = [
                (rank, file.filename, file)
                for file in (page.files(version) if page else ())
                if file.sha256 and not file.yanked and self._runs(file) and (rank := order.preference(file.filename))
            ]
            if ranked:
                return min(ranked)[2]
        limits = f" {self.limits[project]}" if self.limits.get(project) else ""
        raise UserError(
            f"no wheel of `{project}{limits}`, which envgen needs, runs on every Python {self.target.python} "
            f"of {self.target.platform}",
            hint="choose another `--tool-python`, or leave envgen out with `--no-tools`",
        )

    def _versions(self, project: ProjectName, texts: Iterable[str]) -> list[str]:
        """Order the versions that fit: the one that is installed here first, then from the newest down."""
        here, limits = _installed(project), self.limits.get(project, SpecifierSet())
        known = [(version, text) for text in texts if (version := _version(text)) and limits.contains(version)]
        return [text for version, text in sorted(known, key=lambda one: (one[0] == here, one[0]), reverse=True)]

    def _runs(self, file: ProjectFile) -> bool:
        """Return whether a wheel runs on the first patch release of Python, and so on all of them."""
        try:
            return SpecifierSet(file.requires_python or "").contains(f"{self.target.python}.0")
        except InvalidSpecifier:
            return True


def _installed(project: ProjectName) -> Version | None:
    try:
        return _version(metadata.version(project))
    except metadata.PackageNotFoundError:
        return None


def _version(text: str) -> Version | None:
    try:
        return Version(text)
    except InvalidVersion:
        return None
