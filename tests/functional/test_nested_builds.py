"""What a build requires may have to be built as well: built first, locked with it, and built again elsewhere."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest
import yaml

from envgen.errors import LockError
from envgen.lock.read import read_lock
from tests.builders.sdists import make_sdist, sdist_filename, unpack_sdist

if TYPE_CHECKING:
    from typing import Any

    from tests.builders.registries import Registries
    from tests.command import Command, Outcome, Project

SPEC = """\
python: "3.11"
platforms: {{linux-64: {{glibc: "2.36"}}}}
dependencies: [python]
pypi: [{pypi}]
"""
LOCK = "demo.linux-64.conda-lock.yml"


def offer(registries: Registries, name: str, *, version: str = "1.0", **more: Any) -> None:
    registries.index.add(sdist_filename(name, version), make_sdist(name, version, **more))
    registries.publish()


@pytest.fixture
def chain(project: Project, registries: Registries) -> Project:
    """Offer a project that is built with one that is built with a third; none of them has a wheel."""
    offer(registries, "outer", build_requires=["middle"], before="import middle")
    offer(registries, "middle", build_requires=["inner"], before="import inner", requires=["eggs <2"])
    offer(registries, "inner")
    project.spec("demo", SPEC.format(pypi="outer"))
    return project


def environments(project: Project) -> dict[str, list[dict[str, Any]]]:
    custom = yaml.safe_load(project.locks()[LOCK])["metadata"]["custom_metadata"]
    start = "envgen.build-environment."
    return {key.removeprefix(start): json.loads(text) for key, text in custom.items() if key.startswith(start)}


def said(outcome: Outcome) -> str:
    return " ".join((outcome.out + outcome.err).split())


def test_builds_in_builds_are_locked_and_repeated(chain: Project, cli: Command) -> None:
    cli("lock").succeeded()
    before = chain.locks()
    names = sorted(sorted(one["name"] for one in packages) for packages in environments(chain).values())
    assert names == [[], ["eggs", "middle"], ["inner"]]
    cli("lock", "--refresh").succeeded()
    assert chain.locks() == before
    shutil.rmtree(cli.variables["ENVGEN_CACHE"])
    created = cli("create").succeeded().err
    order = [created.index(f"running the build of `{name}`") for name in ("inner", "middle", "outer")]
    assert order == sorted(order)
    assert cli.process("run", "--", "python", "-c", "import outer").code == 0
    assert cli.process("run", "--", "python", "-c", "import middle").code == 1, "of the build alone"


@pytest.mark.parametrize(
    ("needs", "chain_"),
    [
        ({"outer": "outer"}, "`outer` -> `outer`"),
        ({"outer": "middle", "middle": "outer"}, "`outer` -> `middle` -> `outer`"),
        ({"outer": "middle", "middle": "inner", "inner": "middle"}, "`middle` -> `inner` -> `middle`"),
    ],
    ids=["itself", "two", "inside"],
)
def test_a_circle_is_named(
    needs: dict[str, str], chain_: str, project: Project, registries: Registries, cli: Command
) -> None:
    for name, need in needs.items():
        offer(registries, name, build_requires=[need])
    project.spec("demo", SPEC.format(pypi="outer"))
    outcome = cli("lock")
    assert outcome.code == 3
    assert f"its build requires itself: {chain_}" in said(outcome)
    assert project.locks() == {}


def test_a_build_requirement_with_an_address(project: Project, registries: Registries, cli: Command) -> None:
    """What the index has of that name is not taken."""
    offer(registries, "inner", version="2.0")
    offer(registries, "inner")
    url = f"{registries.server.url}/{registries.index.path(sdist_filename('inner'))}"
    offer(registries, "outer", build_requires=[f"inner @ {url}"], before="import inner; assert inner.version == '1.0'")
    project.spec("demo", SPEC.format(pypi="outer"))
    cli("lock").succeeded()
    (packages,) = filter(None, environments(project).values())
    assert [(one["name"], one["version"], one["url"]) for one in packages] == [("inner", "1.0", url)]


def test_a_failed_build_inside_is_told(project: Project, registries: Registries, cli: Command) -> None:
    offer(registries, "outer", build_requires=["inner"])
    offer(registries, "inner", on_wheel="raise SystemExit('the header is missing')")
    project.spec("demo", SPEC.format(pypi="outer"))
    outcome = cli("lock")
    assert outcome.code == 1
    assert "failed to build `inner` 1.0" in said(outcome)
    assert "the header is missing" in outcome.err
    assert project.locks() == {}


def test_a_local_project_elsewhere(project: Project, registries: Registries, cli: Command) -> None:
    offer(registries, "inner")
    table = '[project]\nname = "mylib"\nversion = "1.0"\n'
    archive = make_sdist("mylib", project=table, build_requires=["inner"], before="import inner")
    unpack_sdist(archive, project.root / "libs/mylib")
    project.spec("demo", SPEC.format(pypi="./libs/mylib"))
    cli("lock").succeeded()
    shutil.rmtree(cli.variables["ENVGEN_CACHE"])
    cli("bundle", "--no-tools", "--output", "demo.tar").succeeded()
    shutil.rmtree(cli.variables["ENVGEN_CACHE"])
    registries.server.content = {}
    created = cli("create", "--offline", "--bundle", "demo.tar").succeeded().err
    assert "running the build of `mylib`" in created
    assert "running the build of `inner`" not in created, "its wheel is in the bundle"


def test_environments_that_need_each_other_are_refused(chain: Project, cli: Command) -> None:
    cli("lock").succeeded()
    text = chain.locks()[LOCK].decode()
    found = environments(chain).items()
    outer, middle = (
        next(key for key, packages in found if name in {one["name"] for one in packages})
        for name in ("middle", "inner")
    )
    with pytest.raises(LockError, match="the environments of builds need each other"):
        read_lock(text.replace(f'"environment":"{middle}"', f'"environment":"{outer}"'))
