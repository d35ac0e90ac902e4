from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from accel_runtime import bench, tuning
from accel_runtime.bench import Line, Way

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

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


def test_the_best_are_among_those_that_agree() -> None:
    assert bench.summary(LINES) == {
        "best_throughput_ratio": 4.0,
        "best_throughput_path": "fast",
        "best_latency_reduction": 0.7,
        "best_latency_path": "quick",
    }


def test_nothing_measured() -> None:
    assert bench.summary(())["best_throughput_ratio"] is None


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
if job["way"] == "ipex":
    print(json.dumps({"error": "IPEX is not installed"}))
else:
    print(json.dumps({"difference": 0.0, "top1_agreement": 1.0}), flush=True)
    for line in sys.stdin:
        print(json.dumps([0.4 if job["way"] == "eager" else 0.1] * int(line)), flush=True)
"""


def test_measuring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "python"
    (tmp_path / "fake.py").write_text(FAKE)
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{tmp_path}/fake.py" "$@"\n')
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    told: list[str] = []
    ways = (Way(name="accel", way="accel"), Way(name="ipex", way="ipex"))
    lines = bench.measure("lstm", ways, device="cpu", batches=(16,), rounds=2, tell=told.append)
    assert [(line.name, line.ratio, line.error) for line in lines] == [
        ("eager fp32 (plain torch)", 1.0, None),
        ("accel", 4.0, None),
        ("ipex", None, "IPEX is not installed"),
    ]
    assert told == ["accel, batch 16", "ipex, batch 16"]
    assert json.loads(json.dumps(bench.as_json(lines)))[1]["throughput"] == 160
