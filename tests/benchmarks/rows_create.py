"""Cases of the table: the wheels of pt28-accel on this machine, beside uv; envgen makes Python as well.

Both download and install the same files, and neither keeps a wheel.
"""

from __future__ import annotations

import shutil
from functools import partial
from typing import TYPE_CHECKING

from envgen.lock.model import file_name
from envgen.lock.read import read_lock
from envgen.system.host import probe_host
from tests.benchmarks.measuring import Case, Goal

if TYPE_CHECKING:
    from pathlib import Path

    from envgen.lock.model import Lock
    from tests.benchmarks.bench_create import Timing
    from tests.benchmarks.measuring import Bench

_ENV = "pt28-accel"
_STORE, _CACHE = "create-store", "uv-create-cache"
_PARTS = ("environments", "recipes", "locks")


def cases() -> list[Case]:
    """List the cases, in the order of the table: each finds what the one before left."""
    cold, warm = partial(_create, cold=True), partial(_create, cold=False)
    return [
        Case(job="create, nothing cached", envgen=cold, uv=partial(_sync, cold=True), goal=Goal(most=1.0)),
        Case(job="create, everything cached", envgen=warm, uv=partial(_sync, cold=False), goal=Goal(most=1.2)),
        Case(job="create, nothing changed", envgen=_again, goal=Goal(most=0.35, seconds=True)),
        Case(job="create --verify", envgen=partial(_again, words=("--verify",)), goal=Goal(most=6, seconds=True)),
    ]


def _project(bench: Bench) -> Path:
    project = bench.project("create")
    bench.once("create", lambda: [shutil.copytree(bench.checkout / part, project / part) for part in _PARTS])
    return project


def _create(bench: Bench, *, cold: bool) -> Timing:
    if cold:
        bench.put_aside(_prefix(bench))
        bench.empty(_STORE)
        bench.ready.add(_STORE)
    else:
        bench.once(_STORE, lambda: _run(bench))  # `--case` may have left out the case that fills it
        bench.put_aside(_prefix(bench))
    return _run(bench)


def _again(bench: Bench, *, words: tuple[str, ...] = ()) -> Timing:
    if not _prefix(bench).exists():
        _run(bench)
    return _run(bench, *words)


def _run(bench: Bench, *words: str) -> Timing:
    command = ("create", _ENV, "--prefix", str(_prefix(bench)), *words)
    return bench.envgen(*command, project=_project(bench), cache=_STORE, variables={"ENVGEN_KEEP_WHEELS": "0"})


def _prefix(bench: Bench) -> Path:
    return bench.folder / "create-env"


def _sync(bench: Bench, *, cold: bool) -> Timing:
    """Install the wheels of the lock with uv into a new virtual environment, made before the clock starts."""
    project, lock, venv = _project(bench), _lock(bench), bench.folder / "create-venv"
    pins = [f"{w.project}=={w.version} --hash=sha256:{w.sha256}\n" for w in lock.wheels]
    (project / "requirements.txt").write_text("".join(pins), encoding="utf-8")
    minor = lock.python.rpartition(".")[0]

    def install() -> Timing:
        bench.put_aside(venv)
        bench.uv("venv", "--python", minor, str(venv), project=project, cache=_CACHE)
        words = ("pip", "sync", "--python", str(venv / "bin/python"), "requirements.txt")
        return bench.uv(*words, project=project, cache=_CACHE)

    if cold:
        bench.empty(_CACHE)
        bench.ready.add(_CACHE)
    else:
        bench.once(_CACHE, install)
    return install()


def _lock(bench: Bench) -> Lock:
    path = bench.checkout / "locks" / file_name(_ENV, probe_host().platform)
    return read_lock(path.read_text(encoding="utf-8"), source=path.name)
