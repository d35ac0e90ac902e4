from __future__ import annotations

from pathlib import Path

import pytest

from envgen.ops.data import driver_probe
from envgen.system.accelerators import Accelerators, Intel, Nvidia, look, parse

SAMPLES = Path(__file__).parents[1] / "accel_runtime/samples"
NO_DRIVER = (
    "an NVIDIA GPU is there, but no driver: libcuda.so.1: cannot open shared object file: No such file or directory"
)
NO_ZERO = "libze_loader.so.1: cannot open shared object file: No such file or directory"


def sample(name: str) -> Accelerators:
    """Read what the probe printed on some machine."""
    return parse((SAMPLES / f"{name}.json").read_text())


def test_gpus() -> None:
    nvidia = sample("two-gpus").nvidia
    assert [(gpu.name, gpu.capability, gpu.pci) for gpu in nvidia.gpus] == [
        ("NVIDIA L4", (8, 9), "0000:00:04.0"),
        ("NVIDIA L4", (8, 9), "0000:00:05.0"),
    ]
    assert (nvidia.cuda, nvidia.driver, nvidia.problem) == ((12, 8), "570.86.15", None)


def test_nothing_there() -> None:
    assert sample("no-driver") == Accelerators(nvidia=Nvidia(), intel=Intel(problem=NO_ZERO))


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        (
            "card-without-driver",
            NO_DRIVER,
        ),
        (
            "broken-driver",
            "the driver cannot be started: the driver's library and its kernel module are of different versions (803)",
        ),
        ("old-driver", None),
    ],
)
def test_problems(name: str, problem: str | None) -> None:
    assert sample(name).nvidia.problem == problem


def test_intel() -> None:
    found = sample("intel-gpu")
    assert found.intel == Intel(gpus=("Intel(R) Arc(TM) A770 Graphics",), on_bus=1)
    assert found.nvidia == Nvidia()


def test_this_machine() -> None:
    assert isinstance(look(driver_probe()), Accelerators)


def test_a_driver_that_crashes(tmp_path: Path) -> None:
    program = tmp_path / "drivers.py"
    program.write_text("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n")
    assert look(program).nvidia.problem == "the driver crashed the process that asked it (-11)"
