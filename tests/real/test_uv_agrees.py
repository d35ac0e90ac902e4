"""uv as the oracle: for specs without conda channels both choose the same versions, on the real index."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import subprocess
import sysconfig
from pathlib import Path

import pypi_simple
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from envgen.manifest.parse import parse_spec
from envgen.names import CondaName, NameTable, project_name
from envgen.packages import Wheel
from envgen.platforms import Platform, PythonMinor, Target
from envgen.solve.engine import solve
from envgen.solve.task import SolveTask
from envgen.sources.pypi import WheelIndex
from envgen.system.http import Http
from envgen.system.store import Store
from tests.command import REPOSITORY
from tests.unit.solve.fakes import PYTHON

pytestmark = pytest.mark.real

CUTOFF = dt.datetime(2026, 11, 22, tzinfo=dt.UTC)
"""The same for both, so that what is published tomorrow cannot come between them."""

FULL_PYTHON = "3.11.2"

STACK = parse_spec((REPOSITORY / "environments/pt28-accel.yaml").read_text(), source="environments/pt28-accel.yaml")

SPECS = {
    "pt28-accel": [str(requirement) for requirement in STACK.pypi],
    "science": ["scikit-learn", "pandas"],
    "web": ["fastapi[standard]"],
    "language models": ["transformers", "datasets"],
    "old pins": ["black <24", "pytest <8", "requests <2.30", "flask <2.3", "boto3 <1.30", "aiohttp <3.9"],
    # protobuf, grpcio-status and the oneAPI runtimes: the newest of each do not go together
    "conflicts": ["google-cloud-aiplatform", "apache-beam", "tensorflow <2.18", "streamlit <1.30"],
    "oneapi": ["oneccl ==2021.15.2", "dpcpp-cpp-rt", "mkl"],
    # 13.3.5.0.6, a version with an inner zero
    "inner zero": ["nvidia-cuda-cccl"],
}


@pytest.mark.parametrize("name", SPECS)
def test_same_versions_on_x86(name: str, tmp_path: Path) -> None:
    assert ours(SPECS[name], "linux-64", tmp_path) == theirs(SPECS[name], "x86_64-manylinux_2_36")


@pytest.mark.parametrize("name", ["pt28-accel", "science", "web"])
def test_same_versions_on_arm(name: str, tmp_path: Path) -> None:
    assert ours(SPECS[name], "linux-aarch64", tmp_path) == theirs(SPECS[name], "aarch64-manylinux_2_36")


def ours(requirements: list[str], platform: str, folder: Path) -> dict[str, str]:
    http = Http(environment=os.environ)
    index = WheelIndex(http=http, store=Store(folder), base_url=pypi_simple.PYPI_SIMPLE_ENDPOINT)
    task = SolveTask(
        target=Target(platform=Platform(platform), python=PythonMinor(3, 11), glibc=(2, 36)),
        pypi=tuple(map(Requirement, requirements)),
        names=NameTable(renamed={project_name("torch"): CondaName("pytorch")}),
        recipes=PYTHON,
        wheels=index,
        exclude_newer=CUTOFF,
    )
    try:
        origins = [record.origin for record in asyncio.run(solve(task)).records]
    finally:
        index.close()
    return {origin.project: origin.version for origin in origins if isinstance(origin, Wheel)}


def theirs(requirements: list[str], platform: str) -> dict[str, str]:
    options = ["--python-version", FULL_PYTHON, "--python-platform", platform, "--only-binary", ":all:"]
    output = subprocess.run(
        [
            Path(sysconfig.get_path("scripts")) / "uv",
            *("pip", "compile", "-", "--quiet", "--no-header", "--no-annotate", "--no-config", *options),
            *("--exclude-newer", CUTOFF.isoformat(), "--default-index", pypi_simple.PYPI_SIMPLE_ENDPOINT),
        ],
        input="\n".join(requirements),
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    ).stdout
    pins = [Requirement(line) for line in output.splitlines()]
    return {canonicalize_name(pin.name): str(pin.specifier).removeprefix("==") for pin in pins}
