"""`envgen build` and the channel that it fills: other machines take from there what is as it was locked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.functional.test_create import make

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.builders.registries import Registries
    from tests.command import Command, Project


@pytest.fixture
def channel(locked: Project, cli: Command, tmp_path: Path) -> Path:
    """Publish `demo`; the cache is then another, empty one."""
    folder = tmp_path / "channel"
    cli("build", "--channel", str(folder)).succeeded()
    cli.variables |= {"ENVGEN_CHANNEL": str(folder), "ENVGEN_CACHE": str(tmp_path / "fresh")}
    return folder


def debs(registries: Registries) -> list[str]:
    """List the Debian packages that were asked for."""
    return [path for path in registries.server.paths() if path.endswith(".deb")]


def test_what_is_published_is_not_built_again(channel: Path, cli: Command, registries: Registries) -> None:
    registries.server.requests.clear()
    assert (make(cli) / "bin/spam").exists()
    assert debs(registries) == []


@pytest.mark.parametrize(
    "alter",
    [
        lambda data: b"another one" + data[11:],
        lambda data: data + b"and more",
        lambda data: data[:-100],
    ],
    ids=["changed", "longer", "shorter"],
)
def test_another_archive_of_that_name_counts_as_not_there(
    alter: Callable[[bytes], bytes], channel: Path, cli: Command, registries: Registries
) -> None:
    for archive in channel.glob("linux-64/python-*.conda"):
        data = alter(archive.read_bytes())
        archive.chmod(0o644)
        archive.write_bytes(data)
    registries.server.requests.clear()
    assert (make(cli) / "bin/spam").exists()
    assert debs(registries)
