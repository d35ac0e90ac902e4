"""Compares two checkouts of envgen: `python -m tests.benchmarks.compare CHECKOUT_A CHECKOUT_B`.

The cases are those of `bench_all`, as this checkout has them, without uv; turns of A and B alternate, so that a machine
that is busy for a while is busy for both. CPU seconds are compared too, which other processes disturb less. A is what
counts as before, B as after: a ratio above 1 is slower.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks.arguments import existing, positive
from tests.benchmarks.bench_all import chosen, groups, machine
from tests.benchmarks.measuring import Bench, median, remove

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.benchmarks.bench_create import Timing
    from tests.benchmarks.measuring import Case

_SLOWER = 1.1
"""Ratio of CPU seconds from which a case counts as slower: less is noise."""


def main() -> None:
    """Run the cases with both and print a table; exit 1 where one is slower."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("a", type=existing, metavar="CHECKOUT_A")
    parser.add_argument("b", type=existing, metavar="CHECKOUT_B")
    parser.add_argument("--rounds", type=positive, default=5)
    parser.add_argument("--work", type=existing, help="folder on the disk to measure")
    parser.add_argument("--only", action="append", choices=groups(), help="cases of these modules alone")
    parser.add_argument("--case", help="cases whose job has this text")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="bench-compare-", dir=options.work)).resolve()
    try:
        sides = [
            Bench(folder=folder / name, checkout=path.resolve()) for name, path in (("a", options.a), ("b", options.b))
        ]
        found = {case.job: _turns(case, sides, options.rounds) for case in chosen(options.only, options.case)}
    finally:
        remove(folder)
    print(table(found))  # noqa: T201
    sys.exit(any(_cpu(turns) > _SLOWER for turns in found.values()))


def _turns(case: Case, sides: Sequence[Bench], rounds: int) -> tuple[list[Timing], ...]:
    turns: tuple[list[Timing], ...] = tuple([] for _ in sides)
    for number in range(rounds):
        print(f"{case.job}: {number + 1} of {rounds}", file=sys.stderr)  # noqa: T201
        for side, timings in zip(sides, turns, strict=True):
            timings.append(case.envgen(side))
    return turns


def table(found: dict[str, tuple[list[Timing], ...]]) -> str:
    """Render the turns of A and B as Markdown."""
    lines = [machine(), "", "| job | A | B | ratio | ratio of CPU | |", "|---|---|---|---|---|---|"]
    for job, turns in found.items():
        a, b = map(median, turns)
        word = "slower" if _cpu(turns) > _SLOWER else ""
        lines.append(
            f"| {job} | {a.wall:.2f} s | {b.wall:.2f} s | {b.wall / a.wall:.2f} | {_cpu(turns):.2f} | {word} |"
        )
    return "\n".join(lines)


def _cpu(turns: tuple[list[Timing], ...]) -> float:
    a, b = map(median, turns)
    return (b.user + b.system) / (a.user + a.system)


if __name__ == "__main__":
    main()
