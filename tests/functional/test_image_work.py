"""An image to work in: a company's certificates, and the variables that programs find them by."""

from __future__ import annotations

import io
import json
import tarfile
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from tests.builders.system import base_debs

if TYPE_CHECKING:
    from tests.builders.registries import Registries
    from tests.command import Command, Project

SPEC = """\
python: "3.11"
platforms: {linux-64: {glibc: "2.36"}}
pypi: [spam ==1.0]
image:
  base: {suites: [bookworm, bookworm-security]}
  certificates: [company/ca.pem]
"""
BUNDLE = "etc/ssl/certs/ca-certificates.crt"


@pytest.fixture
def company(project: Project, registries: Registries, cli: Command) -> Project:
    registries.debian.add(*base_debs("amd64"))
    registries.publish()
    project.spec("demo", SPEC)
    cli("lock").succeeded()
    return project


def blobs(project: Project, told: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    """Return the configuration of an image, and its first layer."""
    folder = project.root / "dist/demo.oci/blobs/sha256"
    manifest = json.loads((folder / told["digest"][7:]).read_bytes())
    config = json.loads((folder / manifest["config"]["digest"][7:]).read_bytes())
    return config, (folder / manifest["layers"][0]["digest"][7:]).read_bytes()


def test_certificates_of_the_spec_are_trusted(company: Project, cli: Command) -> None:
    pem = trustme.CA().cert_pem.bytes()
    company.write("company/ca.pem", "a comment\n" + pem.decode())
    config, layer = blobs(company, cli("image", "--json").succeeded().json())
    with tarfile.open(fileobj=io.BytesIO(layer)) as tar:
        bundle = tar.extractfile(BUNDLE)
        assert bundle
        assert bundle.read().endswith(b"\n" + pem)
        assert "usr/local/share/ca-certificates/ca.crt" in tar.getnames()
    assert {f"SSL_CERT_FILE=/{BUNDLE}", f"REQUESTS_CA_BUNDLE=/{BUNDLE}"} <= set(config["config"]["Env"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "failed to read it: No such file or directory"),
        ("hello", "contains no certificate in PEM"),
        ("-----BEGIN CERTIFICATE-----\nbm9wZQ==\n-----END CERTIFICATE-----\n", "contains no certificate in PEM"),
        ("-----BEGIN RSA PRIVATE KEY-----\n", "contains a private key"),
    ],
)
def test_what_is_no_certificate_is_refused(company: Project, cli: Command, text: str | None, said: str) -> None:
    if text is not None:
        company.write("company/ca.pem", text)
    outcome = cli("image")
    assert outcome.code == 1
    assert f"environments/demo.yaml:7: `image.certificates`: `company/ca.pem` {said}" in outcome.err
    assert not (company.root / "dist").exists()
