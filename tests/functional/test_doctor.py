"""`envgen doctor`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tests.command import Command, Project


def test_a_machine_and_a_lock(locked: Project, cli: Command) -> None:
    found = cli("doctor", "--json").succeeded().json()
    assert (found["environment"], found["lock"]) == ("demo", "locks/demo.linux-64.conda-lock.yml")
    assert found["path"]["device"] in ("cuda", "cpu")
    assert [mirror["placeholder"] for mirror in found["machine"]["mirrors"]] == [
        "ENVGEN_PYPI",
        "ENVGEN_DEBIAN",
        "ENVGEN_DEBIAN_SECURITY",
    ]
    assert all(mirror["problem"] is None for mirror in found["machine"]["mirrors"])


def test_for_people(locked: Project, cli: Command) -> None:
    lines = cli("doctor").succeeded().out.splitlines()
    assert any(line.split()[:2] == ["ok", "lock"] for line in lines)
    assert lines[-1].startswith("demo: cpu path, ") or lines[-1].startswith("demo: cuda path, ")


def test_a_mirror_that_is_not_there(locked: Project, cli: Command) -> None:
    outcome = cli("doctor", ENVGEN_PYPI="file:///nowhere/to/be/found")
    assert outcome.code == 1
    assert "ENVGEN_PYPI (file:///nowhere/to/be/found): there is nothing" in outcome.out
    unset = cli("doctor", ENVGEN_PYPI="nonsense")
    assert unset.code == 1
    assert "ENVGEN_PYPI is not a URL" in unset.out
    assert "problem" in unset.err


def test_outside_a_project(cli: Command, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    found = cli("doctor", "--json", cwd=tmp_path / "elsewhere").succeeded().json()
    assert (found["environment"], found["lock"]) == (None, None)
    assert found["machine"]["platform"]


def test_a_spec_without_a_lock(demo: Project, cli: Command) -> None:
    lines = cli("doctor").succeeded().out.splitlines()
    assert "(no lock for linux-64)" in lines[-1]
