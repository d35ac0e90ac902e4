"""`envgen sign`, `envgen verify` and `envgen image --sign`, against a registry on loopback."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.builders.keys import write_cosign_key, write_keys
from tests.builders.registry import PROGRAM, SKOPEO, registry
from tests.builders.system import base_debs
from tests.functional.test_image import SPEC

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.builders.registries import Registries
    from tests.command import Command, Project

pytestmark = pytest.mark.skipif(
    not (PROGRAM and SKOPEO), reason="docker-registry and skopeo (Debian packages) are not installed"
)
PASSWORD = "swordfish"  # noqa: S105  a test's


@pytest.fixture
def imaged(project: Project, registries: Registries, cli: Command) -> Project:
    """Lock an environment with an image."""
    for architecture in ("amd64", "arm64"):
        registries.debian.add(*base_debs(architecture))
    registries.publish()
    project.spec("demo", SPEC)
    cli("lock").succeeded()
    return project


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    with registry(tmp_path / "registry") as found:
        yield f"{found}/team/demo:1"


def test_a_pushed_image_is_signed_with_provenance_and_sbom(
    imaged: Project, cli: Command, address: str, tmp_path: Path
) -> None:
    private, public = write_keys(tmp_path)
    told = cli("image", "--push", address, "--sign", str(private), "--json").succeeded().json()
    digest = f"sha256:{told['digest'].removeprefix('sha256:')}"
    found = cli("verify", address, "--key", str(public), "--attestations", "--json", cwd=tmp_path).succeeded().json()
    assert found["digest"] == digest
    assert found["forms"] == ["bundle", "tag"]
    assert len(found["manifests"]) == 3  # the index and two platforms
    kinds = [found["attestations"][one] for one in found["manifests"][1:]]
    assert kinds == [["https://cyclonedx.org/bom", "https://slsa.dev/provenance/v1"]] * 2


def test_signing_later_and_by_an_encrypted_key(imaged: Project, cli: Command, address: str, tmp_path: Path) -> None:
    cli("image", "--platform", "linux-64", "--push", address).succeeded()
    key, (_, public) = write_cosign_key(tmp_path, password=PASSWORD), write_keys(tmp_path)
    refused = cli("sign", address, str(key))
    assert (refused.code, "is encrypted" in refused.err) == (1, True)
    unsigned = cli("verify", address, "--key", str(public))
    assert (unsigned.code, "nothing is signed" in unsigned.err) == (5, True)
    done = cli("sign", address, str(key), ENVGEN_KEY_PASSWORD=PASSWORD).succeeded()
    assert done.out.startswith("signed sha256:")
    assert PASSWORD not in done.out + done.err
    assert "signed" in cli("verify", address, "--key", str(public)).succeeded().out
    lacking = cli("verify", address, "--key", str(public), "--attestations")
    assert (lacking.code, "lacks signed provenance" in lacking.err) == (5, True)
    stranger = cli("verify", address, "--key", str(write_keys(tmp_path, "stranger", number=8)[1]))
    assert (stranger.code, "not signed by this key" in stranger.err) == (5, True)


def test_a_bad_key_is_refused_before_anything_is_made(imaged: Project, cli: Command, address: str) -> None:
    done = cli("image", "--push", address, "--sign", "nowhere.pem")
    assert (done.code, "`nowhere.pem`" in done.err or "nowhere.pem" in done.err) == (1, True)
    assert not (imaged.root / "dist").exists()


def test_signing_without_a_push_is_refused(imaged: Project, cli: Command, tmp_path: Path) -> None:
    done = cli("image", "--sign", str(write_keys(tmp_path)[0]))
    assert (done.code, "`--sign` needs `--push`" in done.err) == (2, True)


def test_what_is_missing_is_told(cli: Command, project: Project, address: str, tmp_path: Path) -> None:
    private, public = write_keys(tmp_path)
    missing = cli("sign", address, str(private))
    assert (missing.code, "there is no image" in missing.err) == (1, True)
    assert cli("verify", "torch", "--key", str(public)).code == 1
    assert cli("verify", address, "--attestations").code == 2
    swapped = cli("verify", address, "--key", str(private))
    assert (swapped.code, "is not a public key" in swapped.err) == (1, True)


def test_keys_are_in_no_output_and_no_process(imaged: Project, cli: Command, address: str, tmp_path: Path) -> None:
    key = write_cosign_key(tmp_path, password=PASSWORD)
    cli("image", "--platform", "linux-64", "--push", address).succeeded()
    done = cli.process("sign", address, str(key), ENVGEN_KEY_PASSWORD=PASSWORD, PATH=os.environ["PATH"])
    assert done.code == 0, done.err
    assert PASSWORD not in done.out + done.err
