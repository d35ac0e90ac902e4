"""Kills at twenty moments of a command: the next run finishes the work, and nothing temporary is left."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from envgen.structs import replace
from tests.builders.registry import PROGRAM, SKOPEO, registry
from tests.builders.stubs import RECIPE
from tests.builders.system import base_debs
from tests.functional import world

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.builders.registries import Registries
    from tests.command import Command, Project

pytestmark = pytest.mark.full

KILLS = 20

SPEC = """\
python: "3.11"
platforms: {linux-64: {glibc: "2.36"}}
dependencies: [python]
pypi: [spam ==1.0, eggs]
image: {base: {suites: [bookworm, bookworm-security]}}
"""


@pytest.fixture
def locked(project: Project, registries: Registries, cli: Command) -> Project:
    """Lock an environment with an image."""
    world.fill(registries)
    registries.debian.add(*base_debs("amd64"))
    registries.publish()
    for path, text in RECIPE.items():
        project.write(path, text)
    project.spec("demo", SPEC)
    cli.process("lock").succeeded()
    return project


def kill_after(cli: Command, seconds: float, words: Sequence[str]) -> bool:
    """Start a command, and kill it with all that it started; say whether it was still running."""
    process = subprocess.Popen(
        [sys.executable, "-m", "envgen", *words],
        cwd=cli.directory,
        env=cli.variables,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        process.wait()
        return True
    return False


def survives(cli: Command, words: Sequence[str], folder: Path, output: Path) -> Iterator[Command]:
    """Kill a command at twenty moments of its run, each time without output and with the store as `lock` left it.

    Yields:
        The machine after each next run, which succeeded and left nothing temporary in the store.
    """
    pristine = folder / "pristine"
    shutil.copytree(cli.variables["ENVGEN_CACHE"], pristine, symlinks=True)
    began = time.monotonic()
    cli.process(*words).succeeded()
    whole, hits = time.monotonic() - began, 0
    for number in range(KILLS):
        cache = folder / f"cache-{number}"
        shutil.copytree(pristine, cache, symlinks=True)
        shutil.rmtree(output)
        machine = replace(cli, variables={**cli.variables, "ENVGEN_CACHE": str(cache)})
        moment = whole * (number + 0.5) / KILLS
        if kill_after(machine, moment, words):
            hits += 1
        else:  # it took less than the first run, which a busy machine slows down
            whole = moment
        machine.process(*words).succeeded()
        told = machine.process("clean", "--json").succeeded().json()
        assert "temporary" not in told or not told["temporary"], told
        yield machine
    assert hits > KILLS / 2


@pytest.mark.parametrize("verb", ["create", "image", "bundle"])
def test_what_makes_something_is_killed(verb: str, locked: Project, cli: Command, tmp_path: Path) -> None:
    """What the next run made is what the lock says, and the same in every round."""
    output = tmp_path / "made"
    words = {
        "create": ("create", "-p", str(output)),
        "image": ("image", "--output", str(output)),
        "bundle": ("bundle", "--no-tools", "--output", f"{output}/"),
    }[verb]
    seen = set()
    for machine in survives(cli, words, tmp_path, output):
        machine.process("verify", str(output)).succeeded()
        if verb != "create":
            seen.add((output / "index.json").read_bytes())
        shutil.rmtree(machine.variables["ENVGEN_CACHE"])
    assert len(seen) <= 1


@pytest.mark.skipif(not (PROGRAM and SKOPEO), reason="docker-registry and skopeo (Debian packages) are not installed")
def test_a_push_is_killed(locked: Project, cli: Command, tmp_path: Path) -> None:
    """What is under the tag is nothing or the whole image."""
    output = tmp_path / "made"
    with registry(tmp_path / "registry") as address:
        reference = f"{address}/team/demo:1"
        words = ("image", "--output", str(output), "--push", reference)
        for machine in survives(cli, words, tmp_path, output):
            machine.process("verify", reference).succeeded()
            shutil.rmtree(machine.variables["ENVGEN_CACHE"])


def test_publish_is_killed(locked: Project, cli: Command, tmp_path: Path) -> None:
    channel = tmp_path / "channel"
    for _machine in survives(cli, ("publish", "--to", str(channel)), tmp_path, channel):
        for subdir in ("linux-64", "noarch"):
            listed = json.loads((channel / subdir / "repodata.json").read_bytes())["packages.conda"]
            found = {path.name: path.read_bytes() for path in (channel / subdir).glob("*.conda")}
            assert {name: sha256(data).hexdigest() for name, data in found.items()} == {
                name: record["sha256"] for name, record in listed.items()
            }
        assert not [path for path in (channel / ".tmp").rglob("*") if path.is_file()]
