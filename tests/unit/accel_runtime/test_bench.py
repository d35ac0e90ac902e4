from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

from accel_runtime import bench, tuning
from accel_runtime.bench import Line, Way

if TYPE_CHECKING:
    from pathlib import Path

LINES = (
    Line(
        name="plain",
        batch=16,
        seconds=1.6,
        throughput=10,
        ratio=1.0,
        latency_reduction=0.0,
        difference=0.0,
        top1_agreement=1.0,
    ),
    Line(
        name="fast",
        batch=16,
        seconds=0.4,
        throughput=40,
        ratio=4.0,
        latency_reduction=0.75,
        difference=5e-3,
        top1_agreement=1.0,
    ),
    Line(
        name="wrong",
        batch=16,
        seconds=0.1,
        throughput=160,
        ratio=16.0,
        latency_reduction=0.9,
        difference=0.9,
        top1_agreement=0.5,
    ),
    Line(
        name="quick",
        batch=1,
        seconds=0.02,
        throughput=50,
        ratio=3.5,
        latency_reduction=0.7,
        difference=5e-3,
        top1_agreement=1.0,
    ),
    Line(name="broken", batch=1, error="IPEX is not installed"),
)
INT8 = Line(
    name="int8",
    batch=1,
    dtype="int8",
    seconds=0.014,
    throughput=71,
    ratio=5.0,
    latency_reduction=0.8,
    difference=2e-2,
    top1_agreement=1.0,
)


@pytest.mark.parametrize(
    ("done", "seconds", "said"), [(0, 1.0, ""), (1, 20.0, ", about 7 min left"), (20, 400.0, ", about 40 s left")]
)
def test_what_is_left(done: int, seconds: float, said: str) -> None:
    assert bench.remaining(done, 22, seconds=seconds) == said


def test_the_best_are_among_those_that_agree() -> None:
    best = {
        "best_throughput_ratio": 4.0,
        "best_throughput_path": "fast",
        "best_latency_reduction": 0.7,
        "best_latency_path": "quick",
    }
    assert bench.summary(LINES) == {**best, **{f"{name}_without_int8": value for name, value in best.items()}}


def test_int8_is_told_apart() -> None:
    found = bench.summary((*LINES, INT8))
    assert (found["best_latency_reduction"], found["best_latency_path"]) == (0.8, "int8")
    assert (found["best_latency_reduction_without_int8"], found["best_latency_path_without_int8"]) == (0.7, "quick")
    without, with_int8 = bench.verdict((*LINES, INT8))
    assert without == (
        "best of fp32, bf16 and fp16: 4.00x examples/s at batch 16 (fast), 70% less latency at batch 1 (quick)"
    )
    assert with_int8.startswith(
        "best with int8: 4.00x examples/s at batch 16 (fast), 80% less latency at batch 1 (int8)"
    )
    assert "int8 needs calibration data, and a check of your own model's accuracy" in with_int8


def test_int8_that_was_not_measured_is_not_told() -> None:
    assert len(list(bench.verdict((*LINES, Line(name="int8", batch=1, dtype="int8", error="no"))))) == 1


def test_int8_says_so_in_its_name() -> None:
    assert [way.name for way in bench.CPU_WAYS if way.dtype == "int8"] == ["ipex int8, calibrated on these inputs"]


def test_nothing_measured() -> None:
    assert bench.summary(())["best_throughput_ratio"] is None
    assert list(bench.verdict(())) == ["best of fp32, bf16 and fp16: nothing at batch 16 or 1"]


def test_table() -> None:
    head, _, fast, *_, broken = bench.table(LINES)
    assert head.split() == ["path", "batch", "ms/call", "examples/s", "ratio", "latency", "difference", "top-1"]
    assert fast.split() == ["fast", "16", "400.0", "40.0", "4.00x", "-75%", "5.0e-03", "100%"]
    assert broken.split() == ["broken", "1", "IPEX", "is", "not", "installed"]


def test_plain_torch_is_measured_without_anything_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (tuning.ACTIVATED | tuning.STARTED | {"ACCEL_AUTO": "bf16"}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "77")
    plain = bench._variables(bench.PLAIN)
    assert not {"ACCEL_AUTO", "THP_MEM_ALLOC_ENABLE", "MALLOC_MMAP_THRESHOLD_"} & plain.keys()
    assert plain["MALLOC_TRIM_THRESHOLD_"] == "77"  # the user's own stays
    ours = bench._variables(Way(name="accel", way="accel", variables=(("ACCEL_ENGINE", "ipex"),)))
    assert (ours["ACCEL_ENGINE"], ours["MALLOC_MMAP_THRESHOLD_"]) == ("ipex", str(4 << 30))


FAKE = """
import json, sys
job = json.loads(sys.argv[-1])
if job["way"] == "ipex" or job["device"] == "cuda":
    print(json.dumps({"error": "IPEX is not installed"}))
else:
    print(json.dumps({"difference": 0.0, "top1_agreement": 1.0}), flush=True)
    for line in sys.stdin:
        print(json.dumps([0.4 if job["way"] == "eager" else 0.1] * int(line)), flush=True)
"""


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a program that measures nothing in Python's place."""
    program = tmp_path / "python"
    (tmp_path / "fake.py").write_text(FAKE)
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{tmp_path}/fake.py" "$@"\n')
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))


@pytest.mark.usefixtures("fake")
def test_measuring() -> None:
    told: list[str] = []
    ways = (Way(name="accel", way="accel"), Way(name="ipex", way="ipex"))
    lines = bench.measure("lstm", ways, device="cpu", batches=(16,), rounds=2, tell=told.append)
    assert [(line.name, line.ratio, line.error) for line in lines] == [
        ("eager fp32 (plain torch)", 1.0, None),
        ("accel", 4.0, None),
        ("ipex", None, "IPEX is not installed"),
    ]
    assert told == ["accel, batch 16 (1 of 2)", "ipex, batch 16 (2 of 2, about 0 s left)"]
    assert json.loads(json.dumps(bench.as_json(lines)))[1]["throughput"] == 160


@pytest.mark.usefixtures("fake")
def test_a_gpu_that_fails_is_an_error() -> None:
    with pytest.raises(bench.BenchError, match="plain torch fails on cuda: IPEX"):
        bench.measure("lstm", bench.GPU_WAYS, device="cuda", batches=(1,), rounds=1, tell=lambda _: None)
