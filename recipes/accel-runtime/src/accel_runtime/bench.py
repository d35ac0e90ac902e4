"""`accel bench`: what each path gains over plain torch on this machine.

Every path runs in a process of its own, in turns with a second process that has plain torch (eager, fp32, without the
variables of this package), so that a machine that is busy for a while is busy for both.
"""

from __future__ import annotations

import itertools
import statistics
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from accel_runtime.bench_host import BenchError, DiedError, Hosts
from accel_runtime.bench_ways import INT8, PLAIN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from accel_runtime.bench_host import Worker
    from accel_runtime.bench_pace import Pace
    from accel_runtime.bench_ways import Way

_BURST = {1: 5}
"""Calls in a row in one round, by batch; one where the batch is not named."""

ROUNDS = 8

QUICK = 110.0
"""Seconds of `--quick`: what is left of two minutes is for the start of Python and the end of the processes."""

_NO_TIME = "left out: --quick has no time left for it (measure it with --path, or without --quick)"

LATENCY, THROUGHPUT = 1, 16
"""The batches: latency is measured with one example, throughput with sixteen."""

QUICK_THROUGHPUT = 8
"""The same in a quick run: on two cores, two rounds of every path with sixteen examples take two minutes alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """The measurement of one path with one batch.

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
        rounds: how often plain torch and the path were measured in turns; 0 for plain torch.
        spread: half the range of `ratio` over the rounds, divided by its mean.
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
    rounds: int = 0
    spread: float | None = None
    error: str | None = None


def measure(
    model: str, ways: Sequence[Way], *, device: str, batches: Sequence[int], pace: Pace, tell: Callable[[str], None]
) -> tuple[Line, ...]:
    """Return the measurements of paths.

    Args:
        model: of `accel_runtime.models`.
        ways: besides plain torch.
        device: `cpu` or `cuda`.
        batches: examples in a call.
        pace: how many rounds each path gets; a round is one to five calls of it and as many of plain torch.
        tell: receives a line before each measurement.

    Returns:
        For each batch plain torch and the paths, in their order.

    Raises:
        BenchError: plain torch fails, as on a GPU that fails at first use.
    """
    first = [way for way in ways if way.way == "accel"]  # they matter most where time runs out
    groups = [group for group in (first, [way for way in ways if way not in first]) if group] or [[]]
    with Hosts(model, (PLAIN, *ways)) as hosts, tempfile.TemporaryDirectory() as folder:
        bench = _Bench(hosts=hosts, model=model, device=device, pace=pace, tell=tell, turns=len(batches) * len(ways))
        for group in groups:
            for batch in batches:
                bench.measure(group, batch, Path(folder, f"reference-{batch}.pt"))
        return tuple(line for batch in batches for line in bench.lines(ways, batch))


def summary(lines: Sequence[Line]) -> dict[str, Any]:
    """Return the best paths: throughput at batch 16 (quick: 8), latency at 1; of those that agree on all classes.

    Returns:
        `best_throughput_ratio` and `best_latency_reduction` with their paths, of all paths; the same again ending in
        `_without_int8`. A value is None where nothing was measured.
    """
    floats = [line for line in lines if line.dtype != INT8]
    return {**_best(lines), **{f"{name}_without_int8": value for name, value in _best(floats).items()}}


def precision(lines: Sequence[Line], *, limit: float | None) -> Iterator[str]:
    """Yield on how many rounds the table rests, and how far they are apart.

    Args:
        lines: of the table.
        limit: seconds of a quick run; None for a whole one.
    """
    measured = [line for line in lines if line.spread is not None]
    if not measured:
        return
    fewest, most = min(line.rounds for line in measured), max(line.rounds for line in measured)
    rounds = f"{fewest}" if fewest == most else f"{fewest} to {most}"
    worst = max(measured, key=lambda line: line.spread or 0)
    usual = statistics.median(line.spread or 0 for line in measured)
    kind = f"quick ({limit:.0f} s at most, up to {ROUNDS} rounds without --quick)" if limit else "whole"
    yield (
        f"{kind}: {rounds} rounds for each path; ratios vary by ±{usual:.0%} between rounds (median of the paths), "
        f"by ±{worst.spread:.0%} at most ({worst.name}, batch {worst.batch})"
    )


def verdict(lines: Sequence[Line]) -> Iterator[str]:
    """Yield the summary for people: int8 apart, since it needs calibration data."""
    best = summary(lines)
    yield f"best of fp32, bf16 and fp16: {_told(best, '_without_int8')}"
    if any(line.dtype == INT8 and not line.error for line in lines):
        yield (
            f"best with int8: {_told(best)}; int8 needs calibration data, and a check of your own model's accuracy: "
            "here it was calibrated on the inputs that were measured"
        )


def _best(lines: Sequence[Line]) -> dict[str, Any]:
    agreeing = [line for line in lines if line.top1_agreement == 1.0]
    fast = max(
        (one for one in agreeing if one.batch == _throughput(lines)), key=lambda one: one.ratio or 0, default=None
    )
    quick = max((one for one in agreeing if one.batch == LATENCY), key=lambda one: one.ratio or 0, default=None)
    return {
        "best_throughput_ratio": fast.ratio if fast else None,
        "best_throughput_path": fast.name if fast else None,
        "best_throughput_batch": fast.batch if fast else None,
        "best_latency_reduction": quick.latency_reduction if quick else None,
        "best_latency_path": quick.name if quick else None,
    }


