from __future__ import annotations

import json
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from accel_runtime import bench, bench_host, bench_ways, tuning
from accel_runtime.bench import Line
from accel_runtime.bench_host import BenchError
from accel_runtime.bench_pace import Pace
from accel_runtime.bench_ways import Way

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


def test_the_best_are_among_those_that_agree() -> None:
    best = {
        "best_throughput_ratio": 4.0,
        "best_throughput_path": "fast",
        "best_throughput_batch": 16,
        "best_latency_reduction": 0.7,
        "best_latency_path": "quick",
    }
    assert bench.summary(LINES) == {**best, **{f"{name}_without_int8": value for name, value in best.items()}}


def test_throughput_of_a_quick_run_is_at_batch_8() -> None:
    lines = tuple(replace(line, batch=8 if line.batch == 16 else 1) for line in LINES)
    assert bench.summary(lines)["best_throughput_batch"] == 8
    (said,) = bench.verdict(lines)
    assert "4.00x examples/s at batch 8 (fast)" in said


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
    assert [way.name for way in bench_ways.CPU_WAYS if way.dtype == "int8"] == ["ipex int8, calibrated on these inputs"]


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
    plain = bench_host.variables(bench_ways.PLAIN)
    assert not {"ACCEL_AUTO", "THP_MEM_ALLOC_ENABLE", "MALLOC_MMAP_THRESHOLD_"} & plain.keys()
    assert plain["MALLOC_TRIM_THRESHOLD_"] == "77"  # the user's own stays
    ours = bench_host.variables(Way(name="accel", way="accel"))
    assert ours["MALLOC_MMAP_THRESHOLD_"] == str(4 << 30)


FAKE = """
import json, sys
print("{}", flush=True)
way = None
for line in sys.stdin:
    match json.loads(line):
        case dict(job):
            broken = job["way"] == "ipex" or job["device"] == "cuda"
            way = job["way"]
            open(job["reference"], "w").close()
            answer = {"error": "IPEX is not installed"} if broken else {"difference": 0.0, "top1_agreement": 1.0}
        case 0:
            continue
        case int(calls) if way == "compile":
            answer = {"error": "the process was ended by signal 11"}
        case int(calls):
            answer = [0.4 if way == "eager" else 0.1] * calls
    print(json.dumps(answer), flush=True)
"""


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace Python by a program that measures nothing."""
    program = tmp_path / "python"
    (tmp_path / "fake.py").write_text(FAKE)
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{tmp_path}/fake.py" "$@"\n')
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))


@pytest.mark.usefixtures("fake")
def test_measuring() -> None:
    told: list[str] = []
    ways = (
        Way(name="ipex", way="ipex"),
        Way(name="crash", way="compile"),
        Way(name="accel", way="accel", variables=(("ACCEL_ENGINE", "ipex"),)),
    )
    pace = Pace((1, 16), 3, most=2, clock=lambda: 0.0)
    lines = bench.measure("lstm", ways, device="cpu", batches=(1, 16), pace=pace, tell=told.append)
    expected = [
        ("eager fp32 (plain torch)", 1.0, 0, None),
        ("ipex", None, 0, "IPEX is not installed"),
        ("crash", None, 0, "the process was ended by signal 11"),
        ("accel", 4.0, 2, None),
    ]
    assert [(line.name, line.ratio, line.rounds, line.error) for line in lines] == expected * 2
    assert told == [
        "accel, batch 1 (1 of 6)",
        "accel, batch 16 (2 of 6, about 0 s left)",
        "ipex, batch 1 (3 of 6, about 0 s left)",
        "crash, batch 1 (4 of 6, about 0 s left)",
        "ipex, batch 16 (5 of 6, about 0 s left)",
        "crash, batch 16 (6 of 6, about 0 s left)",
    ]
    assert json.loads(json.dumps(bench.as_json(lines)))[-1]["throughput"] == 160


@pytest.mark.usefixtures("fake")
def test_without_time_the_first_path_is_measured_and_the_others_are_named() -> None:
    now = iter(range(0, 100_000, 20))
    ways = (Way(name="slow", way="eager"), Way(name="accel", way="accel"))
    pace = Pace((1,), 2, most=8, limit=60, clock=lambda: float(next(now)))
    lines = bench.measure("lstm", ways, device="cpu", batches=(1,), pace=pace, tell=lambda _: None)
    assert [(line.rounds, bool(line.error)) for line in lines] == [(0, False), (0, True), (2, False)]
    assert "--quick has no time left for it" in (lines[1].error or "")
    (said,) = bench.precision(lines, limit=60)
    assert said.startswith(
        "quick (60 s at most, up to 8 rounds without --quick): 2 rounds for each path; ratios vary by ±0%"
    )


def test_spread_is_half_the_range_of_the_ratios() -> None:
    assert bench.spread([[1.0], [1.0]], [[0.5], [0.4]]) == pytest.approx(0.25 / 2.25)
    assert list(bench.precision(LINES, limit=None)) == []


@pytest.mark.usefixtures("fake")
def test_a_gpu_that_fails_is_an_error() -> None:
    pace = Pace((1,), 3, most=1)
    with pytest.raises(BenchError, match="plain torch fails on cuda: IPEX"):
        bench.measure("lstm", bench_ways.GPU_WAYS, device="cuda", batches=(1,), pace=pace, tell=lambda _: None)


def test_a_host_that_cannot_start_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(BenchError, match="the process that loads torch died"):
        bench.measure("lstm", (), device="cpu", batches=(1,), pace=Pace((1,), 0, most=1), tell=lambda _: None)
