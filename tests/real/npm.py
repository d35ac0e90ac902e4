"""Packages of Node.js, installed below a folder of a test."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.home import MACHINE_HOME


def install(folder: Path, *packages: str) -> None:
    """Install packages, or skip the test."""
    if not (shutil.which("npm") and shutil.which("node")):
        pytest.skip("node and npm are not installed")
    (folder / "package.json").write_text('{"private": true}')
    done = subprocess.run(
        ["npm", "install", "--silent", "--no-audit", "--no-fund", *packages],
        cwd=folder,
        env={
            **os.environ,
            "HOME": str(folder),
            "npm_config_userconfig": str(Path(os.environ[MACHINE_HOME], ".npmrc")),
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"the packages of Node.js cannot be installed: {done.stderr[-200:]}")
