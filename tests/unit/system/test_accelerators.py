from __future__ import annotations

import json
from pathlib import Path

import pytest

from envgen.project.shipped import driver_probe
from envgen.system import accelerators
from envgen.system.accelerators import Accelerators, Intel, Nvidia, parse, probe_accelerators

SAMPLES = Path(__file__).parents[1] / "accel_runtime/samples"
NO_DRIVER = (
    "an NVIDIA GPU is present, but no driver: libcuda.so.1: cannot open shared object file: No such file or directory"
)
MISMATCH = (
    "failed to initialize the driver: the driver's library and its kernel module are of different versions (803);"
    " NVML: driver/library version mismatch (18)"
)
NO_ZERO = "libze_loader.so.1: cannot open shared object file: No such file or directory"


def sample(name: str) -> Accelerators:
    """Read what the probe printed on some machine."""
    return parse((SAMPLES / f"{name}.json").read_text())


def failing(status: int, nvml: int = 0) -> Accelerators:
    """Read what the probe prints where the driver's library is there and does not start."""
    raw = {
        "cuda": {"library": "libcuda.so.1", "init": status, "version": 13000, "devices": []},
        "nvml": {"library": "libnvidia-ml.so.1", "init": nvml, "driver": ""},
        "level_zero": {"error": NO_ZERO},
        "pci": [],
    }
    return parse(json.dumps(raw))


def test_gpus() -> None:
    nvidia = sample("two-gpus").nvidia
    assert [(gpu.name, gpu.capability, gpu.pci) for gpu in nvidia.gpus] == [
        ("NVIDIA L4", (8, 9), "0000:00:04.0"),
        ("NVIDIA L4", (8, 9), "0000:00:05.0"),
    ]
    assert (nvidia.cuda, nvidia.driver, nvidia.problem) == ((12, 8), "570.86.15", None)


def test_nothing_there() -> None:
    assert sample("no-driver") == Accelerators(nvidia=Nvidia(on_bus=0), intel=Intel(problem=NO_ZERO))


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        (
            "card-without-driver",
            NO_DRIVER,
        ),
        (
            "broken-driver",
            MISMATCH,
        ),
        ("old-driver", None),
    ],
)
def test_problems(name: str, problem: str | None) -> None:
    assert sample(name).nvidia.problem == problem


def test_intel() -> None:
    found = sample("intel-gpu")
    assert found.intel == Intel(gpus=("Intel(R) Arc(TM) A770 Graphics",), on_bus=1)
    assert found.nvidia == Nvidia(on_bus=0)


@pytest.mark.parametrize(
    ("name", "gpus"), [("h100", ["NVIDIA H100 80GB HBM3"]), ("h200x2", ["NVIDIA H200", "NVIDIA H200"])]
)
def test_hopper_gpus(name: str, gpus: list[str]) -> None:
    nvidia = sample(name).nvidia  # recorded
    assert [(gpu.name, gpu.capability) for gpu in nvidia.gpus] == [(gpu, (9, 0)) for gpu in gpus]
    assert (nvidia.cuda, nvidia.driver, nvidia.problem, nvidia.status) == ((13, 0), "580.159.04", None, 0)


def test_errors_that_nobody_knows_keep_their_numbers() -> None:
    assert failing(777, 888).nvidia.problem == "failed to initialize the driver: error (777); NVML: error (888)"


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        ("libcuda.so.1: cannot open shared object file: No such file or directory", None),
        ("libcuda.so.1: file too short", "failed to load the driver's library: libcuda.so.1: file too short"),
    ],
)
def test_a_library_that_cannot_be_loaded(error: str, problem: str | None) -> None:
    raw = {"cuda": {"error": error}, "nvml": {"error": error}, "level_zero": {"error": NO_ZERO}, "pci": []}
    assert parse(json.dumps(raw)).nvidia.problem == problem


def test_this_machine() -> None:
    assert isinstance(probe_accelerators(driver_probe()), Accelerators)


def test_a_driver_that_crashes(tmp_path: Path) -> None:
    program = tmp_path / "drivers.py"
    program.write_text("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n")
    assert probe_accelerators(program).nvidia.problem == "the driver crashed the process that loaded it (status -11)"


@pytest.mark.parametrize("said", ["", "NVRM: hello", "[]", "{}"])
def test_a_driver_that_talks_nonsense(said: str, tmp_path: Path) -> None:
    program = tmp_path / "drivers.py"
    program.write_text(f"print({said!r})\n")
    assert "returned output that cannot be parsed" in (probe_accelerators(program).nvidia.problem or "")


def test_a_driver_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accelerators, "PATIENCE", 0.1)
    program = tmp_path / "drivers.py"
    program.write_text("import time\ntime.sleep(60)\n")
    assert probe_accelerators(program).nvidia.problem == "the driver did not respond"
