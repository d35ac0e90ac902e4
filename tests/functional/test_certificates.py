"""A machine without CA certificates: local work needs none, and what needs them ends in a message."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from envgen.structs import replace
from tests.builders.channel import CondaPackage
from tests.builders.tree import File
from tests.functional.test_channels import spec

if TYPE_CHECKING:
    from pathlib import Path

    from tests.builders.registries import Registries
    from tests.command import Command, Project

PLACEHOLDER = "/opt/placeholder_placehold_placehold"


@pytest.fixture(params=["missing", "empty", "garbage"])
def bare(request: pytest.FixtureRequest, cli: Command, tmp_path: Path) -> Command:
    """Return a machine whose variables name no certificates."""
    file = tmp_path / "ca.pem"
    if request.param != "missing":
        file.write_bytes(b"" if request.param == "empty" else bytes(range(256)) * 9)
    named = {"SSL_CERT_FILE": str(file), "SSL_CERT_DIR": str(tmp_path / "nowhere")}
    return replace(cli, variables={**cli.variables, **named})


@pytest.fixture
def prefixed(project: Project, registries: Registries, cli: Command) -> Project:
    """Lock a package with a prefix in a file, which rattler links, beside a recipe that is built."""
    files = {"etc/where": File(f"prefix={PLACEHOLDER}\n".encode())}
    registries.channel.add(CondaPackage(name="settings", files=files, placeholders={"etc/where": PLACEHOLDER}))
    registries.publish()
    project.spec("demo", spec(registries, dependencies="python, settings"))
    cli("lock").succeeded()
    cli("create", "-p", str(project.root / "first")).succeeded()
    return project


@pytest.mark.usefixtures("prefixed")
def test_local_work_needs_none(bare: Command, tmp_path: Path) -> None:
    prefix, channel = tmp_path / "env", tmp_path / "channel"
    made = bare.process("create", "--offline", "-p", str(prefix)).succeeded()
    assert (prefix / "etc/where").read_text() == f"prefix={prefix}\n"
    assert "panic" not in made.err
    bare.process("verify", str(prefix)).succeeded()
    published = bare.process("publish", "--offline", "--to", str(channel)).succeeded()
    assert (channel / "noarch/repodata.json").is_file()
    assert "panic" not in published.err


def test_a_solve_without_channels_needs_none(locked: Project, bare: Command) -> None:
    """Pages of the index are in the cache."""
    text = (locked.root / "environments/demo.yaml").read_text()
    locked.write("environments/demo.yaml", text.replace("eggs <2", "eggs <1.9"))
    outcome = bare.process("lock", "--offline")
    assert outcome.code in (0, 3, 4), outcome.err
    assert "panic" not in outcome.err
    assert "Traceback" not in outcome.err


def test_a_channel_that_needs_them_says_so(prefixed: Project, registries: Registries, bare: Command) -> None:
    text = spec(registries, dependencies="python, settings").replace(registries.channel_url, "https://127.0.0.1:9/team")
    prefixed.spec("demo", text)
    outcome = bare.process("lock")
    assert (outcome.code, "CA certificates" in outcome.err) == (1, True), outcome.err
    assert "panic" not in outcome.err
