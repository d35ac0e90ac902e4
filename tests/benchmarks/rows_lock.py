"""Cases of the table: locking pt28-accel for both platforms, and commands that only read locks."""

from __future__ import annotations

import shutil
from functools import partial
from typing import TYPE_CHECKING

import yaml

from tests.benchmarks.measuring import Case, Goal, added

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.benchmarks.bench_create import Timing
    from tests.benchmarks.measuring import Bench

_ENV = "pt28-accel"
_PEERS = ("x86_64-manylinux_2_36", "aarch64-manylinux_2_36")
"""uv's names of the platforms of the spec."""

_PARTS = ("environments", "recipes", "locks")


def cases() -> list[Case]:
    """List the cases, in the order of the table."""
    cold, warm = partial(_uv, cold=True), partial(_uv, cold=False)
    clone = "fresh clone with locks, nothing cached"
    return [
        Case(job="lock, no locks, nothing cached", envgen=_without_locks, uv=cold, goal=Goal(most=2.5)),
        Case(job=f"lock, {clone}", envgen=_clone, uv=cold, goal=Goal(most=1.5)),
        Case(job=f"lock --refresh, {clone}", envgen=partial(_clone, refresh=True), uv=cold),
        Case(job="lock --refresh, all cached", envgen=_refresh, uv=warm, goal=Goal(most=0.8)),
        *(
            Case(job=job, envgen=_words(*job.partition(",")[0].split()), goal=Goal(most=most, seconds=True))
            for job, most in (("lock, nothing changed", 1.0), ("lock --check", 0.3), ("list", 0.2), ("--help", 0.12))
        ),
    ]


def _lock(bench: Bench, project: Path, cache: str, *, refresh: bool = False) -> Timing:
    """Lock; a checkout from before `--refresh` asks all indexes always."""
    knows = "--refresh" in (bench.checkout / "envgen/cli/lock.py").read_text(encoding="utf-8")
    words = ["--refresh"] if refresh and knows else []
    return bench.envgen("lock", _ENV, *words, project=project, cache=cache)


def _words(*words: str) -> Callable[[Bench], Timing]:
    return lambda bench: _warm(bench, *words)


def _copy(bench: Bench, name: str, *parts: str) -> Path:
    """Make a fresh copy of the project: of its parts, as a clone has them."""
    project = bench.project(name)
    shutil.rmtree(project)
    for part in parts:
        shutil.copytree(bench.checkout / part, project / part)
    return project


def _without_locks(bench: Bench) -> Timing:
    project = _copy(bench, "no-locks", "environments", "recipes")
    bench.put_aside(bench.folder / "cold-store")
    return _lock(bench, project, "cold-store")


def _clone(bench: Bench, *, refresh: bool = False) -> Timing:
    project = _copy(bench, "clone", *_PARTS)
    bench.put_aside(bench.folder / "cold-store")
    return _lock(bench, project, "cold-store", refresh=refresh)


def _warm(bench: Bench, *words: str) -> Timing:
    bench.once("warm", lambda: _fill(bench))
    return bench.envgen(*words, project=bench.project("warm"), cache="warm-store")


def _refresh(bench: Bench) -> Timing:
    bench.once("warm", lambda: _fill(bench))
    return _lock(bench, bench.project("warm"), "warm-store", refresh=True)


def _fill(bench: Bench) -> None:
    """Lock until nothing is left to fetch or to write."""
    project = _copy(bench, "warm", *_PARTS)
    for _ in range(2):
        _lock(bench, project, "warm-store", refresh=True)


def _uv(bench: Bench, *, cold: bool) -> Timing:
    """Run `pip compile` for each platform in turn, for wheels only, as envgen does."""
    cache = "uv-cold" if cold else "uv-warm"
    if cold:
        bench.put_aside(bench.folder / cache)
    else:
        bench.once("uv-warm", lambda: _compile(bench, cache))
    return _compile(bench, cache)


def _compile(bench: Bench, cache: str) -> Timing:
    project = bench.project("uv")
    spec = yaml.safe_load((bench.checkout / "environments" / f"{_ENV}.yaml").read_text(encoding="utf-8"))
    (project / "requirements.in").write_text("\n".join(spec["pypi"]) + "\n", encoding="utf-8")
    return added([bench.compile(project, peer, spec["python"], str(spec["exclude-newer"]), cache) for peer in _PEERS])
