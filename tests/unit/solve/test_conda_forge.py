"""Real records of conda-forge around PyTorch 2.8, served over loopback; they are not part of the repository."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import zstandard
from packaging.requirements import Requirement

from envgen.names import CondaName, NameTable, project_name
from envgen.packages import ChannelArchive, Wheel
from envgen.platforms import Platform, PythonMinor, Target
from envgen.solve.engine import solve
from envgen.solve.task import SolveTask
from envgen.sources.conda import ChannelSource
from tests.builders.server import serve
from tests.unit.solve.fakes import FakeIndex

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from envgen.records import Solution

SUBSET = Path(__file__).parents[3] / "../shared/conda-forge-subset"

pytestmark = pytest.mark.skipif(not SUBSET.is_dir(), reason="the subset of conda-forge is not on this machine")


@pytest.fixture(scope="module")
def channel() -> Iterator[str]:
    """Serve the subset as servers of channels do: compressed, and not."""
    content = {}
    for folder in SUBSET.iterdir():
        if folder.is_dir():
            packed = (folder / "repodata.json.zst").read_bytes()
            content[f"/{folder.name}/repodata.json.zst"] = packed
            content[f"/{folder.name}/repodata.json"] = zstandard.ZstdDecompressor().decompressobj().decompress(packed)
    with serve(content) as server:
        yield server.url


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("repodata")


def run(
    channel: str,
    cache: Path,
    dependencies: Sequence[str],
    *,
    platform: str,
    python: str = "3.12",
    cuda: str | None = None,
    pypi: Sequence[str] = (),
    index: FakeIndex | None = None,
) -> Solution:
    parsed = Platform(platform)
    on = Target(
        platform=parsed,
        python=PythonMinor.parse(python),
        glibc=(2, 35) if parsed.is_linux else None,
        macos=(13, 0) if "osx" in platform else None,
        cuda=cuda,
    )
    names = NameTable(
        renamed={project_name("torch"): CondaName("pytorch")},
        same=frozenset(map(project_name, ["numpy", "filelock", "sympy", "jinja2", "pillow", "setuptools"])),
    )
    task = SolveTask(
        target=on,
        dependencies=dependencies,
        pypi=tuple(map(Requirement, pypi)),
        names=names,
        wheels=index or FakeIndex(),
        channels=ChannelSource([channel], platform=parsed, cache_dir=cache, root=cache),
    )
    return asyncio.run(solve(task))


@pytest.mark.parametrize(
    ("platform", "python", "build", "cuda"),
    [
        ("linux-64", "3.11", "cuda", "12.9"),
        ("linux-64", "3.13", "cuda", "12.9"),
        ("linux-aarch64", "3.12", "cuda", "12.9"),
        ("win-64", "3.12", "cuda", "12.8"),
        ("linux-64", "3.11", "cpu", None),
        ("win-64", "3.13", "cpu", None),
        ("osx-arm64", "3.11", "cpu", None),
        ("osx-64", "3.12", "cpu", None),
    ],
)
def test_pytorch(channel: str, cache: Path, *, platform: str, python: str, build: str, cuda: str | None) -> None:
    wanted = [f"pytorch 2.8.* *{build}*", "numpy", "jupyterlab"]
    solution = run(channel, cache, wanted, platform=platform, python=python, cuda=cuda)
    found = {record.name: record for record in solution.records}
    pytorch = found[CondaName("pytorch")]
    assert pytorch.version == "2.8.0"
    assert build in pytorch.build
    assert found[CondaName("python")].version.startswith(python)
    assert len(found) == len(solution.records) > 100
    assert all(isinstance(record.origin, ChannelArchive) for record in solution.records)
    assert {record.subdir for record in solution.records} == {platform, "noarch"}
    assert any(record.noarch == "python" for record in solution.records)


def test_python_from_the_channel_and_torch_from_the_index(channel: str, cache: Path) -> None:
    index = FakeIndex()
    tag = "cp311-cp311-manylinux_2_28_x86_64"
    libraries = {"nvidia-cuda-runtime-cu12": "12.8.90", "nvidia-cudnn-cu12": "9.10.2.21", "triton": "3.4.0"}
    pins = [f"{name} =={version}; platform_system == 'Linux'" for name, version in libraries.items()]
    index.add("torch", "2.8.0", "filelock", "sympy >=1.13.3", "jinja2", *pins, tag=tag)
    index.add("torchvision", "0.23.0", "numpy", "torch ==2.8.0", "pillow >=5.3.0,!=8.3.*", tag=tag)
    for name, version in libraries.items():
        index.add(name, version, *(["setuptools >=40.8.0"] if name == "triton" else []), tag=tag)
    for name in ("filelock", "sympy", "jinja2", "numpy", "pillow", "setuptools"):
        index.add(name, "99.0")
    solution = run(
        channel,
        cache,
        ["numpy", "scipy"],
        platform="linux-64",
        python="3.11",
        cuda="12.8",
        pypi=["torch ==2.8.0", "torchvision ==0.23.0"],
        index=index,
    )
    wheels = {record.name: record.origin for record in solution.records if isinstance(record.origin, Wheel)}
    assert set(wheels) == {"pytorch", "torchvision", *libraries}
    assert next(r.build for r in solution.records if r.name == "pytorch").startswith("py311_cu128_h")
    names = [record.name for record in solution.records]
    assert len(names) == len(set(names))
    assert {"python", "numpy", "scipy", "pillow", "sympy", "setuptools"} <= set(names) - set(wheels)
