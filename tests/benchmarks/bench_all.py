"""Times envgen beside uv and prints the table as Markdown: `python -m tests.benchmarks.bench_all`.

Cases come from the modules `rows_*.py` of this folder, each of which has a function `cases`. For each case, envgen and
uv take turns; every command runs in a process of its own, with stores and projects below one folder that goes away in
the end. Run it on a quiet machine, and read the ratios: figures are medians, and what is behind `±` is half of the
distance between the fastest and the slowest turn.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from envgen.system.processor import probe_processor
from tests.benchmarks.arguments import existing, positive
from tests.benchmarks.measuring import Bench, Case, median, remove

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tests.benchmarks.bench_create import Timing


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A case and its turns."""

    case: Case
    envgen: tuple[Timing, ...]
    uv: tuple[Timing, ...]

    @property
    def ratio(self) -> float | None:
        """Seconds of envgen for one of uv."""
        return median(self.envgen).wall / median(self.uv).wall if self.uv else None

    @property
    def is_reached(self) -> bool | None:
        """Return whether the goal is reached; None without one."""
        goal = self.case.goal
        if goal is None:
            return None
        found = median(self.envgen).wall if goal.seconds else self.ratio
        return found is not None and found <= goal.most


def main() -> None:
    """Run the cases and print the table or, with `--json`, the figures."""
    options = _options()
    folder = Path(tempfile.mkdtemp(prefix="bench-all-", dir=options.work)).resolve()
    try:
        bench = Bench(folder=folder)
        rows = [_measured(case, bench, options.rounds) for case in chosen(options.only, options.case)]
    finally:
        remove(folder)
    print(_json(rows) if options.json else table(rows, options.rounds))  # noqa: T201


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=positive, default=3)
    parser.add_argument("--work", type=existing, help="folder on the disk to measure")
    parser.add_argument("--only", action="append", choices=groups(), help="cases of these modules alone")
    parser.add_argument("--case", help="cases whose job has this text")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def groups() -> list[str]:
    """Name the modules that have cases: `lock` for `rows_lock.py`."""
    return sorted(path.stem.removeprefix("rows_") for path in Path(__file__).parent.glob("rows_*.py"))


def chosen(only: Sequence[str] | None, text: str | None) -> list[Case]:
    """Collect the cases of some groups, of all without."""
    modules = (importlib.import_module(f"tests.benchmarks.rows_{group}") for group in only or groups())
    found: list[Case] = [case for module in modules for case in module.cases()]
    return [case for case in found if text is None or text in case.job]


def _measured(case: Case, bench: Bench, rounds: int) -> Row:
    envgen: list[Timing] = []
    uv: list[Timing] = []
    for number in range(rounds):
        print(f"{case.job}: {number + 1} of {rounds}", file=sys.stderr)  # noqa: T201
        envgen.append(case.envgen(bench))
        if case.uv:
            uv.append(case.uv(bench))
    return Row(case=case, envgen=tuple(envgen), uv=tuple(uv))


def table(rows: Iterable[Row], rounds: int) -> str:
    """Render rows as Markdown, with the machine above them."""
    lines = [
        f"{machine()}; medians of {rounds}",
        "",
        "| job | uv | envgen | CPU of envgen | peak | ratio | goal | |",
        "|---|---|---|---|---|---|---|---|",
    ]
    return "\n".join([*lines, *map(_line, rows)])


def machine() -> str:
    """Describe the machine, and how busy it is."""
    load = os.getloadavg()[1]
    name = probe_processor().name or platform.machine()
    return f"{name}, {os.cpu_count()} cores, load of the last 5 minutes {load:.1f}"


def _line(row: Row) -> str:
    own, ratio = median(row.envgen), row.ratio
    cells = (
        row.case.job,
        _seconds(row.uv) if row.uv else "-",
        _seconds(row.envgen),
        f"{own.user + own.system:.2f} s",
        f"{own.peak:.0f} MB",
        "-" if ratio is None else f"{ratio:.2f}",
        str(row.case.goal or "-"),
        {True: "reached", False: "above", None: ""}[row.is_reached],
    )
    return f"| {' | '.join(cells)} |"


def _seconds(timings: Sequence[Timing]) -> str:
    walls = [one.wall for one in timings]
    return f"{median(timings).wall:.2f} ± {(max(walls) - min(walls)) / 2:.2f} s"


def _json(rows: Iterable[Row]) -> str:
    found = [
        {"job": row.case.job, "ratio": row.ratio, "envgen": [*map(asdict, row.envgen)], "uv": [*map(asdict, row.uv)]}
        for row in rows
    ]
    return json.dumps({"machine": machine(), "rows": found}, indent=2)


if __name__ == "__main__":
    main()
