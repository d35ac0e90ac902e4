"""`envgen create` that is interrupted, or fails, while files are on their way: it ends at once and spoils nothing."""

from __future__ import annotations

import hashlib
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.builders.server import Faults
from tests.builders.wheels import make_wheel, wheel_filename

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.builders.registries import Registries
    from tests.command import Command, Project

SPEC = """\
python: "3.11"
platforms: {linux-64: {glibc: "2.36"}}
dependencies: [python]
pypi: [large, eggs <2]
"""
SIZE = 8 << 20
PATIENCE = 60.0


@pytest.fixture
def large(project: Project, registries: Registries, cli: Command) -> str:
    """Lock an environment with a large wheel, and name the path of that wheel on the server."""
    filename = wheel_filename("large", "1.0")
    content = hashlib.shake_256(b"large").digest(SIZE)
    registries.index.add(filename, make_wheel("large", "1.0", files={"large.bin": content}))
    registries.publish()
    project.spec("demo", SPEC)
    cli("lock").succeeded()
    return next(path for path in registries.index.site() if path.endswith(filename))


def start(cli: Command) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "envgen", "create"]
    pipe = subprocess.PIPE
    return subprocess.Popen(
        command, cwd=cli.directory, env=cli.variables, stdout=pipe, stderr=pipe, text=True, start_new_session=True
    )


def until(condition: Callable[[], bool]) -> None:
    """Wait for something that other processes bring about."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.02)


def leftovers(cache: Path) -> list[Path]:
    found = (path for path in cache.glob("artifacts/*/*") if hashlib.sha256(path.read_bytes()).hexdigest() != path.name)
    return [*found, *cache.glob("packages/.tmp-*")]


@pytest.mark.parametrize("pause", [0.1, 30.0], ids=["slow", "stalled"])
def test_it_ends_soon_after_an_interrupt(pause: float, large: str, registries: Registries, cli: Command) -> None:
    registries.publish(Faults(pause=pause, paused=frozenset({large})))
    before = registries.server.paths().count(large)  # `lock` has read the end of the wheel
    process = start(cli)
    until(lambda: registries.server.paths().count(large) > before)
    time.sleep(0.2)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=PATIENCE)
    assert time.monotonic() - began < 10  # the rest of a slow file takes 12 s
    assert (process.returncode, err.splitlines()[-1]) == (130, "interrupted; run the same command again to continue")
    assert "Traceback" not in err
    cache = cli.directory.parent / "home" / "cache"
    partial = leftovers(cache)
    assert len(partial) == (0 if pause < 1 else 1)  # where the server is silent, no thread hears that it is to stop
    registries.publish(Faults())
    cli.process("create").succeeded()
    assert leftovers(cache) == []  # a later run removes what nobody works on any more


def _fails_early(cli: Command, code: int) -> str:
    """Create an environment whose large wheel alone takes 38 s, and say what is told when something else fails."""
    process = start(cli)
    began = time.monotonic()
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == code, err
    assert time.monotonic() - began < SIZE / (64 << 10) / 4
    assert leftovers(cli.directory.parent / "home" / "cache") == []
    return err


def test_it_ends_soon_after_an_error(large: str, registries: Registries, cli: Command) -> None:
    eggs = next(path for path in registries.index.site() if "eggs-1.1" in path and path.endswith(".whl"))
    faults = Faults(pause=0.3, paused=frozenset({large}), missing=frozenset({eggs}))
    registries.publish(faults)
    _fails_early(cli, 4)


def test_it_ends_soon_after_a_package_cannot_be_made(
    large: str, project: Project, registries: Registries, cli: Command
) -> None:
    """Nothing else ends in the meantime: the download that is under way does not have to be waited for."""
    broken = make_wheel("broken", files={"a": "1"}, record=lambda rows: [row for row in rows if row[0] != "a"])
    registries.index.add(wheel_filename("broken"), broken)
    registries.publish(Faults(ranges=False))  # so that `lock` cannot see the RECORD
    project.spec("demo", SPEC.replace("[large", "[broken, large"))
    cli("lock").succeeded()
    registries.publish(Faults(pause=0.3, paused=frozenset({large})))
    assert "`a` is not listed" in _fails_early(cli, 5)
