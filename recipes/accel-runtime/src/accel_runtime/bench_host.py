"""Processes in which `accel bench` measures: each path has one of its own.

Starting Python and importing torch, torchvision and IPEX takes 5 to 7 s of a core. A host does that once, computes
nothing, and forks a process for each path; there is a host for each set of variables that must stand before a process
starts, and one more with IPEX. A host forks one process at a time, which reads and writes the host's own pipes.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Self

from accel_runtime import tuning

if TYPE_CHECKING:
    from collections.abc import Iterable

    from accel_runtime.bench_ways import Way

_PATIENCE = 30


class BenchError(Exception):
    """Plain torch itself cannot be measured, so that there is nothing to compare a path with."""


class DiedError(BenchError):
    """The process of a path ended before it answered; the message has the signal or the exit code."""


class Hosts:
    """The hosts of one run; all start at once, so that they use every core.

    Args:
        model: of `accel_runtime.models`.
        ways: that will be measured.
    """

    def __init__(self, model: str, ways: Iterable[Way]) -> None:
        self._model = model
        self._hosts: dict[object, _Host] = {}
        self._ways = tuple(ways)

    def __enter__(self) -> Self:
        for way in self._ways:
            if (key := _key(way)) not in self._hosts:
                self._hosts[key] = _Host(variables(way), {"model": self._model, "ipex": way.needs_ipex})
        for host in self._hosts.values():
            if problem := host.answer().get("error"):  # it has loaded what it needs, so that no path is charged with it
                self.__exit__()
                raise BenchError(problem)
        return self

    def __exit__(self, *_: object) -> None:
        for host in self._hosts.values():
            host.end()

    def worker(self, way: Way, job: dict[str, Any]) -> Worker:
        """Return a worker for one path.

        Args:
            way: among those that this object was made for.
            job: see `accel_runtime.bench_worker`; what the path decides is added.
        """
        chosen = {"way": way.way, "dtype": way.dtype, "variables": dict(way.variables)}
        return Worker(self._hosts[_key(way)], {**job, **chosen})


class Worker:
    """A process that measures one path, forked by a host.

    Attributes:
        prepared: `difference` and `top1_agreement`, or `error`.
    """

    def __init__(self, host: _Host, job: dict[str, Any]) -> None:
        self._host = host
        self._job = job
        self.prepared: dict[str, Any] = {}

    def __enter__(self) -> Self:
        self.prepared = self._host.ask(json.dumps(self._job))
        return self

    def __exit__(self, *_: object) -> None:
        self._host.tell("0")

    def times(self, calls: int) -> list[float]:
        """Return the seconds of each of some calls of the model.

        Raises:
            DiedError: the process ended.
        """
        answer = self._host.ask(str(calls))
        if isinstance(answer, dict):
            raise DiedError(answer["error"])
        return list(answer)


class _Host:
    def __init__(self, variables: dict[str, str], preload: dict[str, Any]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "accel_runtime.bench_worker", json.dumps(preload)],
            env=variables,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def tell(self, line: str) -> None:
        with contextlib.suppress(OSError):  # it died, which the next answer shows
            if self._process.stdin is not None:
                self._process.stdin.write(f"{line}\n")
                self._process.stdin.flush()

    def ask(self, line: str) -> Any:
        self.tell(line)
        return self.answer()

    def answer(self) -> Any:
        answer = self._process.stdout.readline() if self._process.stdout else ""
        return json.loads(answer) if answer else {"error": "the process that loads torch died"}

    def end(self) -> None:
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            self._process.communicate(timeout=_PATIENCE)
        self._process.kill()
        self._process.wait()


def variables(way: Way) -> dict[str, str]:
    """Build the environment of a host: ours without anything of this package, then what its paths need."""
    base = {name: value for name, value in os.environ.items() if not name.startswith("ACCEL_")}
    ours = tuning.ACTIVATED | tuning.STARTED
    plain = {name: value for name, value in base.items() if ours.get(name) != value}
    chosen = {} if way.way == "eager" and not way.tuned else tuning.ACTIVATED if way.way == "eager" else ours
    return {**plain, **chosen}


def _key(way: Way) -> object:
    return frozenset(variables(way).items()), way.needs_ipex
