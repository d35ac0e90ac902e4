"""The image of the whole stack under podman: however it is started, by whom, with or without a disk to write to.

`ENVGEN_FULL_IMAGE` names an image that podman has already; without it, one is made and loaded, which takes 25 GB.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.full.container import run, started

if TYPE_CHECKING:
    from pathlib import Path

    from tests.full.conftest import Stack

pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(not (shutil.which("podman") and shutil.which("ssh")), reason="needs podman and ssh"),
]

WAYS = {
    "as it is": (),
    "read-only": ("--read-only",),
    "another uid": ("--user", "12345:12345"),
    "another uid, read-only": ("--read-only", "--user", "12345:12345"),
}
COMPILE = """
import torch
model = torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.GELU()).eval()
data = torch.randn(4, 8)
with torch.no_grad():
    print(torch.allclose(model(data), torch.compile(model)(data), atol=1e-5))
"""
OPENCL = """
import ctypes
count = ctypes.c_uint()
assert ctypes.CDLL("libOpenCL.so.1").clGetPlatformIDs(0, None, ctypes.byref(count)) == 0
print(count.value)
"""


@pytest.fixture(scope="module")
def image(request: pytest.FixtureRequest) -> str:
    if name := os.environ.get("ENVGEN_FULL_IMAGE"):
        return name
    stack: Stack = request.getfixturevalue("stack")
    done = stack.envgen("image", "pt28-accel", "--platform", "linux-64", "--load", "podman")
    assert done.returncode == 0, done.stderr
    return "localhost/pt28-accel"


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("ssh") / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", file], check=True)
    return file


@pytest.mark.parametrize("options", WAYS.values(), ids=list(WAYS))
def test_services(image: str, key: Path, options: tuple[str, ...]) -> None:
    user = "12345" if "--user" in options else "user"  # podman calls an account that it makes by its number
    with started(image, *options, key=key) as container:
        token = container.token()
        assert container.jupyter(token) == 200
        assert container.jupyter("wrong") == container.jupyter("") == 403
        assert container.ssh(user, "echo", "$CONDA_PREFIX") == (0, "/opt/env\n")
        assert container.ssh(user, "python", "-c", "'import sys; print(sys.prefix)'") == (0, "/opt/env\n")
        assert container.ssh("root", "true")[0] == 255
        assert container.ssh(user, "true", key=False)[0] == 255
        assert container.ssh(user, "true", method="password")[0] == 255
        assert container.exec("python", "-c", "import sys; print(sys.prefix)") == "/opt/env\n"
        assert container.exec("ps", "-o", "args=", "-p", "1").startswith("/usr/bin/tini ")
        code, seconds = container.stop()
        assert code == 143
        assert seconds < 2.0


def test_keys_of_two_containers_differ(image: str, key: Path) -> None:
    with started(image, key=key) as one, started(image, key=key) as other:
        tokens = {container.token() for container in (one, other)}
        hosts = {container.exec("sh", "-c", "cat /tmp/entry.*/host_key.pub") for container in (one, other)}
    assert (len(tokens), len(hosts)) == (2, 2)


def test_orphans_are_reaped(image: str, key: Path) -> None:
    with started(image, key=key) as container:
        container.exec("bash", "-c", "(sleep 0.1 &) ; sleep 0.5")
        assert "Z" not in container.exec("ps", "-eo", "stat=")


@pytest.mark.parametrize("options", WAYS.values(), ids=list(WAYS))
def test_torch_and_ipex_are_there(image: str, options: tuple[str, ...]) -> None:
    code = "import torch, intel_extension_for_pytorch; print(torch.__version__)"
    assert run(image, "python", "-c", code, options=options) == "2.8.0+cu128\n"


@pytest.mark.parametrize("options", WAYS.values(), ids=list(WAYS))
def test_torch_compile(image: str, options: tuple[str, ...]) -> None:
    assert run(image, "python", "-c", COMPILE, options=options) == "True\n"


def test_an_unknown_uid_past_the_entrypoint(image: str) -> None:
    options = ("--user", "12345:12345", "--passwd=false", "--entrypoint", "python")
    assert run(image, "-c", COMPILE, options=options) == "True\n"


def test_opencl_has_the_cpu(image: str) -> None:
    assert run(image, "python", "-c", OPENCL) == "1\n"
