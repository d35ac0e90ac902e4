"""conda's order and bounds are PEP 440's for every published version of the projects in the committed locks."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import pypi_simple
import pytest
import rattler
from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version

from envgen.lock.read import read_lock
from envgen.names import ProjectName, project_name
from envgen.solve.order import misplaced, spec_among
from envgen.sources.pypi import WheelIndex
from envgen.system.http import Http
from envgen.system.store import Store
from envgen.versions import conda_version
from tests.command import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

pytestmark = pytest.mark.real

LOCK = read_lock((REPOSITORY / "locks/pt28-accel.linux-64.conda-lock.yml").read_text())
INNER_ZERO = project_name("nvidia-cuda-cccl")
REQUIRED = sorted({(project, text) for wheel in LOCK.wheels for project, text in wheel.requires.items() if text})


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> dict[ProjectName, list[Version]]:
    projects = sorted({INNER_ZERO, *(wheel.project for wheel in LOCK.wheels)})
    store = Store(tmp_path_factory.mktemp("store"))
    http = Http(environment=os.environ)
    index = WheelIndex(http=http, store=store, base_url=pypi_simple.PYPI_SIMPLE_ENDPOINT, workers=4)
    try:
        return asyncio.run(_versions(index, projects))
    finally:
        index.close()


async def _versions(index: WheelIndex, projects: Iterable[ProjectName]) -> dict[ProjectName, list[Version]]:
    found = {}
    for project in projects:
        page = await index.page(project)
        assert page is not None
        found[project] = sorted(_parsed({*page.versions, *page.sdists}), reverse=True)
    return found


def _parsed(texts: Iterable[str]) -> Iterator[Version]:
    for text in texts:
        try:
            yield Version(text)
        except InvalidVersion:
            continue


def _selected(spec: str, versions: Iterable[Version]) -> set[Version]:
    parsed = rattler.VersionSpec(spec)
    return {version for version in versions if parsed.matches(rattler.Version(conda_version(version)))}


def test_every_version_is_kept(published: dict[ProjectName, list[Version]]) -> None:
    assert Version("13.3.5.0.6") in published[INNER_ZERO]
    assert {project: misplaced(versions) for project, versions in published.items() if misplaced(versions)} == {}


@pytest.mark.parametrize("operator", [">", ">=", "<", "<=", "==", "!="])
def test_bounds_at_published_versions(published: dict[ProjectName, list[Version]], operator: str) -> None:
    for versions in published.values():
        for version in versions[:: len(versions) // 20 + 1]:
            specifiers = SpecifierSet(f"{operator}{version.public}")
            expected = {other for other in versions if specifiers.contains(other, prereleases=True)}
            assert _selected(spec_among(specifiers, versions), versions) == expected


def test_bounds_of_the_locked_wheels(published: dict[ProjectName, list[Version]]) -> None:
    for project, text in REQUIRED:
        versions = published.get(project, [])
        expected = {version for version in versions if SpecifierSet(text).contains(version, prereleases=True)}
        assert _selected(spec_among(SpecifierSet(text), versions), versions) == expected
