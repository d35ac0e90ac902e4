"""Threads share the memory of the process, where its C library can tell them to."""

from __future__ import annotations

import ctypes
import platform
import subprocess
import sys

import pytest

from envgen.system.memory import share_memory

_ARENAS = """
import re, threading
from envgen.system.memory import share_memory
{first}
turn = threading.Barrier(12)
def work():
    held = [bytes(60_000) for _ in range(50)]
    turn.wait()
threads = [threading.Thread(target=work) for _ in range(12)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
ends = re.findall(r"^[0-9a-f]+-([0-9a-f]+) ---p 0+ 00:00 0 *$", open("/proc/self/maps").read(), re.MULTILINE)
print(sum(int(end, 16) % (64 << 20) == 0 for end in ends))
"""
"""Prints how many heaps there are besides the first: glibc aligns each at 64 MiB, and reserves what is not used."""


_HOLES = """
from envgen.system.memory import share_memory
{first}
def resident():
    with open("/proc/self/statm") as stream:
        return int(stream.read().split()[1])
b"x" * (4 << 20)  # as soon as it is freed, glibc takes smaller pieces from its heap
before = resident()
pairs = [(b"x" * (1 << 20), b"x" * 60_000) for _ in range(40)]
full = resident() - before
small = [small for _, small in pairs]
del pairs
print(100 * (resident() - before) // full)
"""
"""Prints how much of large pieces stays in the process once they are freed and small ones between them are not."""


def _printed(code: str, first: str) -> int:
    command = [sys.executable, "-c", code.format(first=first)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a setting of glibc")
def test_threads_share_memory() -> None:
    assert _printed(_ARENAS, "share_memory()") <= 1
    assert _printed(_ARENAS, "") >= 4  # of twelve threads


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a setting of glibc")
def test_large_pieces_leave_no_holes() -> None:
    assert _printed(_HOLES, "share_memory()") < 20
    assert _printed(_HOLES, "") > 80


def test_another_c_library_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: object())
    share_memory()
