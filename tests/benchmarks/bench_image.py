"""Times `envgen image` beside buildah on the same tree, in one run: `python -m tests.benchmarks.bench_image`.

Packages are in the store before the clock starts; layers, compiled Python files and the unpacked base are not, for a
first image. buildah copies an environment of the same lock into an empty image, commits it, and pushes it as gzip;
both push to a registry on loopback that is empty. envgen's image has a Debian base and compiled Python files besides,
which count for much in a small one. Rounds alternate. It needs buildah, skopeo and docker-registry
(Debian), root, and free disk of three and a half times the environment (pt28-accel: 34 GB, and 15 GB more without
`--cache`). Run it on a quiet machine whose memory holds packages and wheels, and read the ratios.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from envgen.system.fs import remove_tree
from tests.benchmarks.arguments import existing, positive
from tests.benchmarks.bench_create import REPOSITORY, Timing
from tests.benchmarks.measuring import measured
from tests.builders.registry import registry

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_MADE = ("blobs", "cache/layer", "cache/pyc", "cache/image-base")
"""What a store has only after a first image."""

_SPARE = 3.5
"""Free disk, in sizes of the environment: buildah's copy and its commit, then half of one for each registry, layout
and temporary blob."""

_SUMS = {
    "envgen gzip": ("first image, gzip", "push, gzip"),
    "envgen zstd": ("first image, zstd", "push, zstd"),
    "buildah": ("buildah copy", "buildah commit", "buildah push"),
}
"""From packages to a registry: who, and which cases that takes."""


def main() -> None:
    """Run the rounds and print a table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("env", nargs="?", default="pt28-accel")
    parser.add_argument("--project", type=Path, default=REPOSITORY, help="folder with the environment and its locks")
    parser.add_argument("--platform", default="linux-64")
    parser.add_argument("--rounds", type=positive, default=3)
    parser.add_argument("--work", type=existing, help="folder on the disk to measure")
    parser.add_argument("--cache", type=Path, help="a store that has the packages; its blobs and layers are removed")
    parser.add_argument("--storage-driver", default="overlay", help="of buildah; `vfs` needs more disk")
    parser.add_argument("--without-buildah", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with _folder(options.work) as work:
        bench = _Bench(work=work, cache=(options.cache or work / "cache").resolve(), options=options)
        bench.prepare()
        for number in range(options.rounds):
            print(f"round {number + 1} of {options.rounds}", file=sys.stderr)  # noqa: T201
            bench.envgen()
            if not options.without_buildah:
                bench.buildah()
    print(json.dumps(_summary(bench.runs), indent=2) if options.json else _table(bench.runs))  # noqa: T201


@contextmanager
def _folder(parent: Path | None) -> Iterator[Path]:
    """Yield a folder that goes away with all that is in it, however the block ends."""
    if parent:
        parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix="bench-image-", dir=parent)).resolve()
    try:
        yield work
    finally:
        _remove(work)


