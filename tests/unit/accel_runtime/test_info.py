"""`accel info` on machines whose hardware or libraries fail; torch itself is the real one."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")

from accel_runtime import api, extension, gpu, info, machine  # noqa: E402 - after the skip
from accel_runtime.extension import Extension  # noqa: E402
from tests.unit.accel_runtime.test_gpu import TORCH, sample  # noqa: E402

LOST = "cuda:0 failed at first use: CUDA error: unspecified launch failure"


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ACCEL_DEVICE", "ACCEL_ENGINE", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(api, "torch_build", lambda: TORCH)
    monkeypatch.setattr(machine, "parse_build", lambda _: TORCH)


def collected(monkeypatch: pytest.MonkeyPatch, drivers: str) -> dict[str, Any]:
    monkeypatch.setattr(gpu, "read", lambda: sample(drivers))
    return info.collect()


def test_a_gpu_that_fails_at_first_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "gpu_problem", lambda _: api.Problem(LOST, seen=True))
    found = collected(monkeypatch, "two-gpus")
    assert found["path"]["device"] == "cpu"
    assert found["path"]["warnings"] == [f"the GPU is not used: {LOST}"]
    assert found["path"]["why"] == f"no usable GPU: {LOST}"
    lines = list(info.lines(found))
    assert lines[0] == f"path      cpu, models compiled by onednn{_bf16(found)}: no usable GPU: {LOST}"
    assert sum(line.startswith("gpu ") for line in lines) == 2


def test_it_is_refused_where_it_is_demanded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "gpu_problem", lambda _: api.Problem(LOST, seen=True))
    monkeypatch.setenv("ACCEL_DEVICE", "cuda")
    found = collected(monkeypatch, "two-gpus")
    assert found["path"]["refused"]
    assert next(info.lines(found)) == f"path      none: ACCEL_DEVICE=cuda, but {LOST}"


@pytest.mark.parametrize("drivers", ["old-driver", "broken-driver", "card-without-driver"])
def test_a_driver_that_will_not_do(monkeypatch: pytest.MonkeyPatch, drivers: str) -> None:
    found = collected(monkeypatch, drivers)
    (warning,) = found["path"]["warnings"]
    assert gpu.obstacle(sample(drivers), TORCH) in warning


def test_an_ipex_that_cannot_be_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Extension(version="2.8.0", problem="it cannot be imported: OSError: undefined symbol")
    monkeypatch.setattr(extension, "find", lambda _: Extension(version="2.8.0"))
    monkeypatch.setattr(extension, "load", lambda _: broken)
    monkeypatch.setenv("ACCEL_ENGINE", "ipex")
    found = collected(monkeypatch, "no-driver")
    assert found["path"]["engine"] == "onednn"
    assert found["path"]["warnings"] == [f"IPEX is not used: {broken.problem}"]
    assert found["ipex"]["problem"] == broken.problem


def test_nonsense(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCEL_DEVICE", "nonsense")
    found = collected(monkeypatch, "no-driver")
    assert found["path"]["device"] == "cpu"
    assert found["path"]["warnings"] == [
        "ACCEL_DEVICE='nonsense' is ignored: expected one of auto, cuda, cpu, off",
    ]


@pytest.mark.parametrize(("number", "version"), [(91002, "9.10.2"), (8907, "8.9.7"), (None, None)])
def test_cudnn(monkeypatch: pytest.MonkeyPatch, number: int | None, version: str | None) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "version", lambda: number)
    assert collected(monkeypatch, "no-driver")["versions"]["cudnn"] == version


def test_a_gpu_that_is_lost_does_not_stop_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def version() -> int:
        raise RuntimeError("No CUDA GPUs are available")

    monkeypatch.setattr(torch.backends.cudnn, "version", version)
    assert collected(monkeypatch, "no-driver")["versions"]["cudnn"] is None


def _bf16(found: dict[str, Any]) -> str:
    return ", bf16" if found["path"]["bf16"] else ""
