"""Whole commands over filled registries."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.builders.bucket import open_bucket
from tests.builders.stubs import RECIPE
from tests.functional import world

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.builders.bucket import Bucket
    from tests.builders.registries import Registries
    from tests.command import Command, Project

SPEC = """\
python: "3.11"
platforms: {linux-64: {glibc: "2.36"}}
dependencies: [python]
pypi: [spam ==1.0, eggs <2]
"""
"""Python from Debian, two wheels, one platform."""


@pytest.fixture
def registries(registries: Registries) -> Registries:
    """Fill the registries with the world that these tests live in."""
    world.fill(registries)
    return registries


@pytest.fixture
def project(project: Project) -> Project:
    """Make a project with the recipe of the stand-in for Python."""
    for path, text in RECIPE.items():
        project.write(path, text)
    return project


@pytest.fixture
def demo(project: Project) -> Project:
    """Make a project with the environment `demo`."""
    project.spec("demo", SPEC)
    return project


@pytest.fixture
def locked(demo: Project, cli: Command) -> Project:
    """Lock `demo`."""
    cli("lock").succeeded()
    return demo


@pytest.fixture
def bucket(cli: Command) -> Iterator[Bucket]:
    """Run a server that speaks S3, and log in there."""
    with open_bucket() as found:
        cli.variables |= found.login
        yield found
