"""Times envgen beside uv on the wheels of one lock, in one run: `python -m tests.benchmarks.bench_create`.

Both install the same files: the lock's wheels, given to uv as a requirements file with hashes; envgen makes Python as
well, and keeps no wheels, as uv. Rounds alternate. What only envgen does is timed without a neighbour: `create` where
nothing changed, and `create --verify`.
Nothing is measured against a clock that another process shares: run it on a quiet machine, and read the ratios.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from envgen.lock.model import file_name
from envgen.lock.read import read_lock
from envgen.system.host import probe_host
from tests.benchmarks.arguments import existing, positive

if TYPE_CHECKING:
    from collections.abc import Sequence

    from envgen.lock.model import Lock

REPOSITORY = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """One run of one program: seconds, and the largest resident set of its processes in MB."""

    wall: float
    user: float
    system: float
    peak: float


CREATE = "create, nothing cached"
CACHED = "create, everything cached"
UNCHANGED = "create, unchanged"
VERIFY = "create --verify"


def main() -> None:
    """Run the rounds and print a table and, with `--json`, the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("env", nargs="?", default="pt28-accel")
    parser.add_argument("--rounds", type=positive, default=3)
    parser.add_argument("--work", type=existing, help="folder on the disk to measure; emptied")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    lock = _lock(options.env)
    with tempfile.TemporaryDirectory(dir=options.work) as folder:
        figures = _rounds(lock, Path(folder), options.env, options.rounds)
    print(json.dumps(_summary(figures), indent=2) if options.json else _table(figures))  # noqa: T201


def _lock(env: str) -> Lock:
    path = REPOSITORY / "locks" / file_name(env, probe_host().platform)
    return read_lock(path.read_text(encoding="utf-8"), source=path.name)


def _rounds(lock: Lock, work: Path, env: str, rounds: int) -> dict[str, dict[str, list[Timing]]]:
    requirements = work / "requirements.txt"
    requirements.write_text(
        "".join(f"{w.project}=={w.version} --hash=sha256:{w.sha256}\n" for w in lock.wheels), encoding="utf-8"
    )
    figures: dict[str, dict[str, list[Timing]]] = {}
    for _ in range(rounds):
        for case, cached in ((CREATE, False), (CACHED, True)):
            programs = figures.setdefault(case, {"uv": [], "envgen": []})
            if not cached:
                _remove(work / "uv-cache", work / "envgen-cache")
            _remove(work / "venv", work / "env")
            timed(_uv(work, "venv", "--python", lock.python.rpartition(".")[0], str(work / "venv")), work)
            install = _uv(work, "pip", "sync", "--python", str(work / "venv/bin/python"), str(requirements))
            programs["uv"].append(timed(install, work))
            programs["envgen"].append(timed(_create(work, env), work))
        for case, more in ((UNCHANGED, ()), (VERIFY, ("--verify",))):
            figures.setdefault(case, {"envgen": []})["envgen"].append(timed([*_create(work, env), *more], work))
    return figures


def _create(work: Path, env: str) -> list[str]:
    return [sys.executable, "-m", "envgen", "create", env, "--prefix", str(work / "env")]


def _uv(work: Path, *words: str) -> list[str]:
    return ["uv", "--no-config", "--cache-dir", str(work / "uv-cache"), *words]


def timed(command: Sequence[str], work: Path) -> Timing:
    """Run a command of the repository, with its store and home below `work`."""
    environment = {
        **os.environ,
        "ENVGEN_CACHE": str(work / "envgen-cache"),
        "ENVGEN_KEEP_WHEELS": "0",
        "HOME": str(work),
    }
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr}")
    return Timing(
        wall=wall,
        user=after.ru_utime - before.ru_utime,
        system=after.ru_stime - before.ru_stime,
        peak=after.ru_maxrss / 1000,
    )


def _remove(*paths: Path) -> None:
    for path in paths:
        if path.exists():
            subprocess.run(["chmod", "-R", "u+w", str(path)], check=True)
            shutil.rmtree(path)


def _summary(figures: dict[str, dict[str, list[Timing]]]) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for case, programs in figures.items():
        medians = {name: statistics.median(t.wall for t in timings) for name, timings in programs.items()}
        found[case] = medians | ({"ratio": medians["envgen"] / medians["uv"]} if "uv" in medians else {})
    return found


def _table(figures: dict[str, dict[str, list[Timing]]]) -> str:
    lines = [f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, medians"]
    for case, programs in figures.items():
        for name, timings in programs.items():
            wall, user, system, peak = (
                statistics.median(getattr(t, field) for t in timings) for field in ("wall", "user", "system", "peak")
            )
            lines.append(
                f"{case:25} {name:7} {wall:7.2f} s  user {user:6.1f}  system {system:6.1f}  peak {peak:7.0f} MB"
            )
        if "uv" in programs:
            lines.append(f"{case:25} envgen/uv {_summary(figures)[case]['ratio']:.2f}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
