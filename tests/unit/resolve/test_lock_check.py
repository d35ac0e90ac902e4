"""The models of conda-lock are imported by a child: it finds what this process would find, and may be missing."""

from __future__ import annotations

import subprocess
import sys

import pytest

from envgen.lock.conda_lock_models import faults_of

_START = """
import os, signal, sys
from envgen.lock.conda_lock_models import MODELS
from envgen.resolve import lock_check
from envgen.system import child, process
child.os.sched_getaffinity = lambda _process: {0, 1}
"""
_BESIDE = """
lock_check.begin_check()
lock_check.begin_check()
assert len(process._RUNNING) == 1
for content in ({}, {"version": "none"}):
    found = lock_check.check(content)
    assert MODELS not in sys.modules, "the models were imported here"
    print(found)
"""
_KILLED = """
lock_check.begin_check()
for running in process._RUNNING:
    os.killpg(running.pid, signal.SIGKILL)
print(lock_check.check({}))
"""
_ALONE = """
child.os.sched_getaffinity = lambda _process: {0}
lock_check.begin_check()
assert not process._RUNNING
print(lock_check.check({}))
"""


def _printed(program: str) -> list[str]:
    command = [sys.executable, "-W", "ignore", "-c", _START + program]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout.splitlines()


def test_a_child_checks_every_document() -> None:
    assert _printed(_BESIDE) == [str(faults_of({})), str(faults_of({"version": "none"}))]


@pytest.mark.parametrize("program", [_KILLED, _ALONE])
def test_without_a_child_the_check_is_done_here(program: str) -> None:
    assert _printed(program) == [str(faults_of({}))]
    assert faults_of({})
