"""The image for aarch64, made on a machine that is none: its own Python, emulated, with its own libraries.

`ENVGEN_FULL_LAYOUT_AARCH64` names a layout that is there already; without it, one is made.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.full.conftest import Stack

EMULATOR = shutil.which("qemu-aarch64") or shutil.which("qemu-aarch64-static")

pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(not EMULATOR, reason="qemu-aarch64 (Debian: qemu-user) is not installed"),
    pytest.mark.skipif(not shutil.which("umoci"), reason="umoci is not installed"),
]

STANDARD = """
import ctypes, platform, sqlite3, ssl, sys, zlib
context = ssl.create_default_context()
print(platform.machine(), sys.prefix, sys.version_info[:2], len(context.get_ca_certs()) > 100)
"""
NUMPY = """
import numpy
print(float((numpy.eye(64) @ numpy.ones((64, 64))).sum()))
"""


@pytest.fixture(scope="module")
def root(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Unpack the image and return its root."""
    folder = tmp_path_factory.mktemp("aarch64")
    layout = os.environ.get("ENVGEN_FULL_LAYOUT_AARCH64")
    if not layout:
        stack: Stack = request.getfixturevalue("stack")
        layout = str(folder / "layout")
        done = stack.envgen("image", "pt28-accel", "--platform", "linux-aarch64", "--output", layout)
        assert done.returncode == 0, done.stderr
    bundle = folder / "bundle"
    rootless = () if os.geteuid() == 0 else ("--rootless",)
    subprocess.run(["umoci", "unpack", *rootless, "--image", layout, bundle], check=True)
    return bundle / "rootfs"


def python(root: Path, code: str) -> str:
    """Run code in the image's Python; where the image has a path, the emulator takes it instead of the machine's."""
    interpreter = root / "opt/env/bin/python"
    words = ("-L", root, "-0", "/opt/env/bin/python", interpreter.resolve(), "-I", "-c", code)
    command = [str(EMULATOR), *map(str, words)]
    done = subprocess.run(command, env={"LANG": "C.UTF-8"}, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_standard_library(root: Path) -> None:
    assert python(root, STANDARD) == "aarch64 /opt/env (3, 11) True\n"


def test_numpy(root: Path) -> None:
    assert python(root, NUMPY) == "4096.0\n"


def test_compiled_files_are_taken(root: Path) -> None:
    told = python(root, "import numpy; print(numpy.__cached__, numpy.__spec__.cached is not None)")
    cached = told.split()[0]
    assert (root / cached.lstrip("/")).is_file()
