"""Envgen itself in a bundle: its wheel and those of all that it needs, each pinned to the release that runs here."""

from __future__ import annotations

import asyncio
from importlib import metadata
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.version import Version

from envgen.bundle.own_wheel import own_distribution, own_wheel
from envgen.bundle.parts import TOOLS, WHEEL, BundleArtifact, BundledFile, file_part
from envgen.digest import Sha256
from envgen.errors import NetworkError, OfflineError, UserError
from envgen.names import project_name
from envgen.platforms import dotted
from envgen.prepare.artifacts import ensure_artifact
from envgen.prepare.wheel_index import wheel_indexes
from envgen.together import together
from envgen.wheels import TagOrder

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from envgen.events import Progress
    from envgen.names import ProjectName
    from envgen.platforms import Target
    from envgen.project.context import Context
    from envgen.sources.indexes import WheelIndexes
    from envgen.sources.pypi_page import ProjectFile

PYTHON, PLATFORM, VERSION = "envgen.python", "envgen.platform", "envgen.version"
"""Annotations of the artifact; the script that starts a bundle chooses by them."""

GLIBC = "envgen.glibc"

_INSTALLER = "pip"
"""Runs out of its own wheel and installs the others: many systems have Python without it."""


def tools(context: Context, target: Target) -> BundleArtifact:
    """Collect envgen for a platform and minor version of Python.

    Raises:
        UserError: something has no wheel for the target, or is not installed here.
        NetworkError: the wheel index cannot be reached.
    """
    pins = _pins(target)
    name, data = own_wheel()
    own = BundledFile(title=f"tools/{name}", media_type=WHEEL, sha256=Sha256.of(data), size=len(data), source=data)
    with (
        wheel_indexes(context, {}) as index,
        context.reporter.progress("collecting envgen's own wheels", total=len(pins), unit="wheels") as bar,
    ):
        wheels = asyncio.run(_find_all(index, pins, target))
        parts = tuple(_fetched(context, wheel, bar) for wheel in wheels)
    version = own_distribution().version
    glibc = {GLIBC: dotted(target.glibc)} if target.glibc else {}
    return BundleArtifact(
        kind=TOOLS,
        name=f"envgen.{target.platform}.py{target.python}",
        annotations={PYTHON: str(target.python), PLATFORM: str(target.platform), VERSION: version, **glibc},
        parts=(own, *parts),
    )


def _pins(target: Target) -> dict[ProjectName, str]:
    """Walk from envgen through the requirements that hold for the target: project -> release installed here.

    Raises:
        UserError: one that only the target needs is not installed here.
    """
    found: dict[ProjectName, str] = {project_name(_INSTALLER): _installed(_INSTALLER)}
    waiting = _requirements(own_distribution(), ("",), target)
    seen: set[tuple[ProjectName, frozenset[str]]] = set()
    while waiting:
        requirement = waiting.pop()
        name = project_name(requirement.name)
        if (name, frozenset(requirement.extras)) in seen:
            continue
        seen.add((name, frozenset(requirement.extras)))
        found[name] = _installed(requirement.name)
        waiting += _requirements(metadata.distribution(requirement.name), ("", *requirement.extras), target)
    return dict(sorted(found.items()))


def _requirements(distribution: metadata.Distribution, extras: Iterable[str], target: Target) -> list[Requirement]:
    environments = [{**target.marker_environment(), "extra": extra} for extra in extras]
    read = map(Requirement, distribution.requires or ())
    return [one for one in read if one.marker is None or any(map(one.marker.evaluate, environments))]


def _installed(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError as error:
        raise UserError(
            f"`{name}` is not installed here, so the bundle cannot pin it for envgen",
            hint="install it where envgen runs, run `envgen bundle` there, or use `--no-tools`",
        ) from error


async def _find_all(index: WheelIndexes, pins: Mapping[ProjectName, str], target: Target) -> list[ProjectFile]:
    order = TagOrder.of(target)

    async def one(project: ProjectName, version: str) -> ProjectFile | None:
        page = await index.page(project)
        texts = [text for text in page.versions if _is(text, version)] if page else []
        files = [file for text in texts if page for file in page.files(text) if file.sha256]
        ranked = [(rank, file.filename, file) for file in files if (rank := order.preference(file.filename))]
        return min(ranked)[2] if ranked else None

    found = await together(one(project, version) for project, version in pins.items())
    missing = [f"{project} {version}" for (project, version), file in zip(pins.items(), found, strict=True) if not file]
    if missing:
        raise UserError(
            f"no wheel for {target.platform} and Python {target.python} of: {', '.join(missing)}",
            hint="choose another `--tool-python`, or leave envgen out with `--no-tools`",
        )
    return [file for file in found if file]


def _is(text: str, version: str) -> bool:
    try:
        return Version(text) == Version(version)
    except ValueError:
        return False


def _fetched(context: Context, wheel: ProjectFile, bar: Progress) -> BundledFile:
    sha = wheel.sha256
    if sha is None:
        raise NetworkError(f"the wheel index has no sha256 for `{wheel.filename}`")
    try:
        path = ensure_artifact(context, sha, lambda out: context.http.download(wheel.url, out, expected=sha))
    except OfflineError as error:
        raise OfflineError(f"`{wheel.filename}` of envgen itself is not in the store", hint=error.hint) from error
    bar.advance(1)
    return file_part(f"tools/{wheel.filename}", WHEEL, sha, path)
