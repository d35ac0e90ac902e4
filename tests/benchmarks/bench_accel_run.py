"""Times an unmodified script under `python` and under `accel run`: `python -m tests.benchmarks.bench_accel_run`.

Each turn is a process of its own, and turns alternate, so that a machine that is busy for a while is busy for all.
Run it on a quiet machine all the same, and read the ratios. The script is `accel_script.py`; `python` runs it without
any setting of an activated environment, the rest as users do.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

SCRIPT = Path(__file__).with_name("accel_script.py")
SETTINGS = "etc/conda/env_vars.d"
RECIPE = Path(__file__).parents[2] / "recipes/accel-runtime/src"
CASES = ("resnet50:16", "resnet50:1", "transformer:16", "transformer:1", "lstm:16", "lstm:1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A way to run the script: the words before its name, and the variables of the process."""

    name: str
    words: tuple[str, ...]
    variables: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """What a way gave: milliseconds of a call, the median of its turns, and how often that goes into plain python's."""

    case: str
    way: str
    milliseconds: float
    ratio: float


def main() -> None:
    """Run the rounds and print a table or, with `--json`, the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", type=Path, default=Path(sys.executable), help="of the environment to measure")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--case", action="append", help=f"MODEL:BATCH, of {', '.join(CASES)}")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = []
    for case in options.case or CASES:
        figures = _measured(case, ways(options.python), options.rounds)
        found += figures
        if not options.json:
            print("\n".join(map(_line, figures)), flush=True)  # noqa: T201
    if options.json:
        fields = ("case", "way", "milliseconds", "ratio")
        print(json.dumps([{name: getattr(one, name) for name in fields} for one in found], indent=2))  # noqa: T201


def ways(python: Path) -> tuple[Way, ...]:
    """List the ways; the first is what the others are held against.

    Args:
        python: of the environment; `accel` beside it is run where it is, else `python -m accel_runtime`.
    """
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("ACCEL_", "MALLOC_", "THP_"))}
    activated = plain | _settings(python.parent.parent)
    accel = python.with_name("accel")
    command = (str(accel),) if accel.exists() else (str(python), "-m", "accel_runtime")
    return (
        Way(name="python", words=(str(python),), variables=plain),
        Way(name="python, activated", words=(str(python),), variables=activated),
        Way(name="accel run --dtype fp32", words=(*command, "run", "--dtype", "fp32"), variables=activated),
        Way(name="accel run --dtype bf16", words=(*command, "run", "--dtype", "bf16"), variables=activated),
    )


def _settings(prefix: Path) -> dict[str, str]:
    """Read the variables that activation sets, or would set were the package installed."""
    found: dict[str, str] = {}
    for file in sorted((prefix / SETTINGS).glob("*.json")) or (RECIPE / SETTINGS).glob("*.json"):
        found |= json.loads(file.read_text(encoding="utf-8"))
    return found


def _measured(case: str, chosen: tuple[Way, ...], rounds: int) -> list[Figure]:
    kind, _, batch = case.partition(":")
    turns: dict[str, list[float]] = {way.name: [] for way in chosen}
    for _ in range(rounds):
        for way in chosen:
            turns[way.name].append(_turn(way, kind, batch))
    medians = {name: statistics.median(times) for name, times in turns.items()}
    plain = medians[chosen[0].name]
    return [Figure(case=case, way=name, milliseconds=own, ratio=plain / own) for name, own in medians.items()]


def _turn(way: Way, kind: str, batch: str) -> float:
    """Run the script once; return the milliseconds of a call."""
    command = [*way.words, str(SCRIPT), kind, batch]
    done = subprocess.run(command, env=way.variables, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr}")
    return float(done.stdout.split()[-1])


def _line(figure: Figure) -> str:
    return f"{figure.case:15} {figure.way:24} {figure.milliseconds:9.1f} ms  {figure.ratio:5.2f}x"


if __name__ == "__main__":
    main()
