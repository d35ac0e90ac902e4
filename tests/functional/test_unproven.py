"""METADATA that is read by ranges is proved by no digest: it is taken again for a while, and a lie does not stay."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.builders.wheels import make_wheel
from tests.functional.conftest import SPEC

if TYPE_CHECKING:
    from tests.builders.registries import Registries
    from tests.command import Command, Project

NAME = "lone-1.0-py3-none-any.whl"


@pytest.fixture
def path(demo: Project, registries: Registries) -> str:
    """Offer a wheel without METADATA beside it, and require it; return its path on the server."""
    registries.index.add(NAME, make_wheel("lone", "1.0"), metadata="absent")
    registries.publish()
    demo.spec("demo", SPEC.replace("pypi: [", "pypi: [lone, "))
    return registries.index.path(NAME)


def test_it_is_not_read_again_for_the_next_lock(path: str, demo: Project, cli: Command, registries: Registries) -> None:
    cli("lock").succeeded()
    demo.spec("demo", SPEC.replace("pypi: [", "pypi: [lone ==1.0, "))
    registries.server.requests.clear()
    cli("lock", "--upgrade").succeeded()
    assert path not in registries.server.paths()


def test_a_lie_of_a_server_does_not_stay(path: str, demo: Project, cli: Command, registries: Registries) -> None:
    lie = make_wheel("lone", "1.0", requires=["nowhere"])
    sites = registries.index.site() | registries.debian.site() | registries.security.site()
    registries.server.content = {**sites, path: lie}
    outcome = cli("lock")
    assert outcome.code == 3
    assert "`nowhere`" in outcome.err
    registries.publish()
    cli("lock").succeeded()
    assert b"lone-1.0" in b"".join(demo.locks().values())
