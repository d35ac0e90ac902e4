"""`rattler.install`, given our records and a view of the store."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import rattler
from rattler.exceptions import InstallerError
from rattler.install import InstallerReporter

from envgen.errors import ArtifactError, HostError
from envgen.packages import Wheel
from envgen.prefix.provenance import provenance
from envgen.system.os_faults import os_fault, told_by_rust
from envgen.system.rattler_certificates import settle_certificates

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from pathlib import Path

    from envgen.events import Progress
    from envgen.platforms import Platform
    from envgen.prefix.contents import LinkPackage


def install(
    packages: Iterable[LinkPackage],
    prefix: Path,
    *,
    view: Path,
    platform: Platform,
    staying: Collection[str],
    alternative_prefix: str | None,
    bar: Progress,
) -> None:
    """Link packages into a prefix; scripts that packages bring for that moment are not run.

    Args:
        packages: all of the environment: rattler lays out `noarch: python` by the Python among them.
        prefix: the environment.
        view: from `build_view`; needs no entry for packages that stay.
        platform: of the environment.
        staying: names of packages to leave alone.
        alternative_prefix: where the environment will live, if not at `prefix`.
        bar: advanced by one for each package that is linked.

    Raises:
        HostError: a file cannot be linked.
        UserError: the disk is full, or the prefix may not be written to.
    """
    settle_certificates()
    job = rattler.install(
        [repodata_record(package) for package in packages],
        prefix,
        cache_dir=view,
        ignored_packages=set(staying),
        platform=rattler.Subdir(platform),
        execute_link_scripts=False,
        show_progress=False,
        reporter=_Bar(bar),  # type: ignore[abstract]  # the other methods do nothing, which mypy takes for missing
        alternative_target_prefix=alternative_prefix,
    )
    import asyncio  # noqa: PLC0415  takes 30 ms, and mostly nothing is linked

    try:
        asyncio.run(job)
    except InstallerError as error:
        raise os_fault(told_by_rust(error) or OSError(), prefix) or HostError(
            f"failed to link packages into `{prefix}`: {error}"
        ) from error


class _Bar(InstallerReporter):
    """Moves our bar when rattler has linked a package. Rattler calls it from its own threads."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar

    def on_link_complete(self, index: int) -> None:  # noqa: ARG002  rattler's token
        self._bar.advance(1)


def normal_index(directory: Path) -> dict[str, Any]:
    """Return what rattler writes into a record of the `info/index.json` of an extracted package.

    Raises:
        ArtifactError: it cannot be read.
    """
    try:
        record = rattler.PackageRecord.from_index_json(directory / "info" / "index.json")
    except OSError as error:  # also where it is not what it has to be
        raise ArtifactError(f"package `{directory.name}`: failed to read `info/index.json`: {error}") from error
    found: dict[str, Any] = json.loads(record.to_json())
    return found


def repodata_record(package: LinkPackage) -> rattler.RepoDataRecord:
    """Describe a package to rattler; where it came from is told to `conda-meta` afterwards, for all of it."""
    record, origin = package.record, package.record.origin
    archive = None if isinstance(origin, Wheel) else origin
    inner = rattler.PackageRecord.from_index_json(
        package.directory / "info" / "index.json",
        size=archive.size if archive else None,
        sha256=archive.sha256 if archive else None,
        md5=archive.md5 if archive else None,
    )
    inner.depends, inner.constrains = list(record.depends), list(record.constrains)
    url = provenance(package, portable=True).url
    # rattler wants a channel that looks like a URL
    return rattler.RepoDataRecord(package_record=inner, file_name=f"{record.dist}.conda", url=url, channel=url)
