"""`envgen doctor`."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

from envgen.diagnose import mirror_probe
from tests.functional.conftest import SPEC

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

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
    assert "ENVGEN_PYPI (file:///nowhere/to/be/found): the folder does not exist" in outcome.out
    unset = cli("doctor", ENVGEN_PYPI="nonsense")
    assert unset.code == 1
    assert "ENVGEN_PYPI is not a URL" in unset.out
    assert "problem" in unset.err


def test_a_mirror_on_this_machine(locked: Project, cli: Command, tmp_path: Path) -> None:
    cli("doctor", ENVGEN_PYPI=str(tmp_path), ENVGEN_DEBIAN=tmp_path.as_uri()).succeeded()


def test_outside_a_project(cli: Command, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    found = cli("doctor", "--json", cwd=tmp_path / "elsewhere").succeeded().json()
    assert (found["environment"], found["lock"]) == (None, None)
    assert found["machine"]["platform"]


def test_a_spec_without_a_lock(demo: Project, cli: Command) -> None:
    outcome = cli("doctor").succeeded()
    assert "note     lock      `demo` is not locked for linux-64\n" in outcome.out
    assert outcome.out.splitlines()[-1].startswith("demo (no lock for linux-64): ")


def test_a_spec_for_another_platform(project: Project, cli: Command) -> None:
    project.spec("arm", SPEC.replace("linux-64", "linux-aarch64"))
    cli("lock").succeeded()
    outcome = cli("doctor", "arm")
    assert outcome.code == 1
    assert "PROBLEM  lock      this machine is linux-64, `arm` supports linux-aarch64\n" in outcome.out
    assert outcome.err.splitlines()[-1].startswith("hint: add linux-64 under `platforms` in `environments/arm.yaml`")


def test_a_mirror_that_says_nothing(locked: Project, cli: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mirror_probe, "_PATIENCE", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        began = time.monotonic()
        outcome = cli("doctor", ENVGEN_PYPI=url)
        assert time.monotonic() - began < 20
    assert outcome.code == 1
    assert f"PROBLEM  mirrors   ENVGEN_PYPI ({url}): no response within 0 s" in outcome.out


def test_a_mirror_that_refuses_is_asked_once(locked: Project, cli: Command) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
    outcome = cli("doctor", "--json", ENVGEN_PYPI=url)
    assert outcome.code == 1
    (problem,) = (found for found in outcome.json()["findings"] if found["level"] == "problem")
    assert problem["what"] == f"ENVGEN_PYPI ({url}): failed to reach 127.0.0.1: Connection refused"
    assert "trying again" not in outcome.err
