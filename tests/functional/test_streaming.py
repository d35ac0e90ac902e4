"""Wheels become packages while they are downloaded; whether they stay in the store, and what happens to a bad line."""

from __future__ import annotations

import hashlib
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.builders.server import Faults
from tests.builders.wheels import make_wheel, wheel_filename

if TYPE_CHECKING:
    from pathlib import Path

    from tests.builders.registries import Registries
    from tests.command import Command, Project

SPEC = """\
python: "3.11"
platforms: {linux-64: {glibc: "2.36"}}
dependencies: [python]
pypi: [large, eggs <2]
"""
CONTENT = hashlib.shake_256(b"large").digest(4 << 20)
SITE = "lib/python3.11/site-packages"


@pytest.fixture
def large(project: Project, registries: Registries, cli: Command) -> str:
    """Lock an environment with a wheel that needs more than one request, and name its path on the server."""
    filename = wheel_filename("large", "1.0")
    registries.index.add(filename, make_wheel("large", "1.0", files={"large.bin": CONTENT}))
    registries.publish()
    project.spec("demo", SPEC)
    cli("lock").succeeded()
    registries.server.requests.clear()
    return next(path for path in registries.index.site() if path.endswith(filename))


def create(cli: Command, keep: str = "") -> None:
    """Create the environment, and prove that the large file is right."""
    cli("create", ENVGEN_KEEP_WHEELS=keep).succeeded()
    assert (cli.directory.parent / "home/envs/demo" / SITE / "large.bin").read_bytes() == CONTENT


def kept(cli: Command) -> list[str]:
    """List what the store has of wheels."""
    store = cli.directory.parent / "home/cache"
    return [path.name for path in store.glob("artifacts/*/*") if path.read_bytes().startswith(b"PK")]


def bodies(registries: Registries, path: str) -> list[str]:
    """List from where a file was sent, as far as it was a body and not some range of it."""
    asked = [request for request in registries.server.requests if request.path == path]
    ranges = [request.headers.get("range", "bytes=0-") for request in asked]
    return [text for text in ranges if text.endswith("-")]


@pytest.mark.parametrize(
    ("more", "variable", "expected"),
    [
        ("", "", 0),
        ("keep-wheels: true\n", "", 2),
        ("keep-wheels: true\n", "0", 0),
        ("image: {}\n", "", 2),
        ("image: {}\n", "0", 0),
        ("", "1", 2),
    ],
)
@pytest.mark.usefixtures("large")
def test_which_wheels_are_kept(more: str, variable: str, expected: int, project: Project, cli: Command) -> None:
    project.spec("demo", SPEC + more)
    create(cli, variable)
    assert len(kept(cli)) == expected


def test_a_setting_that_means_nothing(large: str, cli: Command) -> None:
    outcome = cli("create", ENVGEN_KEEP_WHEELS="yes")
    assert (outcome.code, "ENVGEN_KEEP_WHEELS: expected 0 or 1, got 'yes'" in outcome.err) == (1, True), outcome.err


def test_a_wheel_is_sent_once(large: str, registries: Registries, cli: Command) -> None:
    create(cli)
    assert bodies(registries, large) == ["bytes=0-"]


def test_a_broken_transfer_goes_on_where_it_broke(large: str, registries: Registries, cli: Command) -> None:
    registries.publish(Faults(drop_after=3 << 20, drops=3))  # two ranges come first
    create(cli)
    first, second = bodies(registries, large)
    assert first == "bytes=0-"
    assert 0 < int(second.removeprefix("bytes=").removesuffix("-")) <= 3 << 20
    assert kept(cli) == []


@pytest.mark.parametrize(
    "faults", [Faults(ranges=False), Faults(ranges=False, drop_after=1 << 20), Faults(etags=False)]
)
def test_servers_that_can_less(faults: Faults, large: str, registries: Registries, cli: Command) -> None:
    registries.publish(faults)
    create(cli)


def test_other_bytes_are_refused(large: str, registries: Registries, cli: Command, tmp_path: Path) -> None:
    registries.publish(Faults(altered=frozenset({large})))
    outcome = cli("create")
    assert outcome.code == 5, outcome.err
    assert "large-1.0-py3-none-any.whl" in outcome.err
    assert not list((cli.directory.parent / "home/cache/packages").glob("large-*"))


def asked_inside(registries: Registries, cli: Command, path: str) -> bool:
    """Return whether a lock reads METADATA out of a wheel, once ten minutes passed for what no digest proves."""
    shutil.rmtree(cli.directory.parent / "home/cache/cache/metadata-recent", ignore_errors=True)
    registries.server.requests.clear()
    cli("lock", "--refresh").succeeded()
    return any(request.path == path for request in registries.server.requests)


def test_metadata_of_a_wheel_that_was_proved_is_not_read_again(
    large: str, registries: Registries, cli: Command
) -> None:
    filename = large.rpartition("/")[2]
    registries.index.add(filename, make_wheel("large", "1.0", files={"large.bin": CONTENT}), metadata="absent")
    registries.publish()
    (cli.directory.parent / "home/cache/cache").rename(cli.directory.parent / "other")
    assert [asked_inside(registries, cli, large) for _ in range(2)] == [True, True]  # nothing proves what was read
    create(cli)
    assert kept(cli) == []
    assert not asked_inside(registries, cli, large)


def test_metadata_of_a_wheel_with_other_bytes_is_not_kept(large: str, registries: Registries, cli: Command) -> None:
    registries.publish(Faults(altered=frozenset({large})))
    assert cli("create").code == 5
    digest = large.split("/")[-2]
    assert not list((cli.directory.parent / "home/cache/cache").glob(f"metadata-of-wheel/*/{digest}*"))
