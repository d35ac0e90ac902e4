from __future__ import annotations

from accel_runtime.choice import choose
from accel_runtime.cpu import Cpu
from accel_runtime.extension import Extension
from accel_runtime.machine import Machine
from accel_runtime.run import environment
from accel_runtime.settings import Precision, read
from tests.unit.accel_runtime.test_choice import GENOA
from tests.unit.accel_runtime.test_gpu import TORCH, sample


def machine(drivers: str, *, cpu: Cpu = GENOA, **said: str) -> Machine:
    settings, found = read(said), sample(drivers)
    choice = choose(settings, drivers=found, build=TORCH, cpu=cpu, extension=Extension())
    return Machine(
        settings=settings,
        drivers=found,
        cpu=cpu,
        torch="2.8.0",
        build=TORCH,
        extension=Extension(),
        choice=choice,
    )


def variables(drivers: str, *, cpu: Cpu = GENOA, report: bool = False, **said: str) -> dict[str, str]:
    found = machine(drivers, cpu=cpu, **said)
    return environment({"HOME": "/h", **said}, found, precision=Precision.BF16, report=report)[0]


def test_on_the_cpu_the_hook_is_asked_for() -> None:
    found = variables("no-driver", report=True)
    assert (found["ACCEL_AUTO"], found["ACCEL_REPORT"], found["HOME"]) == ("bf16", "1", "/h")
    assert "MALLOC_TRIM_THRESHOLD_" in found


def test_on_a_gpu_nothing_is_asked_for() -> None:
    assert variables("two-gpus", ACCEL_AUTO="bf16") == {"HOME": "/h"}


def test_the_cpu_on_a_machine_with_a_gpu_hides_the_gpu() -> None:
    found = variables("two-gpus", ACCEL_DEVICE="cpu")
    assert (found["CUDA_VISIBLE_DEVICES"], found["ACCEL_AUTO"]) == ("", "bf16")


def test_off_asks_for_nothing() -> None:
    assert variables("no-driver", ACCEL_DEVICE="off") == {"HOME": "/h", "ACCEL_DEVICE": "off"}


def test_no_bf16_without_hardware_for_it() -> None:
    old = Cpu(name="Xeon E5", features=("AVX2",))
    assert variables("no-driver", cpu=old)["ACCEL_AUTO"] == "fp32"


def test_what_was_told_is_not_told_again() -> None:
    assert variables("no-driver", ACCEL_DEVICE="nonsense")["ACCEL_DEVICE"] == "cpu"
    assert "ACCEL_DEVICE" not in variables("two-gpus", ACCEL_DEVICE="nonsense")


def test_a_gpu_that_cannot_be_used_is_not_tried_again_by_the_script() -> None:
    assert variables("old-driver")["ACCEL_DEVICE"] == "cpu"


def test_the_users_own_allocator_settings_stay() -> None:
    assert variables("no-driver", MALLOC_TRIM_THRESHOLD_="1")["MALLOC_TRIM_THRESHOLD_"] == "1"
