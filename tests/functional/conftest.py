"""Whole commands over filled registries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.builders.stubs import RECIPE
from tests.functional import world

if TYPE_CHECKING:
    from collections.abc import Iterator

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
def bucket(cli: Command) -> Iterator[dict[str, Any]]:
    """Run a server that speaks S3, with a bucket `team`."""
    server_module = pytest.importorskip("moto.server")
    boto3 = pytest.importorskip("boto3")
    pytest.importorskip("obstore")
    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    login = {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s", "AWS_ENDPOINT_URL": f"http://{host}:{port}"}
    session = boto3.Session(aws_access_key_id="k", aws_secret_access_key=login["AWS_SECRET_ACCESS_KEY"])
    client = session.client("s3", endpoint_url=login["AWS_ENDPOINT_URL"], region_name="us-east-1")
    client.create_bucket(Bucket="team")
    cli.variables |= login
    try:
        yield {"client": client}
    finally:
        server.stop()
