"""Builds without isolation: they see the packages of the environment, and the variables of the spec."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.builders.sdists import make_sdist, sdist_filename, unpack_sdist
from tests.builders.wheels import make_wheel, wheel_filename

if TYPE_CHECKING:
    from tests.builders.registries import Registries
    from tests.command import Command, Project

SPEC = """\
python: "3.11"
platforms: {{linux-64: {{glibc: "2.36"}}}}
dependencies: [python]
pypi: [{pypi}]
builds:
  native:
    isolation: "compiles against the eggs of the environment"
    variables: {{MAX_JOBS: "4", TORCH_CUDA_ARCH_LIST: "8.0;9.0"}}
"""
_RECORD = (
    "import eggs; names = ('MAX_JOBS', 'TORCH_CUDA_ARCH_LIST'); "
    "pathlib.Path('native.py').write_text(f'eggs = {eggs.version!r}; seen = {[os.environ[n] for n in names]!r}')"
)


def offer(registries: Registries, **more: Any) -> None:
    """Publish a project whose backend needs a module of the environment, as those of CUDA extensions need torch."""
    archive = make_sdist("native", on_metadata="import eggs", on_wheel=_RECORD, **{"requires": ["eggs"], **more})
    registries.index.add(sdist_filename("native"), archive)
    registries.publish()


def custom(project: Project) -> dict[str, Any]:
    """Read what the lock says beside packages, as far as it is JSON."""
    text = project.locks()["demo.linux-64.conda-lock.yml"]
    found = yaml.safe_load(text)["metadata"]["custom_metadata"]
    return {key: json.loads(value) for key, value in found.items() if value.startswith(("{", "["))}


def environment(project: Project) -> list[str]:
    """List what is locked for the build beside the packages of the environment."""
    (found,) = (value for key, value in custom(project).items() if "build-environment" in key)
    return [one["name"] for one in found]


def says(cli: Command, code: str = "import native; print(native.eggs, *native.seen)") -> str:
    return cli.process("run", "--", "python", "-c", code).succeeded().out.strip()


def test_a_build_sees_the_environment_and_its_variables(project: Project, registries: Registries, cli: Command) -> None:
    offer(registries, build_requires=["spam <1.1"])
    project.spec("demo", SPEC.format(pypi="native, eggs <2"))
    cli("lock").succeeded()
    before = project.locks()
    assert environment(project) == ["spam"], "what the environment has is not locked twice"
    assert custom(project)["envgen.build.native"]["terms"] == {
        "isolation": "compiles against the eggs of the environment",
        "variables": {"MAX_JOBS": "4", "TORCH_CUDA_ARCH_LIST": "8.0;9.0"},
    }
    cli("create").succeeded()
    assert says(cli) == "1.1 4 8.0;9.0"
    assert says(cli, "import importlib.util as u; print(u.find_spec('spam'))") == "None"
    shutil.rmtree(cli.variables["ENVGEN_CACHE"])
    assert "running the build of `native`" in cli("create", "--prefix", "other").succeeded().err
    cli("lock", "--refresh").succeeded()
    assert project.locks() == before


def test_with_isolation_it_fails(project: Project, registries: Registries, cli: Command) -> None:
    offer(registries)
    project.spec("demo", SPEC.format(pypi="native, eggs <2").partition("builds:")[0])
    outcome = cli("lock")
    assert outcome.code == 1
    assert "No module named 'eggs'" in outcome.err
    hint = '`builds: {native: {isolation: "imports eggs"}}`'
    assert f"where `eggs` is a package of the environment, let the build see it: {hint}" in outcome.err


def test_it_is_built_again_when_what_it_requires_changes(
    project: Project, registries: Registries, cli: Command
) -> None:
    offer(registries)
    project.spec("demo", SPEC.format(pypi="native, ham, eggs <1.1"))
    assert "running the build of `native`" in cli("lock").succeeded().err
    cli("create").succeeded()
    assert says(cli).startswith("1.0")
    registries.index.add(wheel_filename("ham", "2.0"), make_wheel("ham", "2.0"))
    registries.publish()
    assert "running the build of `native`" not in cli("lock", "--upgrade", "ham").succeeded().err
    assert b"version: '2.0'" in project.locks()["demo.linux-64.conda-lock.yml"]
    project.spec("demo", SPEC.format(pypi="native, ham, eggs ==1.1"))
    assert "running the build of `native`" in cli("lock").succeeded().err
    cli("create").succeeded()
    assert says(cli).startswith("1.1")


def test_what_requires_it_is_not_there_while_it_is_built(
    project: Project, registries: Registries, cli: Command
) -> None:
    offer(registries, before="import importlib.util as u; assert not u.find_spec('user')")
    registries.index.add(wheel_filename("user"), make_wheel("user", requires=("native ==1.0",), files={"user.py": ""}))
    registries.publish()
    project.spec("demo", SPEC.format(pypi="user, native, eggs"))
    cli("lock").succeeded()
    cli("create").succeeded()
    assert says(cli).startswith("2.0")


def test_a_requirement_of_the_build_that_the_environment_does_not_meet(
    project: Project, registries: Registries, cli: Command
) -> None:
    offer(registries, build_requires=["eggs >=2"])
    project.spec("demo", SPEC.format(pypi="native, eggs <2"))
    outcome = cli("lock")
    assert outcome.code == 3
    what = (
        "the build of `native` 1.0 from `native-1.0.tar.gz` requires `eggs>=2`, the environment that it runs in has 1.1"
    )
    assert what in " ".join(outcome.err.split())
    assert project.locks() == {}


@pytest.mark.usefixtures("registries")
def test_a_project_of_the_repository(project: Project, cli: Command) -> None:
    table = '[project]\nname = "native"\nversion = "1.0"\ndependencies = ["eggs <2"]\n'
    unpack_sdist(
        make_sdist("native", on_wheel=_RECORD, requires=["eggs <2"], project=table), project.root / "libs/native"
    )
    project.spec("demo", SPEC.format(pypi="./libs/native, eggs"))
    cli("lock").succeeded()
    cli("create").succeeded()
    assert says(cli).startswith("1.1")
    before = project.locks()
    shutil.rmtree(cli.variables["ENVGEN_CACHE"])
    cli("lock").succeeded()
    assert project.locks() == before


def test_another_platform_is_refused(project: Project, registries: Registries, cli: Command) -> None:
    offer(registries)
    spec = SPEC.replace("}}}}\ndep", "}}, linux-aarch64: {{glibc: '2.36'}}}}\ndep", 1)
    project.spec("demo", spec.format(pypi="native, eggs"))
    outcome = cli("lock")
    assert outcome.code == 1
    assert "`native` 1.0 is built without isolation, with packages for linux-aarch64" in outcome.err
    assert project.locks() == {}


def test_the_spec_has_to_ask_for_what_the_backend_imports(
    project: Project, registries: Registries, cli: Command
) -> None:
    offer(registries)
    project.spec("demo", SPEC.format(pypi="native"))
    outcome = cli("lock")
    assert outcome.code == 1
    assert "sees what the spec asks for: add the project of `eggs` to `pypi`" in outcome.err
