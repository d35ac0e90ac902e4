"""`envgen verify` of bundles and channels."""

from __future__ import annotations

import json
import shutil
import tarfile
from typing import TYPE_CHECKING

import pytest

from tests.builders.keys import write_keys
from tests.functional.test_verify import found

if TYPE_CHECKING:
    from pathlib import Path

    from tests.builders.registries import Registries
    from tests.command import Command, Project


@pytest.fixture
def bundle(locked: Project, cli: Command, tmp_path: Path) -> Path:
    """Bundle `demo` without envgen itself."""
    file = tmp_path / "demo.tar"
    cli("bundle", "--no-tools", "--output", str(file)).succeeded()
    return file


@pytest.fixture
def channel(locked: Project, cli: Command, tmp_path: Path) -> Path:
    """Publish `demo`."""
    cli("publish", "demo", "--to", str(tmp_path / "channel")).succeeded()
    return tmp_path / "channel"


def test_a_sound_bundle(bundle: Path, locked: Project, cli: Command, tmp_path: Path) -> None:
    told = cli("verify", str(bundle)).succeeded()
    assert f"comparing the bundle `{bundle}`" in told.err
    assert "every byte: no difference" in told.err
    assert "contents were not read" in cli("verify", str(bundle), "--quick").succeeded().err
    with tarfile.open(bundle) as tar:
        tar.extractall(tmp_path / "folder", filter="data")
    cli("verify", str(tmp_path / "folder")).succeeded()


def test_a_signature_that_was_made_after_the_bundle_is_not_a_difference(
    bundle: Path, cli: Command, tmp_path: Path
) -> None:
    private, public = write_keys(tmp_path)
    cli("sign", "demo", str(private)).succeeded()
    assert "only the project has the signature `locks/demo.linux-64." in cli("verify", str(bundle)).succeeded().err
    cli("bundle", "--no-tools", "--output", f"{tmp_path}/signed.tar").succeeded()
    cli("sign", "demo", str(write_keys(tmp_path, "other", number=8)[0])).succeeded()
    cli("verify", f"{tmp_path}/signed.tar").succeeded()
    refused = cli("verify", "demo", "--key", str(public))
    assert (refused.code, "an environment" in refused.err) == (2, True)


def test_a_byte_of_a_bundle(bundle: Path, cli: Command, tmp_path: Path) -> None:
    with tarfile.open(bundle) as tar:
        tar.extractall(tmp_path / "folder", filter="data")
    blobs = sorted((tmp_path / "folder/blobs/sha256").iterdir(), key=lambda path: path.stat().st_size)
    wheel = next(path for path in blobs if path.read_bytes()[:2] == b"PK")
    data = wheel.read_bytes()
    wheel.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    outcome = cli("verify", str(tmp_path / "folder"), "--json")
    assert outcome.code == 5
    assert [(kind, where.partition("/")[0]) for kind, where in found(outcome)] == [("damage", "wheels")]
    (tmp_path / "folder/blobs/sha256" / ("0" * 64)).touch()
    assert "1 blobs are in no manifest" in cli("verify", str(tmp_path / "folder")).err


def test_the_committed_lock_counts(bundle: Path, channel: Path, locked: Project, cli: Command) -> None:
    locked.spec(
        "demo",
        (locked.root / "environments/demo.yaml")
        .read_text()
        .replace("name: demo\n", "")
        .replace("eggs <2", "eggs ==1.0"),
    )
    cli("lock").succeeded()
    assert {
        ("changed", "environments/demo.yaml"),
        ("changed", "locks/demo.linux-64.conda-lock.yml"),
        ("foreign", "wheels/eggs-1.1-py3-none-any.whl"),
        ("missing", "wheels/eggs-1.0-py3-none-any.whl"),
    } == set(found(cli("verify", str(bundle), "--json")))
    cli("create").succeeded()
    ((kind, where),) = found(cli("verify", str(channel), "--json"))
    assert (kind, where.rpartition("/")[2].startswith("eggs-1.0-")) == ("missing", True)


def test_a_channel(channel: Path, cli: Command, tmp_path: Path) -> None:
    assert "every byte of their archives: no difference" in cli("verify", str(channel)).succeeded().err
    cli("verify", channel.as_uri(), "--quick").succeeded()
    archive = next(channel.glob("*/spam-*.conda"))
    where = archive.relative_to(channel).as_posix()
    edited = shutil.copytree(channel, tmp_path / "edited")
    (edited / where).write_bytes(archive.read_bytes()[:-1] + b"?")
    cli("verify", str(edited), "--quick").succeeded()
    assert found(cli("verify", str(edited), "--json")) == [("changed", where)]
    index = edited / archive.parent.name / "repodata.json"
    document = json.loads(index.read_text())
    document["packages.conda"][archive.name]["sha256"] = "0" * 64
    index.write_text(json.dumps(document))
    assert found(cli("verify", str(edited), "--quick", "--json")) == [("changed", where)]
    (edited / where).unlink()
    del document["packages.conda"][archive.name]
    index.write_text(json.dumps(document))
    assert found(cli("verify", str(edited), "--json")) == [("missing", where)]


def test_without_packages_the_digests_of_archives_are_not_known(channel: Path, cli: Command, tmp_path: Path) -> None:
    told = cli("verify", str(channel), ENVGEN_CACHE=str(tmp_path / "empty")).succeeded()
    assert "not proven: 2 wheels are not in the cache as packages" in told.err


def test_a_channel_on_a_server(channel: Path, registries: Registries, cli: Command) -> None:
    files = {path.relative_to(channel).as_posix(): path.read_bytes() for path in channel.rglob("*") if path.is_file()}
    served = {f"/published/{name}": data for name, data in files.items()}
    registries.server.content = served
    address = f"{registries.server.url}/published"
    assert "no difference" in cli("verify", address).succeeded().err
    name = next(name for name in files if "/spam-" in name)
    served[f"/published/{name}"] = files[name][:-1] + b"?"
    cli("verify", address, "--quick").succeeded()
    assert found(cli("verify", address, "--json")) == [("changed", name)]


def test_what_cannot_be_read(locked: Project, cli: Command, tmp_path: Path) -> None:
    (tmp_path / "odd.tar").write_bytes(b"odd")
    outcome = cli("verify", str(tmp_path / "odd.tar"))
    assert (outcome.code, "it is not a tar" in outcome.err) == (5, True)
    (tmp_path / "channel/noarch").mkdir(parents=True)
    (tmp_path / "channel/noarch/repodata.json").write_text("[]")
    assert "cannot be read" in cli("verify", str(tmp_path / "channel")).err
