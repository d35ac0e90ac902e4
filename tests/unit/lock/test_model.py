from __future__ import annotations

import pytest

from envgen.lock.model import lock_key
from tests.unit.lock import samples


@pytest.mark.parametrize(
    "name",
    ["nvidia-cuda-runtime", "nvidia-cuda-runtime-cu11", "nvidia-cuda-runtime-cu12", "nvidia-cuda-runtime-cu13"],
)
def test_a_wheel_is_the_cuda_runtime_before_conda_is(name: str) -> None:
    conda = samples.conda("cuda-cudart", "11.8.89", channel="https://conda.example.org/forge")
    lock = samples.lock(*samples.records(), samples.wheel(name, "12.8.90"), conda)
    assert lock.cuda_runtime
    assert (lock.cuda_runtime.name, lock.cuda_runtime.version) == (name, "12.8.90")


@pytest.mark.parametrize("name", ["cuda-cudart", "cudatoolkit"])
def test_a_name_of_conda_counts_for_its_packages_alone(name: str) -> None:
    conda = samples.conda(name, "11.8.89", channel="https://conda.example.org/forge")
    runtime = samples.lock(*samples.records(), conda).cuda_runtime
    assert runtime
    assert runtime.name == name
    assert samples.lock(*samples.records(), samples.wheel(name, "0.0.1")).cuda_runtime is None


def test_no_cuda() -> None:
    assert samples.lock().cuda_runtime is None


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("demo.linux-64.conda-lock.yml", ("demo", "linux-64")),
        ("a.b.osx-arm64.conda-lock.yml", ("a.b", "osx-arm64")),
        ("demo.linux-65.conda-lock.yml", None),
        ("linux-64.conda-lock.yml", None),
        ("demo.linux-64.debian-lock.yml", None),
    ],
)
def test_lock_key(name: str, key: tuple[str, str] | None) -> None:
    assert lock_key(name) == key
