"""Wheel indexes beside the default one: a project comes from one of them, and what each may be."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from envgen.structs import replace
from tests.builders.index import Index
from tests.command import REPOSITORY
from tests.functional.further_indexes import LINUX, XPU, lock_text, publish, said, spec, torch_index, wheel

if TYPE_CHECKING:
    from tests.builders.registries import Registries
    from tests.command import Command, Project


@pytest.fixture
def xpu(project: Project, registries: Registries) -> Project:
    """Make a project whose torch is the one for Intel GPUs; the default index has newer ones of the same names."""
    registries.index.add(*wheel("torch", "9.0"))
    registries.index.add(*wheel("pytorch-triton-xpu", "3.4.0"))
    publish(registries, torch_index())
    spec(project, registries, '"torch ==2.8.0+xpu", torchvision', XPU)
    return project


@pytest.mark.parametrize("flavour", ["cpu", "cu126", "rocm6.4", "xpu"])
def test_flavours_come_from_the_index_that_names_the_project(
    project: Project, registries: Registries, cli: Command, flavour: str
) -> None:
    registries.index.add(*wheel("torch", "9.0"))
    publish(registries, torch_index())
    spec(project, registries, f'"torch ==2.8.0+{flavour}", "torchvision ==0.23.0+{flavour}"', XPU)
    cli("lock").succeeded()
    text = lock_text(project)
    assert f"${{ENVGEN_INDEX_PYTORCH}}/torch/torch-2.8.0+{flavour}-cp311" in text
    assert "${ENVGEN_PYPI}/eggs/" in text
    assert "127.0.0.1" not in text
    listed = said(cli("list"))
    assert f"torch 2.8.0+{flavour}" in listed
    assert f"torchvision 0.23.0+{flavour}" in listed
    assert cli("lock", "--check").code == 0


def test_a_newer_version_elsewhere_is_not_seen(project: Project, registries: Registries, cli: Command) -> None:
    registries.index.add(*wheel("torch", "9.0"))
    publish(registries, torch_index())
    spec(project, registries, "torch", XPU)
    cli("lock").succeeded()
    assert "/torch-2.8.0+xpu-" in lock_text(project)  # of equal public versions the last local one: PEP 440


def test_local_versions_are_shown_as_they_are(xpu: Project, registries: Registries, cli: Command) -> None:
    del xpu
    cli("lock").succeeded()
    assert "torch 2.8.0+xpu" in said(cli("list"))
    assert "torch 2.8.0+xpu" in said(cli("tree"))
    assert "torch==2.8.0 → 2.8.0+xpu" in said(cli("why", "pytorch-triton-xpu"))
    assert "torch==2.8.0+xpu" in cli("export", "requirements").succeeded().out
    assert "torch@2.8.0%2Bxpu" in cli("export", "cyclonedx").succeeded().out
    cli("build").succeeded()
    for form in ("pylock", "conda-lock", "pixi"):
        out = cli("export", form).succeeded().out
        assert "2.8.0+xpu" in out, form
        assert re.search(r"http://127.0.0.1:\d+/whl/files/\w+/torch-2.8.0", out), form
        assert re.search(r"http://127.0.0.1:\d+/pypi/files/\w+/eggs", out), form
    address = re.escape(f"{registries.server.url}/whl/simple")
    assert re.search(rf'index = "{address}"', cli("export", "pylock").out)
    assert re.search(rf"--extra-index-url {address}\n", cli("export", "requirements").out)
    assert "only the hashes keep files of other indexes out" in said(cli("export", "environment.yml"))
    assert re.search(rf"torch@2.8.0%2Bxpu\?repository_url={address}", cli("export", "spdx").out)
    assert "ARG ENVGEN_INDEX_PYTORCH=" in cli("export", "dockerfile").out
    assert "2.8.0+xpu" in cli("licenses", "--json").succeeded().out


def test_a_change_of_flavour_is_shown_and_a_mix_of_them_told(xpu: Project, cli: Command) -> None:
    cli("lock").succeeded()
    path = xpu.root / "environments/demo.yaml"
    path.write_text(path.read_text().replace("==2.8.0+xpu", "==2.8.0+cpu"))
    outcome = cli("lock").succeeded()
    assert "torch 2.8.0+xpu -> 2.8.0+cpu (wheel)" in said(outcome)
    mixed = "index `pytorch`: the locked wheels are of different flavours: torch 2.8.0+cpu, torchvision 0.23.0+xpu"
    assert mixed in said(outcome)


def test_the_documented_spec_for_intel_gpus(project: Project, registries: Registries, cli: Command) -> None:
    text = (REPOSITORY / "environments/README.md").read_text()
    project.write("environments/xpu.yaml", text.partition("<!-- test: xpu -->\n```yaml\n")[2].partition("```")[0])
    index = torch_index()
    runtime = ("intel-sycl-rt ==2025.1.1", "mkl ==2025.1.0", "pytorch-triton-xpu ==3.4.0 ; sys_platform == 'linux'")
    index.add(*wheel("torch", "2.8.0+xpu", LINUX, requires=runtime))
    for name, version in (("intel-sycl-rt", "2025.1.1"), ("mkl", "2025.1.0")):
        registries.index.add(*wheel(name, version, "py2.py3-none-manylinux_2_28_x86_64"))
    publish(registries, index)
    cli("lock", TORCH_INDEX=f"{registries.server.url}/whl/simple").succeeded()
    lock = project.locks()["xpu.linux-64.conda-lock.yml"].decode()
    for path in ("PYTORCH}/torch/torch-2.8.0+xpu-cp311-cp311-linux_x86_64.whl", "PYTORCH}/pytorch-triton-xpu/"):
        assert f"${{ENVGEN_INDEX_{path}" in lock
    assert "${ENVGEN_PYPI}/mkl/" in lock
    assert "127.0.0.1" not in lock


def test_an_environment_of_several_indexes(xpu: Project, cli: Command) -> None:
    cli("lock").succeeded()
    cli("create").succeeded()
    records = Path(cli.variables["CONDA_ENVS_PATH"], "demo/conda-meta").glob("pytorch-2.8.0-*.json")
    record: dict[str, Any] = json.loads(next(iter(records)).read_text())
    assert "_xpu_" in record["build"]
    assert any("2.8.0%2Bxpu" in purl for purl in record["purls"])
    assert cli("create").succeeded()


class TestConfusion:
    def test_what_the_index_does_not_have_is_not_there(
        self, project: Project, registries: Registries, cli: Command
    ) -> None:
        registries.index.add(*wheel("acme-core", "9.0"))
        publish(registries, Index(prefix="/team"))
        spec(project, registries, "acme-core", '  team: {url: "@/team/simple", projects: ["acme-*"]}')
        outcome = cli("lock")
        assert outcome.code == 3
        assert "index `team` has no project `acme-core`" in said(outcome)
        assert "`indexes.team.projects` says that it comes from no other" in said(outcome)
        assert "/pypi/simple/acme-core/" not in registries.server.paths()

    @pytest.mark.parametrize("status", [401, 403])
    def test_a_refusal_is_an_error(self, project: Project, registries: Registries, cli: Command, status: int) -> None:
        registries.index.add(*wheel("acme-core", "9.0"))
        publish(registries, Index(prefix="/team"))
        faults = registries.server.faults
        registries.server.faults = replace(faults, statuses={"/team/simple/acme-core/": status})
        spec(project, registries, "acme-core", '  team: {url: "@/team/simple", projects: ["acme-*"]}')
        outcome = cli("lock")
        assert outcome.code == 4
        assert f"index `team`: {registries.server.url}/team/simple/acme-core/ returned status {status}" in said(outcome)
        assert "ENVGEN_INDEX_TEAM" in said(outcome)
        assert "/pypi/simple/acme-core/" not in registries.server.paths()

    def test_requirements_of_wheels_are_routed_too(
        self, project: Project, registries: Registries, cli: Command
    ) -> None:
        registries.index.add(*wheel("acme-core", "9.0"))
        registries.index.add(*wheel("app", "1.0", requires=("acme-core",)))
        team = Index(prefix="/team")
        team.add(*wheel("acme-core", "1.0"))
        publish(registries, team)
        spec(project, registries, "app", '  team: {url: "@/team/simple", projects: ["Acme_*"]}')
        cli("lock").succeeded()
        assert "${ENVGEN_INDEX_TEAM}/acme-core/acme_core-1.0-" in lock_text(project)

    def test_a_name_that_two_patterns_meet_at(self, project: Project, registries: Registries, cli: Command) -> None:
        publish(registries)
        both = '  one: {url: "@/one", projects: ["acme-*"]}\n  two: {url: "@/two", projects: ["*-core"]}'
        spec(project, registries, "acme-core", both)
        outcome = cli("lock")
        assert outcome.code == 1
        assert "`acme-core` is named by `indexes.one` and `indexes.two`" in said(outcome)

    def test_files_of_other_projects_are_ignored_and_told(
        self, project: Project, registries: Registries, cli: Command
    ) -> None:
        team = Index(prefix="/team", style="html")
        team.add(*wheel("acme-core", "1.0"))
        team.add(*wheel("evil", "1.0"))
        publish(registries, team)
        content = registries.server.content
        assert isinstance(content, dict)
        pages = content["/team/simple/acme-core/"] + content["/team/simple/evil/"]
        content["/team/simple/acme-core/"] = pages
        spec(project, registries, "acme-core", '  team: {url: "@/team/simple", projects: ["acme-*"]}')
        outcome = cli("lock").succeeded()
        assert "lists files of other projects for `acme-core`, such as `evil-1.0-py3-none-any.whl`" in said(outcome)
        assert "acme_core-1.0" in lock_text(project)

    def test_settings_of_pip_are_told_and_not_followed(
        self, demo: Project, registries: Registries, cli: Command
    ) -> None:
        del demo
        evil = Index(prefix="/evil")
        evil.add(*wheel("spam", "1.0", code="bad = 1\n"))
        publish(registries, evil)
        pip = Path(cli.variables["HOME"], ".config/pip/pip.conf")
        pip.parent.mkdir(parents=True)
        pip.write_text(f"[global]\nextra-index-url = http://user:secret@{registries.server.url[7:]}/evil/simple\n")
        outcome = cli("lock", UV_EXTRA_INDEX_URL=f"{registries.server.url}/evil/simple").succeeded()
        note = said(outcome)
        assert f"further indexes are not used (UV_EXTRA_INDEX_URL, `extra-index-url` in `{pip}`)" in note
        assert note.count("are not used") == 1
        assert "secret" not in note
        assert not [path for path in registries.server.paths() if path.startswith("/evil")]

    def test_nothing_is_told_where_the_spec_has_them(
        self, project: Project, registries: Registries, cli: Command
    ) -> None:
        team = Index(prefix="/team")
        team.add(*wheel("acme-core", "1.0"))
        publish(registries, team)
        spec(project, registries, "acme-core", '  team: {url: "@/team/simple", projects: ["acme-*"]}')
        outcome = cli("lock", PIP_EXTRA_INDEX_URL=f"{registries.server.url}/team/simple/").succeeded()
        assert "not used" not in said(outcome)


class TestAddresses:
    TEAM = '  team: {url: "${TEAM_INDEX}", projects: ["acme-*"]}'

    @pytest.fixture
    def team(self, project: Project, registries: Registries) -> Project:
        index = Index(prefix="/team")
        index.add(*wheel("acme-core", "1.0"))
        publish(registries, index)
        spec(project, registries, "acme-core", self.TEAM)
        return project

    def test_a_variable_that_is_not_set(self, team: Project, cli: Command) -> None:
        del team
        outcome = cli("lock")
        assert outcome.code == 1
        assert "`indexes.team.url` needs the variable TEAM_INDEX, which is not set" in said(outcome)

    def test_of_the_variable_of_the_spec_and_of_the_placeholder(
        self, team: Project, registries: Registries, cli: Command
    ) -> None:
        url = f"{registries.server.url}/team/simple"
        cli("lock", TEAM_INDEX=url).succeeded()
        first = lock_text(team)
        cli("create", ENVGEN_INDEX_TEAM=url).succeeded()
        cli("lock", "--upgrade", ENVGEN_INDEX_TEAM=url).succeeded()
        assert lock_text(team) == first
        assert cli("lock", "--check").code == 0

    def test_of_the_settings(self, team: Project, registries: Registries, cli: Command) -> None:
        del team
        config = Path(cli.variables["HOME"], ".config/envgen/config.toml")
        config.parent.mkdir(parents=True)
        config.write_text(f'[mirrors.indexes]\nteam = "{registries.server.url}/team/simple"\n')
        cli("lock").succeeded()
        found = cli("doctor", "--json").json()
        assert "ENVGEN_INDEX_TEAM" in json.dumps(found)

    def test_a_lock_is_stale_where_the_routes_change(self, team: Project, registries: Registries, cli: Command) -> None:
        url = f"{registries.server.url}/team/simple"
        cli("lock", TEAM_INDEX=url).succeeded()
        other = self.TEAM.replace('"acme-*"', "acme-other")
        spec(team, registries, "acme-core", other)
        outcome = cli("lock", "--check")
        assert outcome.code == 1
        assert "`acme-core` comes from the wheel index, it is locked from index `team`" in said(outcome)
        spec(team, registries, "acme-core", self.TEAM.replace("TEAM_INDEX", "OTHER"))
        assert "`indexes.team.url` changed" in said(cli("lock", "--check"))

    def test_patterns_that_match_nothing_are_told(self, team: Project, registries: Registries, cli: Command) -> None:
        spec(team, registries, "acme-core", self.TEAM.replace('"acme-*"', '"acme-*", unheard'))
        outcome = cli("lock", TEAM_INDEX=f"{registries.server.url}/team/simple").succeeded()
        assert "`indexes.team.projects`: `unheard` matches no locked package" in said(outcome)
