"""`envgen export nix`, built by Nix in a store of the test's own: no daemon, no nixpkgs, no network."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from envgen.digest import Sha256

if TYPE_CHECKING:
    from tests.builders.registries import Registries
    from tests.command import Command, Project

NIX = shutil.which("nix-build")

pytestmark = pytest.mark.skipif(NIX is None, reason="nix is not installed")

CONF = """\
build-users-group =
substituters =
sandbox = false
experimental-features = nix-command flakes
connect-timeout = 2
download-attempts = 1
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Nix:
    """Nix with a store below a folder."""

    folder: Path

    @property
    def variables(self) -> dict[str, str]:
        """What keeps it out of the machine's store and settings."""
        places = {
            "NIX_STORE_DIR": "store", "NIX_STATE_DIR": "state", "NIX_LOG_DIR": "log", "NIX_CONF_DIR": "conf",
            "NIX_LOCALSTATE_DIR": "local", "HOME": "home", "XDG_CACHE_HOME": "home/cache",
        }  # fmt: skip
        return {name: str(self.folder / place) for name, place in places.items()} | {"PATH": "/usr/bin:/bin"}

    def __call__(self, *command: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a command of Nix."""
        return subprocess.run(
            command, capture_output=True, text=True, check=False, env=self.variables, cwd=self.folder, timeout=60
        )


@pytest.fixture
def nix(tmp_path: Path) -> Nix:
    """Make an empty store."""
    for name in ("conf", "home"):
        (tmp_path / "nix" / name).mkdir(parents=True)
    (tmp_path / "nix/conf/nix.conf").write_text(CONF)
    return Nix(folder=tmp_path / "nix")


@pytest.fixture
def expression(locked: Project, cli: Command, tmp_path: Path) -> Path:
    """Export the environment `demo`."""
    file = tmp_path / "demo.nix"
    cli("export", "nix", "--output", str(file)).succeeded()
    return file


@pytest.fixture
def blobs(locked: Project, cli: Command, tmp_path: Path) -> Path:
    """Bundle `demo` as a folder."""
    cli("bundle", "--no-tools", "--output", f"{tmp_path}/bundle/").succeeded()
    return tmp_path / "bundle/blobs"


def artifacts(expression: Path) -> list[str | Path]:
    return ["nix-build", expression, "--no-out-link", "-A", "x86_64-linux.artifacts"]


def digests(done: subprocess.CompletedProcess[str]) -> set[Sha256]:
    assert done.returncode == 0, done.stderr
    return {Sha256.of(Path(line).read_bytes()) for line in done.stdout.split()}


def test_a_bundle_serves_every_file(nix: Nix, expression: Path, blobs: Path, registries: Registries) -> None:
    registries.server.content = {}
    done = nix(*artifacts(expression), "--option", "hashed-mirrors", blobs.as_uri())
    found = digests(done)
    assert len(found) > 3
    assert {"spam-1.0-py3-none-any.whl", "eggs-1.1-py3-none-any.whl"} <= {
        line.rpartition("/")[2].partition("-")[2] for line in done.stdout.split()
    }
    assert any(line.endswith(".deb") for line in done.stdout.split())
    assert {str(digest) for digest in found} <= {path.name for path in (blobs / "sha256").iterdir()}


def test_addresses_serve_without_a_bundle(nix: Nix, expression: Path) -> None:
    assert len(digests(nix(*artifacts(expression)))) > 3


def test_a_bundle_that_lacks_a_file(nix: Nix, expression: Path, blobs: Path, registries: Registries) -> None:
    registries.server.content = {}
    lost = next(path for path in (blobs / "sha256").iterdir() if path.read_bytes()[:2] == b"PK")
    lost.unlink()
    done = nix(*artifacts(expression), "--option", "hashed-mirrors", blobs.as_uri())
    assert done.returncode != 0
    assert "unable to download" in done.stderr


def test_a_damaged_file_is_refused(nix: Nix, expression: Path, blobs: Path) -> None:
    for path in (blobs / "sha256").iterdir():
        if path.read_bytes()[:2] == b"PK":
            path.chmod(0o644)
            path.unlink()
            path.write_bytes(b"changed")
    done = nix(*artifacts(expression), "--option", "hashed-mirrors", blobs.as_uri())
    assert done.returncode != 0
    assert "hash mismatch in fixed-output derivation" in done.stderr
