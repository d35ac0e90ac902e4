"""No secret of the machine that makes an image is in it: every byte of the layout is searched, packed and unpacked."""

from __future__ import annotations

import base64
import gzip
from typing import TYPE_CHECKING

import pytest

from tests.builders.system import base_debs

if TYPE_CHECKING:
    from pathlib import Path

    from tests.builders.registries import Registries
    from tests.command import Command, Project

SPEC = """\
python: "3.11"
platforms: {linux-64: {glibc: "2.36"}}
pypi: [spam ==1.0, eggs <2]
image:
  base: {suites: [bookworm, bookworm-security]}
  services: {jupyter: , ssh: }
  environment: {DATA: "${home}/data"}
"""
USER, PASSWORD, TOKEN, NETRC = "planted-user", "planted-password", "planted-token", "planted-netrc"
BASIC = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
VARIABLES = {
    name: f"{TOKEN}-{name}" for name in ("JUPYTER_TOKEN", "HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "SSH_AUTHORIZED_KEYS")
}
SECRETS = [USER, PASSWORD, TOKEN, NETRC, BASIC]


def everything(layout: Path) -> dict[str, bytes]:
    """Read every file of a layout; what is packed is unpacked beside it."""
    found = {}
    for path in sorted(layout.rglob("*")):
        if path.is_file():
            data = path.read_bytes()
            found[path.name] = data
            if data[:2] == b"\x1f\x8b":
                found[f"{path.name}, unpacked"] = gzip.decompress(data)
    return found


@pytest.fixture
def layout(project: Project, registries: Registries, cli: Command) -> Path:
    """Make an image with credentials all around."""
    registries.debian.add(*base_debs("amd64"))
    registries.publish()
    project.spec("demo", SPEC)
    for variable in ("ENVGEN_PYPI", "ENVGEN_DEBIAN", "ENVGEN_DEBIAN_SECURITY"):
        cli.variables[variable] = cli.variables[variable].replace("://", f"://{USER}:{PASSWORD}@")
    (cli.directory.parent / "netrc").write_text(f"machine 127.0.0.1 login me password {NETRC}\n")
    (cli.directory.parent / "netrc").chmod(0o600)
    cli.variables |= {**VARIABLES, "NETRC": str(cli.directory.parent / "netrc")}
    for outcome in (cli("lock").succeeded(), cli("image").succeeded()):
        assert not [secret for secret in SECRETS if secret in outcome.out + outcome.err]
    return project.root / "dist" / "demo.oci"


def test_no_secret_is_in_any_byte(layout: Path) -> None:
    found = everything(layout)
    assert any(name.endswith("unpacked") for name in found)
    hits = [(name, secret) for name, data in found.items() for secret in SECRETS if secret.encode() in data]
    assert hits == []


def test_the_search_would_find_them(layout: Path) -> None:
    found = b"".join(everything(layout).values())
    assert b"DATA=/home/user/data" in found
    assert b"spam with eggs" in found
    assert b"PermitRootLogin no" in found


@pytest.mark.parametrize("text", ["PRIVATE KEY", "host_key\x00"])
def test_no_key_is_in_any_byte(layout: Path, text: str) -> None:
    assert not [name for name, data in everything(layout).items() if text.encode() in data]


def test_no_path_of_the_builder_is_in_any_byte(layout: Path, cli: Command) -> None:
    folders = [str(layout.parent.parent), cli.variables["HOME"], cli.variables["ENVGEN_CACHE"]]
    hits = [
        (name, folder) for name, data in everything(layout).items() for folder in folders if folder.encode() in data
    ]
    assert hits == []
