"""What `accel bench` measures with: models that tell their inputs apart, paths that are held against plain torch."""

from __future__ import annotations

import importlib.util
import io
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

torch = pytest.importorskip("torch")

from accel_runtime import bench_worker, models  # noqa: E402 - after the skip

if TYPE_CHECKING:
    from pathlib import Path

_SMALL = ("transformer", "lstm")


def taught(name: str) -> tuple[Any, Any]:
    """Make a model that knows its inputs, and the inputs."""
    model, inputs = models.build(name), models.examples(name, models.CLASSES)
    models.tell_apart(model, inputs)
    return model, inputs


def scores(model: Any, inputs: Any, dtype: Any = None) -> Any:
    with torch.no_grad(), torch.autocast("cpu", dtype=dtype, enabled=dtype is not None):
        return model(inputs).float()


@pytest.mark.parametrize("name", models.NAMES)
def test_every_input_has_a_class_of_its_own_in_fp32_and_in_bf16(name: str) -> None:
    if name == "resnet50" and importlib.util.find_spec("torchvision") is None:
        pytest.skip("no torchvision")
    model, inputs = taught(name)
    plain, lower = scores(model, inputs), scores(model, inputs, torch.bfloat16)
    assert plain.argmax(dim=1).tolist() == list(range(models.CLASSES))
    found = bench_worker.compare(lower, plain)
    assert found["top1_agreement"] == 1.0
    assert 1e-4 < found["difference"] < 2e-2


@pytest.mark.parametrize("name", _SMALL)
def test_a_path_that_computes_something_else_does_not_agree(name: str) -> None:
    model, inputs = taught(name)
    other = models.build(name, seed=1)
    models.last_layer(other).load_state_dict(models.last_layer(model).state_dict())
    found = bench_worker.compare(scores(other, inputs), scores(model, inputs))
    assert found["top1_agreement"] < 0.5
    assert found["difference"] > 0.5


def test_an_input_is_the_same_in_every_batch() -> None:
    assert torch.equal(models.examples("lstm", 2)[0], models.examples("lstm", 1)[0])
    assert models.examples("resnet50", 1).shape == (1, 3, 224, 224)


def served(job: dict[str, Any], calls: str = "2\n") -> list[Any]:
    """Run a job in this process; return its answer."""
    answers: list[Any] = []
    bench_worker._serve({"variables": {}, **job}, io.BytesIO(calls.encode()), answers.append)
    return answers


def test_the_second_worker_has_the_last_layer_of_the_first(tmp_path: Path) -> None:
    job = {"model": "lstm", "batch": 2, "device": "cpu", "reference": str(tmp_path / "reference.pt")}
    first, times = served({**job, "way": "eager", "dtype": "fp32", "first": True})
    assert first == {"difference": 0.0, "top1_agreement": 1.0}
    assert len(times) == 2
    second, _ = served({**job, "way": "accel", "dtype": "bf16", "first": False})
    assert second["top1_agreement"] == 1.0
    assert second["difference"] < 2e-2
    assert json.dumps(second)


def test_nothing_is_measured_in_inference_mode(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen: list[tuple[bool, bool]] = []
    own = bench_worker._timed

    def timed(call: Any, example: Any) -> float:
        seen.append((torch.is_grad_enabled(), torch.is_inference_mode_enabled()))
        return own(call, example)

    monkeypatch.setattr(bench_worker, "_timed", timed)
    job = {"model": "lstm", "batch": 1, "device": "cpu", "reference": str(tmp_path / "reference.pt")}
    served({**job, "way": "eager", "dtype": "fp32", "first": True}, "1\n")
    assert seen == [(False, False)]


def test_a_host_forks_a_process_for_each_job(tmp_path: Path) -> None:
    job = {"model": "lstm", "batch": 2, "device": "cpu", "reference": str(tmp_path / "reference.pt"), "variables": {}}
    plain = {**job, "way": "eager", "dtype": "fp32", "first": True, "quick": True}
    told = [plain, 2, 0, {**plain, "way": "unknown"}, 1, 0, {**plain, "first": False, "variables": {"ACCEL_X": "1"}}, 1]
    done = subprocess.run(
        [sys.executable, "-m", "accel_runtime.bench_worker", json.dumps({"model": "lstm", "ipex": False})],
        input="".join(f"{json.dumps(line)}\n" for line in told),
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    ready, first, times, unknown, ended, second, more = map(json.loads, done.stdout.splitlines())
    assert ready == {}
    assert first == second == {"difference": 0.0, "top1_agreement": 1.0}
    assert (len(times), len(more)) == (2, 1)
    assert unknown == {"error": "KeyError: 'unknown'"}
    assert ended == {"error": "the process has ended"}
