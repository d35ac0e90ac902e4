"""`envgen build` and the channel that it fills: other machines take from there what is as it was locked."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from envgen.convert.conda_archive import extract_conda, write_conda
from tests.builders.registry import PROGRAM, SKOPEO, registry
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


def test_build_is_publish_to_a_folder(locked: Project, cli: Command, tmp_path: Path) -> None:
    """Both write one channel, and neither writes over what it has."""
    folder = tmp_path / "channel"
    built = cli("build", "--channel", str(folder), "--json").succeeded().json()
    assert {package["sent"] for package in built["packages"]} == {True}
    published = cli("publish", "--to", str(folder), "--json").succeeded().json()
    assert published == {**built, "packages": [{**package, "sent": False} for package in built["packages"]]}
    names = {path.name for path in (folder / "linux-64").iterdir()}
    assert {"repodata.json", "repodata.json.zst", "repodata_shards.msgpack.zst"} <= names
    spam = next(folder.glob("linux-64/spam-*.conda"))
    spam.write_bytes(b"other")
    refused = cli("build", "--channel", str(folder))
    assert (refused.code, "is not overwritten" in refused.err) == (5, True)
    assert spam.read_bytes() == b"other"


def test_build_refuses_what_the_spec_denies(locked: Project, cli: Command, tmp_path: Path) -> None:
    text = (locked.root / "environments/demo.yaml").read_text()
    locked.write("environments/demo.yaml", text + "licenses: {packages: {spam: GPL-3.0-only}, deny: [GPL-3.0-only]}\n")
    cli("lock").succeeded()
    assert cli("build", "--channel", str(tmp_path / "channel")).code == 1
    assert not (tmp_path / "channel").exists()


def test_a_first_lock_takes_what_the_channel_has(
    channel: Path, locked: Project, cli: Command, registries: Registries
) -> None:
    """No Debian package is downloaded, and the lock is the one that building them gives."""
    before = locked.locks()
    shutil.rmtree(locked.root / "locks")
    registries.server.requests.clear()
    outcome = cli("lock").succeeded()
    assert debs(registries) == []
    assert f"taken from {channel.as_uri()}, not built here: `python-3.11" in outcome.err
    assert locked.locks() == before
    make(cli)
    assert debs(registries) == []


def test_a_first_lock_builds_what_the_channel_lacks(
    channel: Path, locked: Project, cli: Command, registries: Registries
) -> None:
    before = locked.locks()
    shutil.rmtree(locked.root / "locks")
    index = channel / "linux-64/repodata.json"
    index.write_text(json.dumps({"packages.conda": {}}))
    registries.server.requests.clear()
    cli("lock").succeeded()
    assert debs(registries)
    assert locked.locks() == before


def test_a_first_lock_refuses_another_archive_than_the_index_has(channel: Path, locked: Project, cli: Command) -> None:
    shutil.rmtree(locked.root / "locks")
    for archive in channel.glob("linux-64/python-*.conda"):
        archive.chmod(0o644)
        archive.write_bytes(archive.read_bytes()[:-1] + b"x")
    assert cli("lock").code == 5
    assert not locked.locks()


@pytest.mark.parametrize("field", ["depends", "constrains", "version"])
def test_a_first_lock_refuses_a_package_that_is_another_one(
    field: str, channel: Path, locked: Project, cli: Command, tmp_path: Path
) -> None:
    """The name of an archive has to fit what is in it, and that what the recipe says."""
    shutil.rmtree(locked.root / "locks")
    (archive,) = channel.glob("linux-64/python-3*.conda")
    package = tmp_path / "package"
    extract_conda(archive, package)
    index = json.loads((package / "info/index.json").read_text())
    index[field] = {"depends": [], "constrains": ["other"], "version": "9.9"}[field]
    (package / "info/index.json").write_text(json.dumps(index))
    archive.unlink()
    with archive.open("w+b") as out:
        made = write_conda(package, out, stem=archive.stem)
    listed = json.loads((channel / "linux-64/repodata.json").read_text())
    listed["packages.conda"][archive.name]["sha256"] = made.sha256
    (channel / "linux-64/repodata.json").write_text(json.dumps(listed))
    outcome = cli("lock")
    assert outcome.code == 5, outcome.err
    assert archive.name in outcome.err
    assert not locked.locks()


@pytest.mark.skipif(not (PROGRAM and SKOPEO), reason="docker-registry and skopeo (Debian packages) are not installed")
def test_a_first_lock_takes_what_a_registry_has(
    locked: Project, cli: Command, tmp_path: Path, registries: Registries
) -> None:
    before = locked.locks()
    with registry(tmp_path / "registry") as address:
        cli.variables["ENVGEN_CHANNEL"] = f"oci://{address}/team/channel"
        cli("publish", "--to", cli.variables["ENVGEN_CHANNEL"]).succeeded()
        cli.variables["ENVGEN_CACHE"] = str(tmp_path / "fresh")
        shutil.rmtree(locked.root / "locks")
        registries.server.requests.clear()
        cli("lock").succeeded()
    assert debs(registries) == []
    assert locked.locks() == before


def test_offline(locked: Project, registries: Registries, cli: Command, tmp_path: Path) -> None:
    refused = cli("build", "--offline")
    assert refused.code == 4
    assert "neither in the store nor in a bundle" in refused.err
    cli("build").succeeded()
    registries.server.requests.clear()
    cli("build", "--offline", "--channel", str(tmp_path / "channel")).succeeded()
    assert registries.server.requests == []
