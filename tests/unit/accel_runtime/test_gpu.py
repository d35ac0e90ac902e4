from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from accel_runtime.gpu import Build, Drivers, Gpu, obstacle, parse, read

SAMPLES = Path(__file__).parent / "samples"
TORCH = Build(cuda=(12, 8), architectures=("sm_70", "sm_75", "sm_80", "sm_86", "sm_90", "sm_100", "sm_120"))


def sample(name: str) -> Drivers:
    """Read what `accel_runtime.drivers` printed on some machine."""
    return parse((SAMPLES / f"{name}.json").read_text())


def test_gpus() -> None:
    found = sample("two-gpus")
    assert [(gpu.name, gpu.capability, gpu.pci) for gpu in found.gpus] == [
        ("NVIDIA L4", (8, 9), "0000:00:04.0"),
        ("NVIDIA L4", (8, 9), "0000:00:05.0"),
    ]
    assert (found.cuda, found.driver, found.problem, found.seen) == ((12, 8), "570.86.15", None, True)
    assert obstacle(found, TORCH) is None


def test_an_h100_with_a_driver_for_a_newer_cuda() -> None:
    found = sample("h100")  # recorded
    assert found.gpus == (
        Gpu(name="NVIDIA H100 80GB HBM3", capability=(9, 0), memory=85_017_493_504, pci="0000:00:06.0"),
    )
    assert (found.cuda, found.driver, found.problem, found.intel_seen) == ((13, 0), "580.159.04", None, False)
    assert obstacle(found, TORCH) is None
    newer = obstacle(found, Build(cuda=(14, 0)))
    assert newer == (
        "the driver (580.159.04) is too old: it supports CUDA 13.0, and this torch, built for CUDA 14.0, needs 14.0 or "
        "newer; install a newer driver"
    )


def test_an_old_driver_comes_with_the_way_out() -> None:
    found = obstacle(sample("old-driver"), TORCH) or ""
    assert found.endswith("needs 12.0 or newer; install driver 525.60.13 or newer")


def test_intel() -> None:
    found = sample("intel-gpu")
    assert found.intel_gpus == ("Intel(R) Arc(TM) A770 Graphics",)
    assert (found.seen, found.intel_seen, found.level_zero) == (False, True, None)


@pytest.mark.parametrize(
    ("name", "build", "words"),
    [
        ("no-driver", TORCH, "the driver lists no GPU"),
        ("card-without-driver", TORCH, "an NVIDIA GPU was found, but no driver: libcuda.so.1: cannot open"),
        (
            "broken-driver",
            TORCH,
            "the driver cannot be started: the driver's library and its kernel module are of different versions (803)",
        ),
        (
            "old-driver",
            TORCH,
            "the driver (470.256.02) is too old: it supports CUDA 11.4, and this torch, built for CUDA 12.8, needs",
        ),
        ("two-gpus", Build(cuda=None), "this torch was built without CUDA"),
        ("two-gpus", Build(cuda=(12, 8), architectures=("sm_90",)), "this torch has no code for NVIDIA L4 (sm_89)"),
    ],
)
def test_obstacles(name: str, build: Build, words: str) -> None:
    assert (obstacle(sample(name), build) or "").startswith(words)


def test_an_older_minor_version_of_the_driver_will_do() -> None:
    assert obstacle(sample("two-gpus"), Build(cuda=(12, 9), architectures=("sm_80",))) is None


@pytest.mark.parametrize(
    ("architectures", "has"),
    [(("sm_80",), True), (("sm_90a",), False), (("compute_70",), True), (("sm_75", "sm_120"), False), ((), True)],
)
def test_code_for_a_capability(architectures: tuple[str, ...], has: bool) -> None:
    assert (obstacle(sample("two-gpus"), Build(cuda=(12, 8), architectures=architectures)) is None) is has


def test_the_probe_writes_nothing_into_the_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is isolated (`-I`), which makes Python forget PYTHONDONTWRITEBYTECODE."""
    seen: list[object] = []

    def run(argv: list[object], **_: object) -> subprocess.CompletedProcess[str]:
        seen.extend(argv)
        return subprocess.CompletedProcess([], 0, (SAMPLES / "hidden.json").read_text())

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7")
    assert read().problem == "CUDA_VISIBLE_DEVICES='7' hides every GPU"
    assert {"-I", "-B"} <= set(seen)
