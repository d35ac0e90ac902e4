"""Many runs after each other and beside each other: the store stays sound and bounded.

`ENVGEN_SOAK` is the share of the whole that is run, such as `0.1`.
"""

from __future__ import annotations

import os
import random
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from envgen.structs import replace
from tests.builders.stubs import RECIPE
from tests.functional import world

if TYPE_CHECKING:
    from tests.builders.registries import Registries
    from tests.command import Command, Project

pytestmark = pytest.mark.full

SHARE = float(os.environ.get("ENVGEN_SOAK", "1"))
LOCKS, CREATES, PROCESSES = round(1000 * SHARE), round(100 * SHARE), 4
SPEC = """\
python: "3.11"
platforms: {linux-64: {glibc: "2.36"}}
dependencies: [python]
pypi: [spam, eggs]
"""


@pytest.fixture
def demo(project: Project, registries: Registries) -> Project:
    world.fill(registries)
    for path, text in RECIPE.items():
        project.write(path, text)
    project.spec("demo", SPEC)
    return project


def store_size(cli: Command) -> int:
    """Return the bytes of all files of the store."""
    every = (path.lstat() for path in Path(cli.variables["ENVGEN_CACHE"]).rglob("*"))
    return sum(status.st_size for status in every)


def test_many_locks_over_an_index_that_changes(demo: Project, cli: Command, registries: Registries) -> None:
    """Each round a release is added, and the newest one is locked; the store does not grow without end."""
    cli("lock").succeeded()
    half = 0
    for number in range(LOCKS):
        filename, wheel = world.eggs(f"3.{number}")
        registries.index.add(filename, wheel)
        registries.publish()
        told = cli("lock", "--upgrade").succeeded()
        assert "Traceback" not in told.err
        assert f"eggs-3.{number}-" in (demo.root / "locks/demo.linux-64.conda-lock.yml").read_text()
        if number == LOCKS // 2:
            half = store_size(cli)
    cli("lock", "--check").succeeded()
    cli("create").succeeded()
    cli("verify").succeeded()
    assert store_size(cli) < 2 * half + (16 << 20)


def test_many_creates_and_cleans_by_four_processes(demo: Project, cli: Command, tmp_path: Path) -> None:
    """What one removes another one makes again; at the end everything is what the lock says.

    `clean` may give up on a store that others do not leave alone, and says so.
    """
    cli("lock").succeeded()
    cli("create").succeeded()
    bound = 3 * store_size(cli)
    steps = list(range(CREATES))

    def work(number: int) -> list[str]:
        prefix, chance = tmp_path / f"env-{number}", random.Random(number)  # noqa: S311  of a test
        faults = []
        for _ in steps[number::PROCESSES]:
            if chance.random() < 1 / 3:
                shutil.rmtree(prefix, ignore_errors=True)
            words = ("clean", "--all") if chance.random() < 1 / 3 else ("create", "-p", str(prefix))
            for one in (words, ("create", "-p", str(prefix))):
                done = cli.process(*one)
                if done.code and not (one[0] == "clean" and "another process has locked" in done.err):
                    faults.append(f"{one}: {done.code}: {done.err[-2000:]}")
        return faults

    with ThreadPoolExecutor(PROCESSES) as pool:
        assert [fault for faults in pool.map(work, range(PROCESSES)) for fault in faults] == []
    for number in range(PROCESSES):
        cli.process("create", "-p", str(tmp_path / f"env-{number}")).succeeded()
        cli.process("verify", str(tmp_path / f"env-{number}")).succeeded()
    told = cli.process("clean", "--json").succeeded().json()
    assert "temporary" not in told or not told["temporary"]
    assert store_size(replace(cli)) < bound
