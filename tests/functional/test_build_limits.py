"""What a build may use up, memory and its log, and what a spec allows it in vain: each is told."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.functional.test_sources import SPEC, offer

if TYPE_CHECKING:
    from tests.builders.registries import Registries
    from tests.command import Command, Project

COMPILER_IS_KILLED = "import subprocess; subprocess.run(['sh', '-c', 'kill -9 $$'], check=True)"


@pytest.mark.parametrize("on_wheel", [COMPILER_IS_KILLED, "bytearray(1 << 50)"], ids=["killed", "refused"])
def test_a_build_without_memory_is_explained(
    on_wheel: str, project: Project, registries: Registries, cli: Command
) -> None:
    offer(registries, "eating", on_wheel=on_wheel)
    project.spec("demo", SPEC.format(pypi="eating"))
    outcome = cli("lock")
    assert outcome.code == 1
    assert "hint: memory may have run out" in outcome.err
    assert 'builds: {eating: {variables: {MAX_JOBS: "1"' in outcome.err


def test_the_log_of_a_build_is_bounded(
    project: Project, registries: Registries, cli: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("envgen.limits.BUILD_LOG", 2 << 20)
    offer(registries, "endless", on_wheel="any(print('y' * 1000) for _ in iter(int, 1))")
    project.spec("demo", SPEC.format(pypi="endless"))
    outcome = cli("lock")
    assert outcome.code == 1
    assert "building the wheel wrote more than 2 MB of output, and was ended" in outcome.err
    (log,) = re.findall(r"the whole log is `(.*)`", outcome.err)
    assert Path(log).stat().st_size == 2 << 20


def test_terms_of_what_is_not_built_are_told(project: Project, registries: Registries, cli: Command) -> None:
    offer(registries, "made")
    builds = 'builds: {eggs: {network: "x"}, made: {variables: {MAX_JOBS: "1"}}}\n'
    project.spec("demo", SPEC.format(pypi="made, eggs") + builds)
    said = cli("lock").succeeded().err
    assert "`builds.eggs` has no effect: no wheel of `eggs` is built" in said
    assert "builds.made" not in said
