"""What a machine means for a lock, machine by machine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from envgen.check.doctor import Diagnosis, Finding, Level, Machine, Mirror, Space, cuda_runtime, diagnose
from envgen.platforms import Platform
from envgen.system.host import HostFacts
from envgen.system.processor import Processor
from envgen.system.programs import Program
from tests.unit.lock import samples
from tests.unit.system.test_accelerators import sample

if TYPE_CHECKING:
    from envgen.lock.model import Lock

GB = 10**9
NO_DRIVER = (
    "an NVIDIA GPU is there, but no driver: libcuda.so.1: cannot open shared object file: No such file or directory"
)
HERE = Path("/somewhere")
MIRROR = Mirror(placeholder="ENVGEN_PYPI", url="https://mirror.example", source="pip", problem=None, hint="set it")


def machine(accelerators: str = "no-driver", **changes: Any) -> Machine:
    """Describe a machine on which nothing is wrong, but for its GPUs and what is changed."""
    usual = Machine(
        host=HostFacts(platform=Platform.LINUX_64, glibc=(2, 36), archspec="x86_64_v4"),
        processor=Processor(name="AMD EPYC", features=("AVX2", "AVX512-BF16")),
        accelerators=sample(accelerators),
        programs=(
            Program(name="conda", path=HERE / "conda", version="24.7.1"),
            Program(name="g++", path=HERE / "g++", version=None),
        ),
        spaces=(Space(purpose="cache", folder=HERE, free=100 * GB),),
        cache=GB,
        mirrors=(MIRROR,),
    )
    return replace(usual, **changes)


def lock(cuda: str | None = "12.8.90") -> Lock:
    chosen = [samples.built("python", "3.11.2", "__glibc >=2.36"), samples.wheel("torch", "2.8.0+cu128")]
    if cuda:
        chosen.append(samples.wheel("nvidia-cuda-runtime-cu12", cuda))
    return samples.lock(*chosen)


def told(diagnosis: Diagnosis) -> list[Finding]:
    return [finding for finding in diagnosis.findings if finding.level is not Level.OK]


def test_a_gpu_that_works() -> None:
    found = diagnose(machine("two-gpus"), lock())
    assert (found.path, found.why, told(found)) == ("cuda", "2 x NVIDIA L4", [])
    gpu = next(finding for finding in found.findings if finding.subject == "gpu")
    assert gpu.what == "NVIDIA L4, compute capability 8.9, 22 GiB, 0000:00:04.0"
    driver = next(finding for finding in found.findings if finding.subject == "driver")
    assert driver.what == "NVIDIA 570.86.15, supports CUDA 12.8"


def test_no_gpu_is_no_fault() -> None:
    found = diagnose(machine(), lock())
    assert (found.path, found.why, told(found)) == ("cpu", "no NVIDIA GPU; oneDNN in bf16 and fp32", [])


def test_no_lock() -> None:
    assert diagnose(machine("two-gpus"), None).path == "cuda"
    assert diagnose(machine("old-driver"), None).path == "cuda"  # too old for what, nobody knows


@pytest.mark.parametrize(
    ("name", "what", "remedy"),
    [
        (
            "old-driver",
            "the driver supports CUDA 11.4, the lock holds CUDA 12.8",
            "update NVIDIA's driver to 525.60.13 or newer",
        ),
        (
            "broken-driver",
            "the driver cannot be started: the driver's library and its kernel module are of different versions (803)",
            "restart the machine: the driver was updated under its running kernel module",
        ),
        (
            "card-without-driver",
            NO_DRIVER,
            "install NVIDIA's driver",
        ),
    ],
)
def test_a_gpu_that_cannot_be_used(name: str, what: str, remedy: str) -> None:
    found = diagnose(machine(name), lock())
    assert (found.path, found.why) == ("cpu", what)
    assert told(found) == [Finding(level=Level.PROBLEM, subject="driver", what=what, remedy=remedy)]


def test_a_driver_of_an_older_minor_version() -> None:
    found = diagnose(machine("two-gpus"), lock("12.9.79"))
    assert found.path == "cuda"
    (note,) = told(found)
    assert (note.level, note.subject) == (Level.NOTE, "driver")
    assert note.what.startswith("CUDA 12.9 runs on this driver by minor version compatibility")


def test_a_gpu_that_torch_has_no_code_for() -> None:
    there = sample("two-gpus")
    old = replace(there.nvidia, gpus=(replace(there.nvidia.gpus[0], name="Tesla P100", capability=(6, 0)),))
    found = diagnose(_with(old), lock())
    assert found.path == "cpu"
    assert found.why == "torch 2.8.0+cu128 has code from compute capability 7.0 on, and none for Tesla P100 (6.0)"


def _with(nvidia: Any) -> Machine:
    usual = machine("two-gpus")
    return replace(usual, accelerators=replace(usual.accelerators, nvidia=nvidia))


def test_a_lock_without_cuda_leaves_the_gpu_idle() -> None:
    found = diagnose(machine("two-gpus"), lock(cuda=None))
    assert found.path == "cpu"
    assert [(finding.level, finding.what) for finding in told(found)] == [
        (Level.NOTE, "the lock holds no CUDA, so NVIDIA L4 stays idle")
    ]


def test_an_intel_gpu() -> None:
    (note,) = told(diagnose(machine("intel-gpu"), lock()))
    assert note.what == "Intel(R) Arc(TM) A770 Graphics (Level Zero): this lock's torch cannot use it"
    assert "XPU build" in (note.remedy or "")


def test_a_lock_that_does_not_fit() -> None:
    old = HostFacts(platform=Platform.LINUX_64, glibc=(2, 31), archspec="x86_64_v3")
    found = diagnose(machine(host=old), lock())
    (problem,) = found.problems
    assert problem.what == "`python` needs glibc 2.36, the machine has 2.31"


def test_what_costs_something() -> None:
    poor = machine(processor=Processor(name="Xeon E5", features=("AVX2",)), programs=())
    subjects = [(finding.subject, finding.level) for finding in told(diagnose(poor, lock()))]
    assert subjects == [("cpu", Level.NOTE), ("programs", Level.NOTE), ("programs", Level.NOTE)]


def test_a_full_disk() -> None:
    full = machine(spaces=(Space(purpose="environments", folder=HERE, free=0),), cache=0)
    (note,) = told(diagnose(full, lock()))
    assert (note.subject, "ENVGEN_CACHE" in (note.remedy or "")) == ("disk", True)


@pytest.mark.parametrize(
    ("mirror", "what"),
    [
        (replace(MIRROR, problem="no answer"), "ENVGEN_PYPI (https://mirror.example): no answer"),
        (replace(MIRROR, url=None, source=None), "ENVGEN_PYPI: no address is known"),
    ],
)
def test_a_mirror_that_does_not_answer(mirror: Mirror, what: str) -> None:
    (problem,) = diagnose(machine(mirrors=(mirror,)), lock()).problems
    assert (problem.what, problem.remedy) == (what, "set it")


def test_cuda_of_a_lock() -> None:
    assert cuda_runtime(lock()) == (12, 8)
    assert cuda_runtime(lock(cuda=None)) is None
