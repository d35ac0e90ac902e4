from __future__ import annotations

import pytest

from accel_runtime.settings import Device, Engine, Precision, Settings, read


def test_nothing_is_said() -> None:
    assert read({}) == Settings()


def test_everything_is_said() -> None:
    said = {"ACCEL_DEVICE": "CPU", "ACCEL_AUTO": "bf16", "ACCEL_ENGINE": "ipex", "ACCEL_REPORT": "1"}
    expected = Settings(device=Device.CPU, auto=Precision.BF16, engine=Engine.IPEX, report=True)
    assert read(said) == expected


@pytest.mark.parametrize(("text", "auto"), [("1", Precision.FP32), ("fp32", Precision.FP32), ("0", None), ("", None)])
def test_auto(text: str, auto: Precision | None) -> None:
    assert read({"ACCEL_AUTO": text}).auto is auto


def test_nonsense_is_ignored_and_told() -> None:
    found = read({"ACCEL_DEVICE": "nonsense", "ACCEL_AUTO": "fp8"})
    assert (found.device, found.auto) == (Device.AUTO, None)
    assert found.faults == {
        "ACCEL_DEVICE": "ACCEL_DEVICE='nonsense' is ignored: expected one of auto, cuda, cpu, off",
        "ACCEL_AUTO": "ACCEL_AUTO='fp8' is ignored: expected one of fp32, bf16",
    }
