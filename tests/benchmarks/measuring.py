"""What a benchmark is made of: cases, each a job of envgen and maybe one of uv, and a place to run them in."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from tests.benchmarks.bench_create import REPOSITORY, Timing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

_ASIDE = "aside"


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """What a case should reach: a ratio to uv's time, or seconds."""

    most: float
    seconds: bool = False

    def __str__(self) -> str:
        return f"<= {self.most:g}{' s' if self.seconds else ''}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One line of the table.

    Attributes:
        job: what is done.
        envgen: does it once, and tells what that took; what has to be ready is made before the clock starts.
        uv: does the same with uv, where uv can.
        goal: what it should reach.
    """

    job: str
    envgen: Callable[[Bench], Timing]
    uv: Callable[[Bench], Timing] | None = None
    goal: Goal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """A folder to run one checkout of envgen in, with stores and projects of its own.

    Attributes:
        folder: on the disk to measure.
        checkout: whose code runs.
        ready: what was prepared already, so that it is prepared once.
    """

    folder: Path
    checkout: Path = REPOSITORY
    ready: set[str] = field(default_factory=set)

    def project(self, name: str) -> Path:
        """Return the folder of a project, made if need be."""
        path = self.folder / "projects" / name
        path.mkdir(parents=True, exist_ok=True)
        return path

    def once(self, what: str, work: Callable[[], object]) -> None:
        """Prepare something unless that was done."""
        if what not in self.ready:
            work()
            self.ready.add(what)

    def envgen(self, *words: str, project: Path, cache: str, variables: Mapping[str, str] | None = None) -> Timing:
        """Run envgen in a project, with the store of that name, and perhaps with further variables."""
        self.once("compiled", self._compile_modules)
        command = [sys.executable, "-m", "envgen", *words]
        own = {"ENVGEN_CACHE": str(self.folder / cache), **(variables or {})}
        return measured(command, {**self._variables(), **own}, project)

    def uv(self, *words: str, project: Path, cache: str) -> Timing:
        """Run uv in a project, with the cache of that name."""
        command = ["uv", "--no-config", "--cache-dir", str(self.folder / cache), *words]
        return measured(command, self._variables(), project)

    def compile(self, project: Path, platform: str, python: str, day: str, cache: str) -> Timing:
        """Run `uv pip compile` on `requirements.in` of a project, for wheels only; a date stands for its whole day."""
        until = dt.date.fromisoformat(day) + dt.timedelta(days=1)
        words = ["--python-platform", platform, "--python-version", python, "--exclude-newer", f"{until}T00:00:00Z"]
        out = ["--only-binary", ":all:", "--quiet", "--output-file", f"{platform}.txt"]
        return self.uv("pip", "compile", "requirements.in", *words, *out, project=project, cache=cache)

    def empty(self, cache: str) -> None:
        """Remove a store or cache, and what was put aside, which may hold links into it."""
        remove(self.folder / cache, self.folder / _ASIDE)

    def put_aside(self, path: Path) -> None:
        """Move a folder out of the way of the next run, and remove it later.

        For up to six minutes ext4 gives no inode out again, and looks at each that it passes over: after 35,000 files
        were removed, 3,000 new folders take 1 to 3 s in place of 0.1 s, whoever makes them.
        """
        if path.exists():
            (self.folder / _ASIDE).mkdir(exist_ok=True)
            path.rename(self.folder / _ASIDE / f"{path.name}-{time.monotonic_ns()}")

    def _compile_modules(self) -> None:
        """Compile the modules of the checkout, as an installation has them: that takes 2 s, which no user waits for."""
        subprocess.run([sys.executable, "-m", "compileall", "-q", str(self.checkout / "envgen")], check=True)

    def _variables(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(self.checkout)}


def measured(command: Sequence[str], environment: Mapping[str, str], directory: Path) -> Timing:
    """Run a command and say what it took: `wait4` knows the peak of this one, `getrusage` only that of all.

    What earlier commands wrote is on the disk before the clock starts: it is no work of this one.
    """
    os.sync()
    with tempfile.TemporaryFile() as said:
        start = time.perf_counter()
        process = subprocess.Popen(command, cwd=directory, env=environment, stdout=said, stderr=said)
        _pid, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            sys.exit(f"{' '.join(command)} failed:\n{said.read().decode(errors='replace')}")
    return Timing(wall=wall, user=used.ru_utime, system=used.ru_stime, peak=used.ru_maxrss / 1000)


def added(timings: Sequence[Timing]) -> Timing:
    """Add up what follows one another; the peak is the largest."""
    return Timing(
        wall=sum(one.wall for one in timings),
        user=sum(one.user for one in timings),
        system=sum(one.system for one in timings),
        peak=max(one.peak for one in timings),
    )


def median(timings: Sequence[Timing]) -> Timing:
    """Return the median of each figure."""
    return Timing(**{name: statistics.median(asdict(one)[name] for one in timings) for name in Timing.__slots__})


def remove(*paths: Path) -> None:
    """Remove folders, also those that nobody may write to."""
    for path in paths:
        if path.exists():
            subprocess.run(["chmod", "-R", "u+w", str(path)], check=True)
            shutil.rmtree(path)
