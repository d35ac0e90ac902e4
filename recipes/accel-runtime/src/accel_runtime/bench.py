"""`accel bench`: what each path gains over plain torch on this machine.

Every path runs in a process of its own and is measured against a second process with plain torch (eager, fp32,
nothing of this package loaded or set), in turns, so that a machine that is busy for a while is busy for both.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from accel_runtime import tuning

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_BURST = {1: 5}
"""Calls in a row before it is the other's turn, by batch; one where the batch is not named."""

ROUNDS = 8

LATENCY, THROUGHPUT = 1, 16
"""The batches: latency is measured with one example, throughput with sixteen."""


class BenchError(Exception):
    """Plain torch itself cannot be measured, so that there is nothing to hold a path against."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A path to measure.

    Attributes:
        name: for people.
        way: what `accel_runtime.bench_worker` does.
        dtype: in which it computes: `fp32`, `bf16`, `fp16` or `int8`.
        variables: set in its process.
        tuned: whether its process has the variables of an activated environment.
    """

    name: str
    way: str
    dtype: str = "fp32"
    variables: tuple[tuple[str, str], ...] = ()
    tuned: bool = True

    @property
    def needs_ipex(self) -> bool:
        """Whether it is a path of IPEX."""
        return "ipex" in self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What one path gave with one batch.

    Attributes:
        name: of the path.
        batch: examples in a call.
        dtype: in which it computes.
        seconds: median of a call.
        throughput: examples a second.
        ratio: throughput over that of plain torch, both medians of the same minutes.
        latency_reduction: 1 - seconds over those of plain torch.
        difference: norm of the difference from plain torch's results over their norm.
        top1_agreement: share of the examples that get the same class.
        error: why there are no numbers.
    """

    name: str
    batch: int
    dtype: str = "fp32"
    seconds: float | None = None
    throughput: float | None = None
    ratio: float | None = None
    latency_reduction: float | None = None
    difference: float | None = None
    top1_agreement: float | None = None
    error: str | None = None


PLAIN = Way(name="eager fp32 (plain torch)", way="eager", tuned=False)

_IPEX = (("ACCEL_ENGINE", "ipex"),)

_INT8 = "int8"

CPU_WAYS = (
    Way(name="eager fp32, activated", way="eager"),
    Way(name="autocast bf16", way="eager", dtype="bf16"),
    Way(name="ipex.optimize fp32", way="ipex"),
    Way(name="ipex.optimize fp32, traced", way="ipex traced"),
    Way(name="ipex.optimize bf16", way="ipex", dtype="bf16"),
    Way(name="ipex.optimize bf16, traced", way="ipex traced", dtype="bf16"),
    Way(name="ipex int8, calibrated on these inputs", way="ipex int8", dtype=_INT8),
    Way(name="accel fp32", way="accel"),
    Way(name="accel bf16", way="accel", dtype="bf16"),
    Way(name="accel fp32, ipex", way="accel", variables=_IPEX),
    Way(name="accel bf16, ipex", way="accel", dtype="bf16", variables=_IPEX),
)

GPU_WAYS = (
    Way(name="accel fp32", way="accel"),
    Way(name="autocast bf16", way="eager", dtype="bf16"),
    Way(name="autocast fp16", way="eager", dtype="fp16"),
)

COMPILE_WAYS = (
    Way(name="torch.compile fp32", way="compile"),
    Way(name="torch.compile bf16", way="compile", dtype="bf16"),
)


def measure(
    model: str, ways: Sequence[Way], *, device: str, batches: Sequence[int], rounds: int, tell: Callable[[str], None]
) -> tuple[Line, ...]:
    """Measure paths.

    Args:
        model: of `accel_runtime.models`.
        ways: besides plain torch.
        device: `cpu` or `cuda`.
        batches: examples in a call.
        rounds: turns of each process; each turn is one to five calls.
        tell: receives a line before each measurement.

    Raises:
        BenchError: plain torch fails, as on a GPU that fails at first use.
    """
    found: list[Line] = []
    turn, turns, started = itertools.count(), len(batches) * len(ways), time.monotonic()
    for batch in batches:
        with tempfile.TemporaryDirectory() as folder:
            job = {"model": model, "batch": batch, "device": device, "reference": str(Path(folder, "reference.pt"))}
            with _Worker(PLAIN, job, first=True) as plain:
                if problem := plain.prepared.get("error"):
                    raise BenchError(f"plain torch fails on {device}: {problem}")
                every: list[float] = []
                for way in ways:
                    done = next(turn)
                    left = remaining(done, turns, seconds=time.monotonic() - started)
                    tell(f"{way.name}, batch {batch} ({done + 1} of {turns}{left})")
                    line, seconds = _against(plain, way, job, rounds)
                    found.append(line)
                    every += seconds
                own = statistics.median(every or plain.times(_BURST.get(batch, 1)))
                found.insert(-len(ways) or len(found), _plain_line(batch, own))
    return tuple(found)


def remaining(done: int, every: int, *, seconds: float) -> str:
    """Say how long the rest will take, as long as what is done took; nothing before the first is done."""
    if not done:
        return ""
    left = seconds / done * (every - done)
    return f", about {left / 60:.0f} min left" if left >= 90 else f", about {left:.0f} s left"  # noqa: PLR2004


def summary(lines: Sequence[Line]) -> dict[str, Any]:
    """Pick the best paths: throughput at batch 16, latency at batch 1; among those that agree on every input's class.

    Returns:
        `best_throughput_ratio` and `best_latency_reduction` with their paths, of all paths; the same again ending in
        `_without_int8`. A value is None where nothing was measured.
    """
    floats = [line for line in lines if line.dtype != _INT8]
    return {**_best(lines), **{f"{name}_without_int8": value for name, value in _best(floats).items()}}


def verdict(lines: Sequence[Line]) -> Iterator[str]:
    """Write the summary for people: int8 apart, since it takes more than another command."""
    best = summary(lines)
    yield f"best of fp32, bf16 and fp16: {_told(best, '_without_int8')}"
    if any(line.dtype == _INT8 and not line.error for line in lines):
        yield (
            f"best with int8: {_told(best)}; int8 needs calibration data, and a check of your own model's accuracy: "
            "here it was calibrated on the inputs that were measured"
        )


def _best(lines: Sequence[Line]) -> dict[str, Any]:
    agreeing = [line for line in lines if line.top1_agreement == 1.0]
    fast = max((one for one in agreeing if one.batch == THROUGHPUT), key=lambda one: one.ratio or 0, default=None)
    quick = max((one for one in agreeing if one.batch == LATENCY), key=lambda one: one.ratio or 0, default=None)
    return {
        "best_throughput_ratio": fast.ratio if fast else None,
        "best_throughput_path": fast.name if fast else None,
        "best_latency_reduction": quick.latency_reduction if quick else None,
        "best_latency_path": quick.name if quick else None,
    }


def _told(best: dict[str, Any], end: str = "") -> str:
    ratio, reduction = best[f"best_throughput_ratio{end}"], best[f"best_latency_reduction{end}"]
    said = []
    if ratio is not None:
        said.append(f"{ratio:.2f}x examples/s at batch {THROUGHPUT} ({best[f'best_throughput_path{end}']})")
    if reduction is not None:
        said.append(f"{reduction:.0%} less latency at batch {LATENCY} ({best[f'best_latency_path{end}']})")
    return ", ".join(said) or f"nothing at batch {THROUGHPUT} or {LATENCY}"


def as_json(lines: Sequence[Line]) -> list[dict[str, Any]]:
    """Write lines as JSON values."""
    return [asdict(line) for line in lines]


def table(lines: Sequence[Line]) -> Iterator[str]:
    """Write lines as a table."""
    width = max(len(line.name) for line in lines)
    yield f"{'path':<{width}}  batch  ms/call  examples/s  ratio  latency  difference  top-1"
    for line in lines:
        head = f"{line.name:<{width}}  {line.batch:>5}"
        if line.error or not (line.seconds and line.ratio):
            yield f"{head}  {line.error}"
            continue
        yield (
            f"{head}  {line.seconds * 1e3:>7.1f}  {line.throughput:>10.1f}  {line.ratio:>4.2f}x"
            f"  {-(line.latency_reduction or 0):>+7.0%}  {line.difference:>10.1e}  {line.top1_agreement:>5.0%}"
        )


class _Worker:
    """A process that measures one path."""

    def __init__(self, way: Way, job: dict[str, Any], *, first: bool = False) -> None:
        self._job = json.dumps({**job, "way": way.way, "dtype": way.dtype, "first": first})
        self._variables = _variables(way)

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "accel_runtime.bench_worker", self._job],
            env=self._variables,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.prepared: dict[str, Any] = self._answer() or {"error": "the process died"}
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._process.communicate(timeout=30)
        self._process.kill()
        self._process.wait()

    def times(self, calls: int) -> list[float]:
        """Call the model; seconds of each call."""
        if self._process.stdin is not None:
            self._process.stdin.write(f"{calls}\n")
            self._process.stdin.flush()
        return list(self._answer() or [])

    def _answer(self) -> Any:
        line = self._process.stdout.readline() if self._process.stdout else ""
        return json.loads(line) if line else None


def _against(plain: _Worker, way: Way, job: dict[str, Any], rounds: int) -> tuple[Line, list[float]]:
    """Measure a path and plain torch in turns."""
    with _Worker(way, job) as worker:
        if error := worker.prepared.get("error"):
            return Line(name=way.name, batch=job["batch"], dtype=way.dtype, error=error), []
        theirs: list[float] = []
        ours: list[float] = []
        for _ in range(rounds):
            theirs += plain.times(_BURST.get(job["batch"], 1))
            ours += worker.times(_BURST.get(job["batch"], 1))
    seconds, base = statistics.median(ours), statistics.median(theirs)
    line = Line(
        name=way.name,
        batch=job["batch"],
        dtype=way.dtype,
        seconds=seconds,
        throughput=job["batch"] / seconds,
        ratio=base / seconds,
        latency_reduction=1 - seconds / base,
        difference=worker.prepared["difference"],
        top1_agreement=worker.prepared["top1_agreement"],
    )
    return line, theirs


def _plain_line(batch: int, seconds: float) -> Line:
    return Line(
        name=PLAIN.name,
        batch=batch,
        seconds=seconds,
        throughput=batch / seconds,
        ratio=1.0,
        latency_reduction=0.0,
        difference=0.0,
        top1_agreement=1.0,
    )


def _variables(way: Way) -> dict[str, str]:
    """Build a worker's environment: ours without anything of this package, then what the path sets."""
    base = {name: value for name, value in os.environ.items() if not name.startswith("ACCEL_")}
    ours = tuning.ACTIVATED | tuning.STARTED
    plain = {name: value for name, value in base.items() if ours.get(name) != value}
    chosen = {} if way.way == "eager" and not way.tuned else tuning.ACTIVATED if way.way == "eager" else ours
    return {**plain, **chosen, **dict(way.variables)}
