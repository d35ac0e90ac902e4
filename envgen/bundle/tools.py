"""Envgen itself in a bundle: its wheel and those of all that it needs, each pinned."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from packaging.requirements import Requirement

from envgen.bundle.bundled_tools import bundled_wheels
from envgen.bundle.own_wheel import own_metadata, own_wheel
from envgen.bundle.parts import TOOLS, WHEEL, BundleArtifact, BundledFile, bytes_part, file_part, text_part
from envgen.bundle.pins import Pins
from envgen.errors import NetworkError, OfflineError
from envgen.metadata import active_requirements
from envgen.oci.read import START
from envgen.platforms import dotted
from envgen.prepare.artifacts import ensure_artifact
from envgen.prepare.wheel_index import wheel_indexes
from envgen.project import shipped

if TYPE_CHECKING:
    from collections.abc import Mapping

    from envgen.events import Progress
    from envgen.platforms import Target
    from envgen.project.context import Context
    from envgen.sources.pypi_page import ProjectFile

PYTHON, PLATFORM, VERSION = "envgen.python", "envgen.platform", "envgen.version"
"""Annotations of the artifact; the script that starts a bundle chooses by them."""

GLIBC = "envgen.glibc"

_INSTALLER = Requirement("pip")
"""Runs out of its own wheel and installs the others: many systems have Python without it."""


def tools(context: Context, target: Target) -> BundleArtifact:
    """Collect envgen for a platform and minor version of Python.

    Raises:
        UserError: something has no wheel for the target, or envgen was not installed.
        NetworkError: the wheel index cannot be reached.
    """
    name, data = own_wheel()
    own = bytes_part(f"tools/{name}", WHEEL, data)
    annotations = _annotations(target)
    try:
        parts = _chosen(context, target)
    except OfflineError as error:
        parts = _bundled(context, annotations, own.title)
        if not parts:
            raise OfflineError(
                f"{error}: no given bundle has the wheels that envgen itself needs",
                hint="add a bundle that was made without `--no-tools`, or remove `--offline` and ENVGEN_OFFLINE",
            ) from error
    return BundleArtifact(
        kind=TOOLS,
        name=f"envgen.{target.platform}.py{target.python}",
        annotations=annotations,
        parts=(own, text_part(START, shipped.bundle_start()), *parts),
    )


def _annotations(target: Target) -> dict[str, str]:
    glibc = {GLIBC: dotted(target.glibc)} if target.glibc else {}
    version = str(own_metadata().version)
    return {PYTHON: str(target.python), PLATFORM: str(target.platform), VERSION: version, **glibc}


def _chosen(context: Context, target: Target) -> tuple[BundledFile, ...]:
    """Choose wheels of the index, and fetch them."""
    label = "collecting envgen's own wheels"
    with wheel_indexes(context, {}) as index, context.reporter.progress(label, total=None, unit="wheels") as bar:
        roots = (_INSTALLER, *active_requirements(own_metadata(), target))
        wheels = asyncio.run(Pins(index=index, target=target).choose(roots))
        return tuple(_fetched(context, wheel, bar) for wheel in wheels.values())


def _bundled(context: Context, annotations: Mapping[str, str], own: str) -> tuple[BundledFile, ...]:
    """Return the wheels that a bundle has; no lock pins them, so a note names the bundle."""
    found = bundled_wheels(context.supply.bundles, annotations, own=own)
    if found is None:
        return ()
    bundle, wheels = found
    context.reporter.note(f"took what envgen itself needs from the bundle `{bundle.path}`; no lock pins these wheels")
    files = {title: ensure_artifact(context, sha, partial(bundle.copy, sha)) for title, sha in wheels.items()}
    return tuple(file_part(title, WHEEL, wheels[title], path) for title, path in files.items())


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
