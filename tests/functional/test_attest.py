"""`envgen publish --sign` and `envgen verify CHANNEL --key`: attestations of packages (CEP 27 and CEP 50)."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.builders.keys import write_keys
from tests.builders.registry import PROGRAM, SKOPEO, registry
from tests.functional.test_verify import found

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.builders.bucket import Bucket
    from tests.builders.registries import Registries
    from tests.command import Command, Project

KIND = "https://schemas.conda.org/attestations-publish-1.schema.json"


@pytest.fixture
def keys(tmp_path: Path) -> tuple[str, str]:
    private, public = write_keys(tmp_path)
    return str(private), str(public)


@pytest.fixture
def attested(locked: Project, cli: Command, tmp_path: Path, keys: tuple[str, str]) -> Path:
    """Publish `demo` with attestations."""
    told = cli("publish", "--to", str(tmp_path / "channel"), "--sign", keys[0], "--json").succeeded().json()
    assert {package["attested"] for package in told["packages"]} == {True}
    return tmp_path / "channel"


def statement(bundle: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(base64.b64decode(bundle["dsseEnvelope"]["payload"]))
    return found


def archive(channel: Path, name: str = "spam") -> Path:
    return next(channel.glob(f"*/{name}-*.conda"))


def sidecar(channel: Path, name: str = "spam") -> Path:
    path = archive(channel, name)
    return path.with_name(f"{path.name}.sigs")


def test_the_files_are_those_of_the_standard(attested: Path, cli: Command, keys: tuple[str, str]) -> None:
    path, raw = archive(attested), sidecar(attested).read_bytes()
    (bundle,) = json.loads(raw)
    assert statement(bundle) == {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": path.name, "digest": {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()}}],
        "predicateType": KIND,
    }
    digest = hashlib.sha256(raw).hexdigest()
    assert path.with_name(f"{path.name}.sigs.{digest}").read_bytes() == raw
    index = json.loads((path.parent / "repodata.json").read_text())
    assert index["packages.conda"][path.name]["attestations_sha256"] == digest
    told = cli("verify", str(attested), "--key", keys[1]).succeeded()
    assert "attested by the key: no difference" in told.err


def test_signing_again_changes_nothing(attested: Path, cli: Command, keys: tuple[str, str]) -> None:
    before = {path: path.read_bytes() for path in attested.rglob("*.sigs*")}
    cli("publish", "--to", str(attested), "--sign", keys[0]).succeeded()
    assert {path: path.read_bytes() for path in attested.rglob("*.sigs*")} == before


def test_what_was_published_before_is_attested_later_by_several(
    locked: Project, cli: Command, tmp_path: Path, keys: tuple[str, str]
) -> None:
    """The index learns of it, and what was there stays byte for byte (CEP 50)."""
    channel, second = tmp_path / "channel", write_keys(tmp_path, "second", number=9)
    cli("publish", "--to", str(channel)).succeeded()
    assert {kind for kind, _ in found(cli("verify", str(channel), "--key", keys[1], "--json"))} == {"signature"}
    cli("publish", "--to", str(channel), "--sign", keys[0]).succeeded()
    first = sidecar(channel).read_bytes()
    cli("publish", "--to", str(channel), "--sign", str(second[0])).succeeded()
    assert sidecar(channel).read_bytes().startswith(first[:-1] + b",")
    for public in (keys[1], str(second[1])):
        cli("verify", str(channel), "--key", public, "--quick").succeeded()
    stranger = str(write_keys(tmp_path, "stranger", number=8)[1])
    told = cli("verify", str(channel), "--key", stranger)
    assert (told.code, "no attestation by this key: it was not signed by this key" in told.out) == (5, True)


def flip(bundle: dict[str, Any]) -> None:
    content = bytearray(base64.b64decode(bundle["dsseEnvelope"]["payload"]))
    content[-3] ^= 1
    bundle["dsseEnvelope"]["payload"] = base64.b64encode(bytes(content)).decode()


def empty(bundle: dict[str, Any]) -> None:
    bundle.clear()


@pytest.mark.parametrize("change", [flip, empty])
def test_a_changed_attestation(
    change: Callable[[dict[str, Any]], None], attested: Path, cli: Command, keys: tuple[str, str]
) -> None:
    bundles = json.loads(sidecar(attested).read_text())
    change(bundles[0])
    replace_sidecar(attested, json.dumps(bundles).encode())
    outcome = cli("verify", str(attested), "--key", keys[1], "--json")
    assert [kind for kind, where in found(outcome) if "/spam-" in where] == ["signature"]
    assert len(found(outcome)) == 1


def test_a_replayed_attestation(attested: Path, cli: Command, keys: tuple[str, str]) -> None:
    """That of another package is none of this one."""
    replace_sidecar(attested, sidecar(attested, "eggs").read_bytes())
    outcome = cli("verify", str(attested), "--key", keys[1])
    assert (outcome.code, "it is about `eggs-" in outcome.out) == (5, True)


@pytest.mark.parametrize("raw", [b"{}", b"[", b"[" * 5000, b'["\\ud800"]', b"", b"x" * (5 << 20)])
def test_attestations_that_cannot_be_read(raw: bytes, attested: Path, cli: Command, keys: tuple[str, str]) -> None:
    """Neither is one verified, nor is it replaced."""
    replace_sidecar(attested, raw)
    assert [kind for kind, _ in found(cli("verify", str(attested), "--key", keys[1], "--json"))] == ["signature"]
    outcome = cli("publish", "--to", str(attested), "--sign", keys[0])
    assert (outcome.code, "cannot be read" in outcome.err) == (5, True)
    assert sidecar(attested).read_bytes() == raw


def replace_sidecar(channel: Path, raw: bytes) -> None:
    """Replace the attestations of spam, and what the index says of them."""
    path, old = archive(channel), hashlib.sha256(sidecar(channel).read_bytes()).hexdigest()
    new = hashlib.sha256(raw).hexdigest()
    sidecar(channel).write_bytes(raw)
    path.with_name(f"{path.name}.sigs.{new}").write_bytes(raw)
    index = path.parent / "repodata.json"
    index.write_text(index.read_text().replace(old, new))


@pytest.mark.parametrize("stated", ["0" * 64, "../../x", 5])
def test_an_index_that_states_other_attestations(
    stated: object, attested: Path, cli: Command, keys: tuple[str, str]
) -> None:
    index = archive(attested).parent / "repodata.json"
    document = json.loads(index.read_text())
    document["packages.conda"][archive(attested).name]["attestations_sha256"] = stated
    index.write_text(json.dumps(document))
    outcome = cli("verify", str(attested), "--key", keys[1], "--quick", "--json")
    assert [kind for kind, _ in found(outcome)] == ["signature"]


def test_a_channel_on_a_server(attested: Path, registries: Registries, cli: Command, keys: tuple[str, str]) -> None:
    files = {path.relative_to(attested).as_posix(): path.read_bytes() for path in attested.rglob("*") if path.is_file()}
    registries.server.content = {f"/team/{name}": data for name, data in files.items()}
    address = f"{registries.server.url}/team"
    cli("verify", address, "--key", keys[1], "--quick").succeeded()
    name = sidecar(attested).relative_to(attested).as_posix()
    del registries.server.content[f"/team/{name}.{hashlib.sha256(files[name]).hexdigest()}"]
    outcome = cli("verify", address, "--key", keys[1], "--quick")
    assert (outcome.code, "which the index names, are missing" in outcome.out) == (5, True)


def test_a_bad_key_is_refused_before_anything_is_sent(locked: Project, cli: Command, tmp_path: Path) -> None:
    assert cli("publish", "--to", str(tmp_path / "channel"), "--sign", "nowhere.pem").code == 1
    assert not (tmp_path / "channel").exists()
    assert cli("verify", "demo", "--key", "nowhere.pub").code == 2


@pytest.mark.filterwarnings("ignore")
def test_a_bucket(
    locked: Project,
    cli: Command,
    bucket: Bucket,
    tmp_path: Path,
    keys: tuple[str, str],
) -> None:
    second = write_keys(tmp_path, "second", number=9)
    for key in (keys[0], str(second[0]), keys[0]):
        cli("publish", "--to", "s3://team/channel", "--sign", key).succeeded()
    every = [entry["Key"] for entry in bucket.client.list_objects_v2(Bucket="team")["Contents"]]
    name = next(key for key in every if "/spam-" in key and key.endswith(".sigs"))
    bundles = json.loads(bucket.client.get_object(Bucket="team", Key=name)["Body"].read())
    assert [statement(one)["predicateType"] for one in bundles] == [KIND, KIND]
    for public in (keys[1], str(second[1])):
        cli("verify", "s3://team/channel", "--key", public).succeeded()
    bucket.client.delete_object(Bucket="team", Key=name)
    outcome = cli("verify", "s3://team/channel", "--key", keys[1])
    assert (outcome.code, "there is none" in outcome.out) == (5, True)


@pytest.mark.skipif(not (PROGRAM and SKOPEO), reason="docker-registry and skopeo (Debian packages) are not installed")
def test_a_registry(locked: Project, cli: Command, tmp_path: Path, keys: tuple[str, str]) -> None:
    with registry(tmp_path / "registry") as address:
        channel = f"oci://{address}/team/channel"
        cli("publish", "--to", channel).succeeded()
        assert cli("verify", channel, "--key", keys[1]).code == 5
        told = cli("publish", "--to", channel, "--sign", keys[0]).succeeded()
        assert told.err.count("without its type") <= 1
        cli("verify", channel, "--key", keys[1]).succeeded()
        cli("publish", "--to", f"oci://{address}/other/channel", "--sign", keys[0]).succeeded()
        stranger = write_keys(tmp_path, "stranger", number=8)[1]
        assert cli("verify", channel, "--key", str(stranger)).code == 5
