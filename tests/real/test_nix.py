"""An environment and an image that Nix builds with envgen, from a bundle, in a store of the test's own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.home import MACHINE_HOME

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not shutil.which("nix-build"), reason="nix is not installed"),
]
BASE = """\
name: base
python: "3.11"
platforms: {linux-64: {glibc: "2.36"}, linux-aarch64: {glibc: "2.36"}}
"""
SPEC = """\
name: demo
extends: base
dependencies: [python]
pypi: [click]
image: {base: {packages: []}}
"""
CONF = "build-users-group =\nsubstituters =\nsandbox = {sandbox}\nconnect-timeout = 2\ndownload-attempts = 1\n"


def run(*command: str | Path, folder: Path, **variables: str) -> str:
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "HOME": os.environ[MACHINE_HOME], **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout.strip()


@pytest.mark.parametrize("sandbox", ["false", "true"])
def test_nix_builds_what_envgen_makes(tmp_path: Path, sandbox: str) -> None:
    (tmp_path / "environments").mkdir()
    (tmp_path / "environments/demo.yaml").write_text(SPEC)
    (tmp_path / "environments/base.yaml").write_text(BASE)
    places = {"NIX_STORE_DIR": "store", "NIX_STATE_DIR": "state", "NIX_LOG_DIR": "log", "NIX_CONF_DIR": "conf"}
    nix = {name: str(tmp_path / "nix" / place) for name, place in places.items()}
    (tmp_path / "nix/conf").mkdir(parents=True)
    (tmp_path / "nix/conf/nix.conf").write_text(CONF.format(sandbox=sandbox))

    def envgen(*arguments: str) -> str:
        variables = {"ENVGEN_CACHE": str(tmp_path / "cache"), "NIX_STORE_DIR": nix["NIX_STORE_DIR"]}
        return run(sys.executable, "-m", "envgen", *arguments, folder=tmp_path, **variables)

    def build(attribute: str) -> Path:
        mirror = (tmp_path / "bundle/blobs").as_uri()
        files = f"{tmp_path}/bundle {tmp_path}/nars"  # of the machine, nothing else is visible in the sandbox
        options = ("--option", "hashed-mirrors", mirror, "--option", "extra-sandbox-paths", files, "--no-out-link")
        home = str(tmp_path / "home")
        command = ("nix-build", "demo.nix", "-A", f"x86_64-linux.{attribute}", *options)
        return Path(run(*command, folder=tmp_path, HOME=home, **nix))

    envgen("lock", "demo")
    envgen("bundle", "demo", "--no-tools", "--output", "bundle/")
    envgen("export", "nix", "demo", "--platform", "linux-64", "--nars", "nars", "--output", "demo.nix")
    envgen("image", "demo", "--platform", "linux-64", "--output", "image")
    image, prefix = build("image"), build("envAt")
    assert (image / "index.json").read_bytes() == (tmp_path / "image/index.json").read_bytes()
    where = run(prefix / "bin/python", "-c", "import click; print(click.__file__)", folder=tmp_path)
    assert where.startswith(str(prefix))
    for built in (image, prefix):
        envgen("verify", str(built), "--env", "demo")