@dataclass(slots=True, kw_only=True)
class _Bench:
    """One run of the benchmark.

    Attributes:
        work: folder that everything is written into.
        cache: envgen's store.
        options: of the command line.
        runs: case -> its timings.
    """

    work: Path
    cache: Path
    options: argparse.Namespace
    runs: dict[str, list[Timing]] = field(default_factory=dict)

    def prepare(self) -> None:
        """Fill the store, and make the tree that buildah copies."""
        self._run([*self._envgen("create"), "--prefix", str(self.work / "env")])
        need, free = int(_SPARE * _size(self.work / "env")), shutil.disk_usage(self.work).free
        if free < need:
            sys.exit(f"{self.work} has {free / 1e9:.1f} GB free, and {need / 1e9:.1f} GB are needed")
        self._forget()
        self._run(self._image("gzip"))  # fetches what the base is made of
        self._forget()

    def envgen(self) -> None:
        """Make the image from nothing, make it again, and push it."""
        for compression in ("gzip", "zstd"):
            image = self._image(compression)
            self._timed(f"first image, {compression}", image)
            self._timed(f"unchanged, {compression}", image)
            with self._registry() as address:
                self._timed(f"push, {compression}", [*image, "--push", f"{address}/bench:1"])
            self._forget()

    def buildah(self) -> None:
        """Copy, commit and push, and leave nothing."""
        storage = ["--root", f"{self.work}/storage", "--runroot", f"{self.work}/run"]
        buildah = ["buildah", *storage, "--storage-driver", self.options.storage_driver]
        try:
            self._run([*buildah, "from", "--name", "peer", "scratch"])
            self._timed("buildah copy", [*buildah, "copy", "peer", str(self.work / "env"), "/opt/env"])
            self._timed("buildah commit", [*buildah, "commit", "peer", "peer-image"])
            with self._registry() as address:
                push = ["push", "--tls-verify=false", "--compression-format", "gzip"]
                self._timed("buildah push", [*buildah, *push, "peer-image", f"docker://{address}/bench:1"])
        finally:
            for words in (["rm", "--all"], ["rmi", "--all", "--force"]):
                subprocess.run([*buildah, *words], capture_output=True, check=False)
            _remove(self.work / "storage", self.work / "run")

    def _envgen(self, verb: str) -> list[str]:
        return [sys.executable, "-m", "envgen", verb, self.options.env, "--frozen"]

    def _image(self, compression: str) -> list[str]:
        words = ["--platform", self.options.platform, "--output", str(self.work / "layout")]
        return [*self._envgen("image"), *words, "--compression", compression]

    @contextmanager
    def _registry(self) -> Iterator[str]:
        """Yield the address of an empty registry that goes away."""
        folder = self.work / "registry"
        try:
            with registry(folder) as address:
                yield address
        finally:
            _remove(folder)

    def _timed(self, case: str, command: Sequence[str]) -> None:
        self.runs.setdefault(case, []).append(self._run(command))

    def _run(self, command: Sequence[str]) -> Timing:
        temporary = self.work / "tmp"
        temporary.mkdir(exist_ok=True)
        ours = {"ENVGEN_CACHE": str(self.cache), "HOME": str(self.work), "TMPDIR": str(temporary)}
        return measured(command, {**os.environ, "PYTHONPATH": str(REPOSITORY), **ours}, self.options.project)

    def _forget(self) -> None:
        """Remove what images leave in the store; packages and what the base is made of stay."""
        _remove(self.work / "layout", *(self.cache / name for name in _MADE))


def _remove(*paths: Path) -> None:
    for path in paths:
        if path.exists():
            for mount in _mounts(path):
                subprocess.run(["umount", mount], check=False)
            with suppress(FileNotFoundError):
                remove_tree(path)


def _size(folder: Path) -> int:
    """Add up the bytes of a tree's files."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir())


def _mounts(folder: Path) -> list[str]:
    """List what is mounted below a folder, innermost first: buildah leaves its storage mounted over itself."""
    lines = Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
    places = [line.split()[1] for line in lines]
    return sorted((place for place in places if place.startswith(f"{folder}/")), reverse=True)


def _medians(runs: Mapping[str, Sequence[Timing]]) -> dict[str, Timing]:
    return {
        case: Timing(**{name: statistics.median(asdict(t)[name] for t in timings) for name in Timing.__slots__})
        for case, timings in runs.items()
    }


def _totals(medians: Mapping[str, Timing]) -> dict[str, float]:
    """Add up the seconds from packages to a registry."""
    return {
        who: sum(medians[case].wall for case in cases) for who, cases in _SUMS.items() if medians.keys() >= set(cases)
    }


def _summary(runs: Mapping[str, Sequence[Timing]]) -> dict[str, object]:
    medians = _medians(runs)
    totals = _totals(medians)
    peer = totals.get("buildah")
    ratios = {who: peer / seconds for who, seconds in totals.items()} if peer else {}
    return {"cases": {case: asdict(t) for case, t in medians.items()}, "seconds": totals, "times_faster": ratios}


def _table(runs: Mapping[str, Sequence[Timing]]) -> str:
    medians = _medians(runs)
    totals = _totals(medians)
    rounds, machine = max(map(len, runs.values())), platform.processor() or platform.machine()
    load = os.getloadavg()[1]
    lines = [f"{machine}, {os.cpu_count()} cores, medians of {rounds}, load of the last 5 minutes {load:.1f}"]
    lines += [
        f"{case:18} {t.wall:7.1f} s  user {t.user:6.1f}  system {t.system:6.1f}  peak {t.peak:6.0f} MB"
        for case, t in medians.items()
    ]
    for who, seconds in totals.items():
        ratio = f"  buildah takes {totals['buildah'] / seconds:.1f} times as long" if "buildah" in totals else ""
        lines.append(f"all of {who:11} {seconds:7.1f} s{'' if who == 'buildah' else ratio}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
