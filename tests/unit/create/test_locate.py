"""Where environments live, over a small file system and chosen variables."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from envgen.create.locate import check, find, find_conda_root, place, settings
from envgen.errors import HostError, UserError
from tests.unit.system.nobody import as_nobody

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is there and where conda would look first to last; `@` stands for the folder of the test."""

    environment: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    expected: tuple[str, ...]


CASES = {
    "nothing installed": Case(expected=("@/home/.conda/envs",)),
    "variable": Case(environment={"CONDA_ENVS_DIRS": "@/a:~/b"}, expected=("@/a", "@/home/b", "@/home/.conda/envs")),
    "its other name": Case(environment={"CONDA_ENVS_PATH": "@/a"}, expected=("@/a", "@/home/.conda/envs")),
    "settings of the user": Case(
        environment={"DISK": "@/disk"},
        files={"home/.condarc": "envs_dirs: [$DISK/envs, ~/mine]\n"},
        expected=("@/disk/envs", "@/home/mine", "@/home/.conda/envs"),
    ),
    "stronger settings first": Case(
        environment={"CONDARC": "@/own.yml", "CONDA_ENVS_DIRS": "@/variable", "XDG_CONFIG_HOME": "@/xdg"},
        files={
            "root/etc/conda/.condarc": "envs_dirs: [/etc-one]\n",
            "root/etc/conda/condarc.d/b.yml": "envs_dirs: [/etc-two]\n",
            "xdg/conda/condarc": "envs_dirs: [/xdg]\n",
            "home/.conda/.condarc": "envs_dirs: [/dot-conda]\n",
            "home/.condarc": "envs_dirs: [/home-one]\n",
            "own.yml": "envs_dirs: [/own]\n",
        },
        expected=(
            "@/variable",
            "/own",
            "/home-one",
            "/dot-conda",
            "/xdg",
            "/etc-two",
            "/etc-one",
            "@/home/.conda/envs",
        ),
    ),
    "one folder as text, said twice": Case(
        files={"home/.condarc": "envs_dirs: /x\n", "home/.conda/.condarc": "envs_dirs: [/x]\nchannels: [a]\n"},
        expected=("/x", "@/home/.conda/envs"),
    ),
    "conda by its variable": Case(
        environment={"CONDA_EXE": "@/opt/conda/bin/conda"},
        files={
            "opt/conda/conda-meta/history": "",
            "opt/conda/bin/conda": "",
            "opt/conda/.condarc": "envs_dirs: [/from-root]\n",
        },
        expected=("/from-root", "@/opt/conda/envs", "@/home/.conda/envs"),
    ),
    "mamba by its variable": Case(
        environment={"MAMBA_ROOT_PREFIX": "@/mamba"}, expected=("@/mamba/envs", "@/home/.conda/envs")
    ),
    "a wrapper that is no conda": Case(
        environment={"CONDA_EXE": "@/usr/bin/conda"}, files={"usr/bin/conda": ""}, expected=("@/home/.conda/envs",)
    ),
}


def build(tmp_path: Path, case: Case) -> dict[str, str]:
    for name, text in case.files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "home").mkdir(exist_ok=True)
    return {key: value.replace("@", str(tmp_path)) for key, value in case.environment.items()}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_folders_are_those_of_conda_in_its_order(tmp_path: Path, case: Case) -> None:
    environment = build(tmp_path, case)
    found = settings(environment, home=tmp_path / "home", root=tmp_path / "root")
    assert tuple(str(folder).replace(str(tmp_path), "@") for folder in found.envs_dirs) == case.expected


@pytest.mark.parametrize("text", ["[a", "- a\n"])
def test_broken_settings_are_named(tmp_path: Path, text: str) -> None:
    (tmp_path / ".condarc").write_text(text)
    with pytest.raises(UserError, match=r"\.condarc"):
        settings({}, home=tmp_path)


def test_registering_can_be_switched_off(tmp_path: Path) -> None:
    (tmp_path / ".condarc").write_text("register_envs: false\n")
    assert not settings({}, home=tmp_path).register
    assert settings({"CONDA_REGISTER_ENVS": "yes"}, home=tmp_path).register


def test_conda_is_found_in_the_path(tmp_path: Path) -> None:
    for name in ("conda/conda-meta/history", "conda/bin/conda"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch(mode=0o755)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/conda").symlink_to("../conda/bin/conda")
    assert find_conda_root({"PATH": f"/nowhere:{tmp_path}/bin"}) == tmp_path / "conda"


def test_an_environment_that_exists_is_found_in_any_folder(tmp_path: Path) -> None:
    (tmp_path / "b/env/conda-meta").mkdir(parents=True)
    (tmp_path / "b/env/conda-meta/history").touch()
    folders = (tmp_path / "a", tmp_path / "b")
    assert find("env", folders) == place("env", folders) == tmp_path / "b/env"
    assert find("other", folders) is None
    assert place("other", folders) == tmp_path / "a/other"


def test_a_new_one_goes_where_one_may_write(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert place("env", (tmp_path / "file/below", tmp_path / "b")) == tmp_path / "b/env"
    with pytest.raises(HostError, match="any folder for environments") as caught:
        place("env", (tmp_path / "file/below",))
    assert "--prefix" in (caught.value.hint or "")


@pytest.mark.parametrize("name", ["base", "a/b", "a b", "a:b", "#a", "", ".."])
def test_names_that_conda_refuses_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="not a valid environment name"):
        place(name, (tmp_path,))


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "precious").touch()
    with pytest.raises(UserError, match="nor an environment"):
        check(tmp_path)
    with pytest.raises(UserError, match="is a file"):
        check(tmp_path / "precious")


def test_an_empty_folder_and_an_environment_are_fine(tmp_path: Path) -> None:
    check(tmp_path)
    check(tmp_path / "new/below")
    (tmp_path / "conda-meta").mkdir()
    (tmp_path / "bin").mkdir()
    check(tmp_path)


def test_a_link_that_leads_nowhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(UserError, match="broken symbolic link"):
        check(tmp_path / "link")
    with pytest.raises(HostError, match="no permission to write"):
        check(tmp_path / "link/env")


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
def test_where_one_may_not_even_look(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    for folder in (tmp_path, *tmp_path.parents[:-2]):
        folder.chmod(0o755)

    def attempt() -> None:
        with pytest.raises(HostError, match="no permission to write"):
            check(closed / "env")

    as_nobody(attempt)


def test_an_environment_of_another_tool_is_refused(tmp_path: Path) -> None:
    (tmp_path / "conda-meta").mkdir()
    (tmp_path / "conda-meta/history").touch()
    check(tmp_path)  # `conda create --name x`: nothing in it to lose
    (tmp_path / "conda-meta/tool-1-0.json").write_text("{}")
    with pytest.raises(UserError, match="created by another tool"):
        check(tmp_path)
    (tmp_path / "conda-meta/.envgen-lock").touch()
    check(tmp_path)


def test_a_path_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"'.*/env.udcff' is not UTF-8"):
        check(tmp_path / os.fsdecode(b"env\xff"))


def test_a_place_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(HostError, match="no permission to write"):
        check(tmp_path / "file/env")
