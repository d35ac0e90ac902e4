from __future__ import annotations

import pytest

from accel_runtime.choice import Choice, choose, pick_engine
from accel_runtime.cpu import Cpu
from accel_runtime.extension import Extension
from accel_runtime.gpu import parse
from accel_runtime.settings import Device, Engine, Precision, Settings, read
from tests.unit.accel_runtime.test_gpu import SAMPLES, TORCH, sample

GENOA = Cpu(name="AMD EPYC", features=("AVX2", "AVX512-BF16"))
SAPPHIRE = Cpu(name="Intel Xeon", features=("AVX2", "AVX512-BF16", "AMX", "AMX-BF16"))
WORKS = Extension(version="2.8.0")
BROKEN = Extension(version="2.8.0", problem="it needs torch 2.8, this is 2.11.0")


def chosen(drivers: str, *, extension: Extension = WORKS, settings: Settings | None = None) -> Choice:
    return choose(settings or Settings(), drivers=sample(drivers), build=TORCH, cpu=GENOA, extension=extension)


def test_a_gpu_that_works() -> None:
    found = chosen("two-gpus")
    assert (found.device, found.engine, found.why, found.warnings) == ("cuda", None, "2 x NVIDIA L4", ())


def test_no_gpu_is_no_reason_to_warn() -> None:
    found = chosen("no-driver")
    assert (found.device, found.engine, found.bf16, found.warnings) == ("cpu", Engine.ONEDNN, True, ())
    assert found.why == "no NVIDIA GPU"


@pytest.mark.parametrize("name", ["old-driver", "broken-driver", "card-without-driver"])
def test_a_gpu_that_cannot_be_used_is_told(name: str) -> None:
    found = chosen(name)
    assert (found.device, found.engine, found.refused) == ("cpu", Engine.ONEDNN, None)
    (warning,) = found.warnings
    assert warning.startswith("the GPU is not used: ")
    assert warning.removeprefix("the GPU is not used: ") in found.why


@pytest.mark.parametrize("name", ["no-driver", "old-driver"])
def test_a_gpu_that_is_demanded_and_not_there_is_refused(name: str) -> None:
    found = chosen(name, settings=Settings(device=Device.CUDA))
    assert (found.refused or "").startswith("ACCEL_DEVICE=cuda, but ")


def test_the_cpu_is_demanded() -> None:
    found = chosen("two-gpus", settings=Settings(device=Device.CPU))
    assert (found.device, found.why) == ("cpu", "ACCEL_DEVICE=cpu")


def test_off() -> None:
    assert chosen("two-gpus", settings=Settings(device=Device.OFF)).engine is None
    found = chosen("no-driver", settings=Settings(device=Device.OFF))
    assert (found.device, found.engine) == ("cpu", None)


def test_nonsense_is_told_and_the_hardware_decides() -> None:
    found = chosen("two-gpus", settings=read({"ACCEL_DEVICE": "nonsense"}))
    assert (found.device, len(found.warnings)) == ("cuda", 1)


@pytest.mark.parametrize(
    ("wanted", "extension", "engine", "warns"),
    [
        (None, WORKS, Engine.ONEDNN, False),
        (None, BROKEN, Engine.ONEDNN, False),
        (Engine.IPEX, WORKS, Engine.IPEX, False),
        (Engine.IPEX, BROKEN, Engine.ONEDNN, True),
        (Engine.IPEX, Extension(), Engine.ONEDNN, True),
    ],
)
def test_engines(wanted: Engine | None, extension: Extension, engine: Engine, warns: bool) -> None:
    found, warning = pick_engine(wanted, extension, cpu=GENOA, precision=Precision.BF16)
    assert (found, warning is not None) == (engine, warns)


@pytest.mark.parametrize(
    ("wanted", "extension", "precision", "engine"),
    [
        (None, WORKS, Precision.BF16, Engine.IPEX),
        (None, WORKS, Precision.FP32, Engine.ONEDNN),
        (None, BROKEN, Precision.BF16, Engine.ONEDNN),
        (None, Extension(), Precision.BF16, Engine.ONEDNN),
        (Engine.ONEDNN, WORKS, Precision.BF16, Engine.ONEDNN),
    ],
)
def test_a_processor_with_amx(
    wanted: Engine | None, extension: Extension, precision: Precision, engine: Engine
) -> None:
    assert pick_engine(wanted, extension, cpu=SAPPHIRE, precision=precision) == (engine, None)


@pytest.mark.parametrize("value", ["", "-1", "7", "GPU-none"])
def test_a_gpu_that_the_user_hid_is_no_reason_to_warn(value: str) -> None:
    drivers = parse((SAMPLES / "hidden.json").read_text(), visible=value)
    found = choose(Settings(), drivers=drivers, build=TORCH, cpu=GENOA, extension=WORKS)
    assert (found.device, found.warnings) == ("cpu", ())
    assert found.why == f"no usable GPU: CUDA_VISIBLE_DEVICES={value!r} hides every GPU"
    demanded = choose(Settings(device=Device.CUDA), drivers=drivers, build=TORCH, cpu=GENOA, extension=WORKS)
    assert demanded.refused == f"ACCEL_DEVICE=cuda, but CUDA_VISIBLE_DEVICES={value!r} hides every GPU"
