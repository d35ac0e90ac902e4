"""What a machine means for a lock, machine by machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from envgen.diagnose.diagnosis import Diagnosis, diagnose
from envgen.diagnose.findings import Finding, Level
from envgen.diagnose.gpu import cuda_runtime
from envgen.diagnose.machine import Machine, Mirror, Space
from envgen.manifest.parse import parse_spec
from envgen.packages import BuiltPackage, Package, Wheel
from envgen.platforms import Platform
from envgen.structs import replace
from envgen.system.accelerators import unanswered
from envgen.system.device_files import DeviceFile, DeviceFiles, RenderNode
from envgen.system.host import HostFacts
from envgen.system.processor import Processor
from envgen.system.programs import Program
from tests.unit.lock import samples
from tests.unit.system.test_accelerators import failing, sample

if TYPE_CHECKING:
    from envgen.lock.model import Lock
    from envgen.manifest.env_spec import EnvSpec

GB = 10**9
NO_DRIVER = (
    "an NVIDIA GPU is present, but no driver: libcuda.so.1: cannot open shared object file: No such file or directory"
)
MISMATCH = "failed to initialize the driver: the driver's library and its kernel module are of different versions (803)"
HERE = Path("/somewhere")
MIRROR = Mirror(placeholder="ENVGEN_PYPI", url="https://mirror.example", source="pip", problem=None, hint="set it")


def machine(drivers: str = "no-driver", **changes: Any) -> Machine:
    """Describe a machine on which nothing is wrong, but for its GPUs and what is changed."""
    usual = Machine(
        host=HostFacts(platform=Platform.LINUX_64, glibc=(2, 36), archspec="x86_64_v4"),
        processor=Processor(name="AMD EPYC", features=("AVX2", "AVX512-BF16")),
        accelerators=sample(drivers),
        files=DeviceFiles(),
        visible=None,
        programs=(
            Program(name="conda", path=HERE / "conda", version="24.7.1"),
            Program(name="g++", path=HERE / "g++", version=None),
        ),
        spaces=(Space(purpose="cache", folder=HERE, free=100 * GB),),
        cache=GB,
        mirrors=(MIRROR,),
    )
    return replace(usual, **changes)


def lock(cuda: str | None = "12.8.90", *, torch: str = "2.8.0+cu128") -> Lock:
    chosen = [samples.built("python", "3.11.2", "__glibc >=2.36"), samples.wheel("torch", torch)]
    if cuda:
        chosen.append(samples.wheel("nvidia-cuda-runtime-cu12", cuda))
    return samples.lock(*chosen)


def sized(package: Package, size: int) -> Package:
    if isinstance(package, Wheel):
        return replace(package, size=size)
    if isinstance(package, BuiltPackage):
        return replace(package, archive=replace(package.archive, size=size))
    return replace(package, archive=replace(package.archive, size=size))


def told(diagnosis: Diagnosis) -> list[Finding]:
    return [finding for finding in diagnosis.findings if finding.level is not Level.OK]


def test_libraries_that_a_variable_replaces() -> None:
    found = told(diagnose(machine("two-gpus", replaced={"libcudnn_ops.so.9": HERE / "cuda/libcudnn_ops.so.9"}), lock()))
    assert [finding.what for finding in found] == [
        "LD_LIBRARY_PATH replaces `libcudnn_ops.so.9` of the environment by those of `/somewhere/cuda`"
    ]


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
            "the NVIDIA driver 470.256.02 supports CUDA up to 11.4, the lock contains CUDA 12.8",
            "update the driver to 525.60.13 or newer, or use the CPU: ACCEL_DEVICE=cpu",
        ),
        (
            "broken-driver",
            f"{MISMATCH}; NVML: driver/library version mismatch (18)",
            "restart the machine: the driver was updated while its kernel module was loaded",
        ),
        (
            "card-without-driver",
            NO_DRIVER,
            "install the NVIDIA driver",
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
    assert note.what.startswith("CUDA 12.9 works with this driver by minor version compatibility")


def test_a_hopper_gpu() -> None:
    found = diagnose(machine("h100"), lock())
    assert (found.path, found.why, told(found)) == ("cuda", "1 x NVIDIA H100 80GB HBM3", [])
    assert "NVIDIA 580.159.04, supports CUDA 13.0" in [finding.what for finding in found.findings]


@pytest.mark.parametrize("capability", [(6, 1), (11, 0), (13, 0)])
def test_a_gpu_that_torch_has_no_code_for(capability: tuple[int, int]) -> None:
    found = diagnose(_with(gpus=("Odd", capability)), lock())
    assert found.path == "cpu"
    assert found.why == (
        "torch 2.8.0+cu128 has code for compute capabilities 7.0, 7.5, 8.0, 8.6, 9.0, 10.0, 12.0,"
        f" none for Odd ({capability[0]}.{capability[1]})"
    )
    assert [finding.level for finding in told(found)] == [Level.PROBLEM]


@pytest.mark.parametrize("capability", [(7, 2), (8, 9), (10, 3), (12, 1)])
def test_a_gpu_that_runs_code_of_a_lower_minor_version(capability: tuple[int, int]) -> None:
    assert diagnose(_with(gpus=("New", capability)), lock()).path == "cuda"


def test_one_gpu_of_two_is_too_old() -> None:
    there = sample("two-gpus").nvidia
    old = replace(there.gpus[0], name="Tesla P100", capability=(6, 0))
    found = diagnose(_with(nvidia=replace(there, gpus=(old, there.gpus[1]))), lock())
    assert found.path == "cuda"
    (note,) = told(found)
    assert note.what.endswith("none for Tesla P100 (6.0)")
    assert note.remedy == "exclude these GPUs with CUDA_VISIBLE_DEVICES"


def test_torch_that_nobody_knows_is_not_judged() -> None:
    assert diagnose(_with(gpus=("Odd", (6, 1))), lock(torch="2.99.0")).path == "cuda"


def _with(*, gpus: tuple[str, tuple[int, int]] | None = None, nvidia: Any = None) -> Machine:
    usual = machine("two-gpus")
    there = usual.accelerators.nvidia
    one = (replace(there.gpus[0], name=gpus[0], capability=gpus[1]),) if gpus else there.gpus
    return replace(usual, accelerators=replace(usual.accelerators, nvidia=nvidia or replace(there, gpus=one)))


CLOSED = DeviceFiles(nvidia=(DeviceFile(path=Path("/dev/nvidia0"), usable=False),), nvidia_module="580.159.04")
OPEN = DeviceFiles(nvidia=(DeviceFile(path=Path("/dev/nvidia0"), usable=True),), nvidia_module="580.159.04")


STUB = "is a stub of the toolkit, not the driver (34)"
HIDDEN = "CUDA_VISIBLE_DEVICES='' hides all GPUs"
FORBIDDEN = "sees no device (100); NVML: insufficient permissions (4); no permission to open `/dev/nvidia0`"


@pytest.mark.parametrize(
    ("codes", "changes", "level", "told_of"),
    [
        ((34,), {}, Level.PROBLEM, (STUB, "`stubs` folder from LD_LIBRARY_PATH")),
        ((804,), {}, Level.PROBLEM, ("does not support this GPU (804)", "`compat`")),
        ((3,), {}, Level.PROBLEM, ("not initialized (3)", "`nvidia-smi`")),
        ((100,), {"files": OPEN}, Level.PROBLEM, ("the driver sees no device (100)", "docker run --gpus all")),
        ((100, 4), {"files": CLOSED}, Level.PROBLEM, (FORBIDDEN, "join the group")),
        ((100,), {}, Level.NOTE, ("the NVIDIA driver is installed, but reports no GPU", "docker run --gpus all")),
        ((100,), {"files": OPEN, "visible": ""}, Level.NOTE, (HIDDEN, "unset CUDA_VISIBLE_DEVICES")),
    ],
)
def test_a_driver_that_does_not_start(
    codes: tuple[int, ...], changes: dict[str, Any], level: Level, told_of: tuple[str, str]
) -> None:
    found = diagnose(machine(accelerators=failing(*codes), **changes), lock())
    assert found.path == "cpu"
    (finding,) = told(found)
    assert finding.level is level
    assert told_of[0] in finding.what
    assert told_of[1] in (finding.remedy or "")


def test_a_container_without_the_drivers_library() -> None:
    (finding,) = told(diagnose(machine(files=OPEN), lock()))
    assert finding.what == "the NVIDIA kernel module 580.159.04 is loaded, but its library `libcuda.so.1` is not found"
    assert "docker run --gpus all" in (finding.remedy or "")


def test_a_driver_that_hangs() -> None:
    (finding,) = told(diagnose(machine(accelerators=unanswered("the driver does not respond")), lock()))
    assert (finding.level, finding.what) == (Level.PROBLEM, "the driver does not respond")
    assert "restart the machine" in (finding.remedy or "")


def test_a_lock_without_cuda_leaves_the_gpu_idle() -> None:
    found = diagnose(machine("two-gpus"), lock(cuda=None))
    assert found.path == "cpu"
    assert [(finding.level, finding.what) for finding in told(found)] == [
        (Level.NOTE, "the lock contains no CUDA: NVIDIA L4 is not used")
    ]


def test_an_intel_gpu() -> None:
    (note,) = told(diagnose(machine("intel-gpu"), lock()))
    assert note.what == "Intel(R) Arc(TM) A770 Graphics (Level Zero): this lock's torch cannot use it"
    assert note.remedy == (
        "to use it, install the XPU build of torch in another environment, which is untested with envgen"
    )
    assert told(diagnose(machine("intel-gpu"), lock(None, torch="2.8.0+xpu"))) == []


@pytest.mark.parametrize(
    ("usable", "remedy"), [(True, "to use it, install its compute driver"), (False, "join the group")]
)
def test_an_intel_gpu_without_level_zero(*, usable: bool, remedy: str) -> None:
    file = DeviceFile(path=Path("/dev/dri/renderD128"), usable=usable)
    node = RenderNode(file=file, driver="i915", vendor="8086")
    there = replace(sample("intel-gpu"), intel=replace(sample("no-driver").intel, on_bus=1))
    (note,) = told(diagnose(machine(accelerators=there, files=DeviceFiles(render=(node,))), lock()))
    assert note.what.startswith("an Intel GPU is present (kernel driver i915), but Level Zero reports none: libze")
    assert (note.remedy or "").startswith(remedy)


def test_a_lock_that_does_not_fit() -> None:
    old = HostFacts(platform=Platform.LINUX_64, glibc=(2, 31), archspec="x86_64_v3")
    found = diagnose(machine(host=old), lock())
    (problem,) = found.problems
    assert problem.what == "`python` requires glibc 2.36, this machine has 2.31"
    assert "lower the requirement under `platforms`" in (problem.remedy or "")


def test_a_machine_with_musl() -> None:
    other = HostFacts(platform=Platform.LINUX_64, glibc=None, archspec="x86_64_v3")
    (finding,) = diagnose(machine(host=other), lock()).problems
    assert finding.what.endswith("requires glibc, this machine has another C library")
    assert finding.remedy == "use a system with glibc, or a container: `envgen image`"


def test_an_emulated_processor() -> None:
    slow = Processor(name="QEMU Virtual CPU version 2.5+", features=(), emulator="QEMU")
    emulated, slowest = told(diagnose(machine(processor=slow), lock()))
    assert emulated.what.startswith("QEMU emulates x86_64")
    assert slowest.what.startswith("no AVX2")


def spec(*platforms: Platform) -> EnvSpec:
    listed = "".join(f"  {platform}: {{glibc: '2.36'}}\n" for platform in platforms)
    text = f"name: demo\npython: '3.11'\nplatforms:\n{listed}dependencies: [python]\n"
    return parse_spec(text, source="environments/demo.yaml")


def test_a_spec_without_a_lock() -> None:
    (note,) = told(diagnose(machine(), None, spec(Platform.LINUX_64)))
    assert (note.level, note.remedy) == (Level.NOTE, "run `envgen lock`")


def test_a_spec_for_other_platforms() -> None:
    (finding,) = diagnose(machine(), None, spec(Platform.LINUX_AARCH64)).problems
    assert finding.what == "this machine is linux-64, `demo` supports linux-aarch64"
    assert "environments/demo.yaml" in (finding.remedy or "")


def test_what_costs_something() -> None:
    poor = machine(processor=Processor(name="Xeon E5", features=("AVX2",)), programs=())
    subjects = [(finding.subject, finding.level) for finding in told(diagnose(poor, lock()))]
    assert subjects == [("cpu", Level.NOTE), ("programs", Level.NOTE), ("programs", Level.NOTE)]


def test_a_compiler_of_the_environment_will_do() -> None:
    bare = machine(programs=(Program(name="conda", path=HERE / "conda", version=None),))
    (finding,) = told(diagnose(bare, lock()))
    assert (finding.remedy or "").startswith("add `cxx-compiler` to `dependencies` in the spec")
    python = samples.built("python", "3.11.2", "__glibc >=2.36")
    own = samples.lock(python, samples.wheel("torch", "2.8.0"), samples.built("cxx-compiler", "12.2.0"))
    assert told(diagnose(bare, own)) == []


@pytest.mark.parametrize(
    ("free", "writable", "level", "what"),
    [
        (0, True, Level.PROBLEM, "the disk is full"),
        (GB, False, Level.PROBLEM, "no permission to write"),
        (GB // 5, True, Level.NOTE, "a first `envgen create` takes about"),
    ],
)
def test_a_disk_that_will_not_do(*, free: int, writable: bool, level: Level, what: str) -> None:
    space = Space(purpose="environments", folder=HERE, free=free, writable=writable)
    usual = lock()
    large = replace(usual, packages=tuple(sized(package, GB) for package in usual.packages))
    (found,) = told(diagnose(machine(spaces=(space,), cache=None), large))
    assert (found.subject, found.level) == ("disk", level)
    assert what in found.what
    assert "ENVGEN_CACHE" in (found.remedy or "")


@pytest.mark.parametrize(
    ("mirror", "what"),
    [
        (replace(MIRROR, problem="no answer"), "ENVGEN_PYPI (https://mirror.example): no answer"),
        (replace(MIRROR, url=None, source=None), "ENVGEN_PYPI: no URL is known"),
    ],
)
def test_a_mirror_that_does_not_answer(mirror: Mirror, what: str) -> None:
    (problem,) = diagnose(machine(mirrors=(mirror,)), lock()).problems
    assert (problem.what, problem.remedy) == (what, "set it")


def test_cuda_of_a_lock() -> None:
    assert cuda_runtime(lock()) == (12, 8)
    assert cuda_runtime(lock(cuda=None)) is None
