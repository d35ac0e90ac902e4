"""A conda channel beside the wheel index: Python from the channel, the rest from wheels, nothing twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.builders.channel import CondaPackage
from tests.builders.tree import File
from tests.functional.test_create import make, needs_311
from tests.functional.test_lock import packages

if TYPE_CHECKING:
    from pathlib import Path

    from tests.builders.registries import Registries
    from tests.command import Command, Project


def spec(registries: Registries, *, dependencies: str = "python", pypi: str = "spam ==1.0, eggs <2") -> str:
    return (
        f'python: "3.11"\nplatforms: {{linux-64: {{glibc: "2.36"}}}}\nchannels: [{registries.channel_url}]\n'
        f"dependencies: [{dependencies}]\npypi: [{pypi}]\n"
    )


@needs_311
def test_python_comes_from_the_channel(project: Project, cli: Command, registries: Registries) -> None:
    project.spec("demo", spec(registries))
    cli("lock").succeeded()
    python = packages(project)["python"]
    assert python["manager"] == "conda"
    assert python["url"] == f"{registries.channel_url}/linux-64/python-3.11.9-0_cpython.conda"
    assert set(python["hash"]) == {"md5", "sha256"}
    assert [name for name in project.locks() if "debian" in name] == []
    make(cli)
    outcome = cli.process("run", "--", "spam").succeeded()
    assert outcome.out == "spam with eggs 1.1\n"


def test_text_prefix_is_replaced(project: Project, cli: Command, registries: Registries) -> None:
    placeholder = "/opt/placeholder_placehold_placehold"
    package = CondaPackage(
        name="settings",
        files={"etc/where": File(f"prefix={placeholder}\n".encode())},
        placeholders={"etc/where": placeholder},
    )
    registries.channel.add(package)
    registries.publish()
    project.spec("demo", spec(registries, dependencies="python, settings"))
    cli("lock").succeeded()
    prefix = make(cli)
    assert (prefix / "etc/where").read_text() == f"prefix={prefix}\n"


def test_link_scripts_are_named_and_not_run(
    project: Project, cli: Command, registries: Registries, tmp_path: Path
) -> None:
    marker = tmp_path / "marker"
    script = f"#!/bin/sh\n\n# registers the fonts\ntouch {marker}\n"
    for name, text in {"fonts": script, "quiet": script.replace("#", " ", 5)}.items():
        files = {f"bin/.{name}-post-link.sh": File(text.encode(), 0o755)}
        registries.channel.add(CondaPackage(name=name, files=files))
    registries.publish()
    project.spec("demo", spec(registries, dependencies="python, fonts, quiet"))
    assert "link scripts" not in cli("lock").succeeded().err  # an index does not tell
    said = "link scripts of packages are not run: `fonts` (registers the fonts), `quiet`"
    created = cli("create").succeeded().err
    assert created.count("link scripts") == 1
    assert said in created
    assert "link scripts" not in cli("create").succeeded().err
    assert said in cli("lock").succeeded().err
    assert not marker.exists()


@pytest.mark.parametrize("text", ["!!! ((", ">=1", ""])
def test_a_dependency_that_cannot_be_read_is_named(
    text: str, project: Project, cli: Command, registries: Registries
) -> None:
    registries.channel.add(CondaPackage(name="odd", depends=(text,)))
    registries.publish()
    project.spec("demo", spec(registries, dependencies="python, odd"))
    outcome = cli("lock")
    assert outcome.code == 5, outcome.err
    assert f"`odd-1.0-0.conda` of a channel depends on `{text}`, which is not a MatchSpec" in outcome.err


def test_a_version_of_a_dependency_that_cannot_be_read_is_named(
    project: Project, cli: Command, registries: Registries
) -> None:
    registries.channel.add(CondaPackage(name="odd", depends=("b >>=1",)))
    registries.publish()
    project.spec("demo", spec(registries, dependencies="python, odd"))
    outcome = cli("lock")
    assert outcome.code == 3, outcome.err
    assert "b >>=1" in outcome.err