def _throughput(lines: Sequence[Line]) -> int:
    """Return the batch that throughput is compared at: 16 where it was measured, else 8."""
    return THROUGHPUT if any(line.batch == THROUGHPUT for line in lines) else QUICK_THROUGHPUT


def _told(best: dict[str, Any], end: str = "") -> str:
    ratio, reduction = best[f"best_throughput_ratio{end}"], best[f"best_latency_reduction{end}"]
    said = []
    if ratio is not None:
        batch, path = (best[f"best_throughput_{what}{end}"] for what in ("batch", "path"))
        said.append(f"{ratio:.2f}x examples/s at batch {batch} ({path})")
    if reduction is not None:
        said.append(f"{reduction:.0%} less latency at batch {LATENCY} ({best[f'best_latency_path{end}']})")
    return ", ".join(said) or f"nothing at batch {THROUGHPUT} or {LATENCY}"


def as_json(lines: Sequence[Line]) -> list[dict[str, Any]]:
    """Return lines as JSON values."""
    return [asdict(line) for line in lines]


def table(lines: Sequence[Line]) -> Iterator[str]:
    """Yield the table for people."""
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


class _Bench:
    """One run: its processes, its pace, and how far it is."""

    def __init__(
        self, *, hosts: Hosts, model: str, device: str, pace: Pace, tell: Callable[[str], None], turns: int
    ) -> None:
        self._hosts = hosts
        self._model = model
        self._device = device
        self._pace = pace
        self._tell = tell
        self._turns = turns
        self._turn = itertools.count(1)
        self._found: dict[tuple[str, int], Line] = {}
        self._plain: dict[int, list[float]] = {}

    def measure(self, ways: Sequence[Way], batch: int, reference: Path) -> None:
        """Measure paths with one batch; plain torch leaves its results in `reference`, when it is called first."""
        job = {
            "model": self._model,
            "batch": batch,
            "device": self._device,
            "reference": str(reference),
            "quick": self._pace.limit is not None,
            "first": not reference.exists(),
        }
        with self._hosts.worker(PLAIN, job) as plain:
            if problem := plain.prepared.get("error"):
                raise BenchError(f"plain torch fails on {self._device}: {problem}")
            seconds = self._plain.setdefault(batch, [])
            for way in ways:
                self._found[way.name, batch], theirs = self._path(plain, way, {**job, "first": False})
                seconds += theirs
            if not seconds:
                seconds += plain.times(_BURST.get(batch, 1))

    def lines(self, ways: Sequence[Way], batch: int) -> Iterator[Line]:
        """Yield plain torch and the paths with one batch."""
        yield _plain_line(batch, statistics.median(self._plain[batch]))
        yield from (self._found[way.name, batch] for way in ways)

    def _path(self, plain: Worker, way: Way, job: dict[str, Any]) -> tuple[Line, list[float]]:
        batch = job["batch"]
        self._tell(f"{way.name}, batch {batch} ({next(self._turn)} of {self._turns}{self._pace.remaining()})")
        if self._pace.late(batch):
            self._pace.skip(batch)
            return self._left_out(way, batch), []
        with self._pace.timed(batch), self._hosts.worker(way, job) as worker:
            return _against(plain, worker, way, batch, self._pace)

    @staticmethod
    def _left_out(way: Way, batch: int) -> Line:
        return Line(name=way.name, batch=batch, dtype=way.dtype, error=_NO_TIME)


def _against(plain: Worker, worker: Worker, way: Way, batch: int, pace: Pace) -> tuple[Line, list[float]]:
    """Return the measurement of a path in turns with plain torch, and plain torch's seconds."""
    failed = Line(name=way.name, batch=batch, dtype=way.dtype, error=worker.prepared.get("error"))
    if failed.error:
        return failed, []
    calls = _BURST.get(batch, 1)
    theirs: list[list[float]] = []
    ours: list[list[float]] = []
    try:
        for _ in pace.rounds(batch):
            theirs.append(plain.times(calls))
            ours.append(worker.times(calls))
    except DiedError as error:
        return replace(failed, error=str(error)), []
    seconds, base = (statistics.median(itertools.chain(*rounds)) for rounds in (ours, theirs))
    line = replace(
        failed,
        seconds=seconds,
        throughput=batch / seconds,
        ratio=base / seconds,
        latency_reduction=1 - seconds / base,
        difference=worker.prepared["difference"],
        top1_agreement=worker.prepared["top1_agreement"],
        rounds=len(ours),
        spread=spread(theirs, ours),
    )
    return line, list(itertools.chain(*theirs))


def spread(theirs: Sequence[Sequence[float]], ours: Sequence[Sequence[float]]) -> float:
    """Return half the range of a ratio over its rounds, divided by their mean: 0.05 stands for ±5 %."""
    ratios = [statistics.median(base) / statistics.median(own) for base, own in zip(theirs, ours, strict=True)]
    return (max(ratios) - min(ratios)) / 2 / statistics.mean(ratios)


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
