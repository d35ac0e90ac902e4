"""Times `envgen image` beside buildah on the same tree, in one run: `python -m tests.benchmarks.bench_image`.

The packages are in the store before the clock starts; layers, compiled Python files and the unpacked base are not,
for a first image. buildah copies an environment of the same lock into an empty image, commits it, and pushes it as
gzip into a folder. Run it on a quiet machine that has three times the environment free, and read the ratios.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks.bench_create import timed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.benchmarks.bench_create import Timing

_MADE = ("blobs", "cache/layer", "cache/pyc", "cache/image-base")
"""What a store has only after a first image."""

_BUILDAH = ("buildah", "--root", "{work}/storage", "--runroot", "{work}/run")


def main() -> None:
    """Run the rounds and print a line for each case, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("env", nargs="?", default="pt28-accel")
    parser.add_argument("--platform", default="linux-64")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--work", type=Path, help="folder on the disk to measure")
    parser.add_argument("--without-buildah", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.work) as folder:
        bench = _Bench(Path(folder), options.env, options.platform)
        bench.prepare()
        runs = [run for _round in range(options.rounds) for run in bench.envgen()]
        runs += [] if options.without_buildah else bench.buildah()
    print(json.dumps(_medians(runs), indent=2) if options.json else _table(runs))  # noqa: T201


class _Bench:
    def __init__(self, work: Path, env: str, platform: str) -> None:
        self._work = work
        self._env = env
        self._image = [sys.executable, "-m", "envgen", "image", env, "--platform", platform, "--output"]

    def prepare(self) -> None:
        """Fill the store, and make the tree that buildah copies."""
        timed([sys.executable, "-m", "envgen", "create", self._env, "--prefix", str(self._work / "env")], self._work)
        self._forget()
        timed([*self._image, str(self._work / "warm")], self._work)  # fetches what the base is made of

    def envgen(self) -> Iterator[tuple[str, Timing]]:
        for compression in ("gzip", "zstd"):
            self._forget()
            command = [*self._image, str(self._work / compression), "--compression", compression]
            yield f"first image, {compression}", timed(command, self._work)
            yield f"unchanged, {compression}", timed(command, self._work)

    def buildah(self) -> list[tuple[str, Timing]]:
        """Copy, commit and push; once, for it takes minutes."""
        buildah = [word.format(work=self._work) for word in _BUILDAH]
        timed([*buildah, "from", "--name", "peer", "scratch"], self._work)
        steps = {
            "buildah copy": ["copy", "peer", str(self._work / "env"), "/opt/env"],
            "buildah commit": ["commit", "peer", "peer-image"],
            "buildah push": ["push", "--compression-format", "gzip", "peer-image", f"oci:{self._work}/peer:peer"],
        }
        return [(name, timed([*buildah, *words], self._work)) for name, words in steps.items()]

    def _forget(self) -> None:
        for name in _MADE:
            shutil.rmtree(self._work / "envgen-cache" / name, ignore_errors=True)
        for name in ("gzip", "zstd", "warm"):
            shutil.rmtree(self._work / name, ignore_errors=True)


def _medians(runs: list[tuple[str, Timing]]) -> dict[str, dict[str, float]]:
    cases: dict[str, list[Timing]] = {}
    for case, timing in runs:
        cases.setdefault(case, []).append(timing)
    return {
        case: {
            field: statistics.median(getattr(t, field) for t in timings) for field in ("wall", "user", "system", "peak")
        }
        for case, timings in cases.items()
    }


def _table(runs: list[tuple[str, Timing]]) -> str:
    return "\n".join(
        f"{case:18} {f['wall']:7.1f} s  user {f['user']:6.1f}  system {f['system']:6.1f}  peak {f['peak']:6.0f} MB"
        for case, f in _medians(runs).items()
    )


if __name__ == "__main__":
    main()
