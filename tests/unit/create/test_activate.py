"""Activation, checked by evaluating it in real shells where they are there."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from envgen.create import activate
from envgen.create.activate import Shell, activation, run_environment
from envgen.create.shell_hook import write_shell_hook
from envgen.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

AWKWARD = "a $HOME `id` $(id) \"double\" 'single' back\\slash\nnew line ü"
BASE = {"PATH": "/usr/bin:/bin", "HOME": "/home/me", "LANG": "C.UTF-8"}


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    return make(tmp_path / 'it\'s a "folder" of $ome/envs/my env')


def make(prefix: Path) -> Path:
    (prefix / "conda-meta").mkdir(parents=True)
    (prefix / "conda-meta/history").touch()
    (prefix / "bin").mkdir()
    return prefix


def script(prefix: Path, name: str, text: str, *, folder: str = "activate.d") -> None:
    path = prefix / "etc/conda" / folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def variables(prefix: Path, name: str, values: dict[str, object]) -> None:
    path = prefix / "etc/conda/env_vars.d" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(values))


def evaluate(program: str, text: str, environment: dict[str, str]) -> dict[str, str]:
    done = subprocess.run([program, "-c", f"{text}\n/usr/bin/env -0"], env=environment, capture_output=True, check=True)
    assert done.stderr == b""
    pairs = (entry.split("=", 1) for entry in done.stdout.decode().split("\0") if entry)
    return {key: value for key, value in pairs if key not in {"_", "PWD", "SHLVL", "OLDPWD"}}


SHELLS = [
    pytest.param(program, shell, marks=pytest.mark.skipif(shutil.which(program) is None, reason=f"no {program} here"))
    for program, shell in (("bash", Shell.BASH), ("dash", Shell.POSIX), ("zsh", Shell.ZSH), ("fish", Shell.FISH))
]


@pytest.mark.parametrize(("program", "shell"), SHELLS)
def test_a_shell_that_evaluates_the_hook_is_in_the_environment(prefix: Path, program: str, shell: Shell) -> None:
    variables(prefix, "a.json", {"AWKWARD": AWKWARD, "NUMBER": 1})
    script(prefix, "10 first.sh", 'export FIRST="$CONDA_PREFIX"\n')
    script(prefix, "20 second.sh", 'export SECOND="after ${FIRST:+first}"\n')
    script(prefix, "10 first.fish", 'set -gx FIRST "$CONDA_PREFIX"\nset -gx SECOND "after first"\n')
    path = f"{shutil.which(program)}".rpartition("/")[0]
    environment = {**BASE, "PATH": f"/usr/bin:/bin:{path}"}
    after = evaluate(program, write_shell_hook(prefix, shell, environment), environment)
    expected = {
        **BASE,
        "PATH": f"{prefix}/bin:/usr/bin:/bin:{path}",
        "CONDA_PREFIX": str(prefix),
        "CONDA_DEFAULT_ENV": "my env",
        "CONDA_SHLVL": "1",
        "CONDA_PROMPT_MODIFIER": "(my env) ",
        "AWKWARD": AWKWARD,
        "NUMBER": "1",
        "FIRST": str(prefix),
        "SECOND": "after first",
    }
    assert {key: after.get(key) for key in expected} == expected


def test_a_prompt_that_is_there_gets_the_name_in_place_of_the_former(prefix: Path) -> None:
    environment = {**BASE, "CONDA_PROMPT_MODIFIER": "(old) "}
    hook = write_shell_hook(prefix, Shell.BASH, environment)
    after = evaluate("bash", f"set -eu\nexport PS1='(old) \\u $ '\n{hook}", environment)
    assert after["PS1"] == "(my env) \\u $ "


def test_an_environment_in_no_folder_called_envs_goes_by_its_path(tmp_path: Path) -> None:
    place = make(tmp_path / "elsewhere")
    assert activation(place, BASE).export["CONDA_DEFAULT_ENV"] == str(place)


def test_variables_of_the_environment_win_over_those_of_packages(prefix: Path) -> None:
    variables(prefix, "a.json", {"ONE": "a", "TWO": "a", "GONE": "a"})
    variables(prefix, "b.json", {"TWO": "b"})
    state = {"version": 1, "env_vars": {"THREE": "s", "ONE": "s", "GONE": "***unset***"}}
    (prefix / "conda-meta/state").write_text(json.dumps(state))
    after = run_environment(prefix, {**BASE, "GONE": "mine"})
    assert {key: after.get(key) for key in ("ONE", "TWO", "THREE", "GONE")} == {
        "ONE": "s",
        "TWO": "b",
        "THREE": "s",
        "GONE": None,
    }


def test_what_a_variable_was_is_kept_for_deactivation(prefix: Path) -> None:
    variables(prefix, "a.json", {"LANG": "C"})
    assert activation(prefix, BASE).export["__CONDA_SHLVL_0_LANG"] == "C.UTF-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """Where one is before activating, and what comes of it; `@` is the environment, `%` another one."""

    environment: dict[str, str] = field(default_factory=dict)
    expected: dict[str, str | None]
    left: tuple[str, ...] = ()


FROM = {
    "another environment": Before(
        environment={"CONDA_PREFIX": "%", "CONDA_SHLVL": "2", "PATH": "/first:%/bin:/bin"},
        expected={"CONDA_SHLVL": "3", "CONDA_PREFIX_2": "%", "PATH": "/first:@/bin:/bin"},
        left=("z.sh", "a.sh"),
    ),
    "the same environment": Before(
        environment={"CONDA_PREFIX": "@", "CONDA_SHLVL": "1", "PATH": "/first:@/bin:/bin"},
        expected={"CONDA_SHLVL": "1", "CONDA_PREFIX_1": None, "PATH": "/first:@/bin:/bin"},
    ),
    "conda, deactivated": Before(
        environment={"CONDA_SHLVL": "0"},
        expected={"CONDA_SHLVL": "1", "CONDA_PREFIX_0": None, "PATH": "@/bin:/usr/bin:/bin"},
    ),
    "another whose folder is not in the path": Before(
        environment={"CONDA_PREFIX": "%", "CONDA_SHLVL": "1", "PATH": "/bin"},
        expected={"PATH": "@/bin:/bin"},
        left=("z.sh", "a.sh"),
    ),
    "level that is no number": Before(environment={"CONDA_SHLVL": "x"}, expected={"CONDA_SHLVL": "1"}),
}


@pytest.mark.parametrize("before", FROM.values(), ids=FROM)
def test_one_leaves_where_one_was(tmp_path: Path, before: Before) -> None:
    here, other = make(tmp_path / "envs/here"), make(tmp_path / "envs/other")
    for name in ("a.sh", "z.sh", "b.fish"):
        script(other, name, "", folder="deactivate.d")

    def filled(text: str) -> str:
        return text.replace("@", str(here)).replace("%", str(other))

    environment = {**BASE, **{key: filled(value) for key, value in before.environment.items()}}
    found = activation(here, environment)
    expected = {key: None if value is None else filled(value) for key, value in before.expected.items()}
    assert {key: found.export.get(key) for key in expected} == expected
    assert tuple(path.name for path in found.leave) == before.left


def test_running_a_program_needs_no_shell_without_scripts(prefix: Path) -> None:
    after = run_environment(prefix, {**BASE, "PATH": "/nowhere"})
    assert after["PATH"] == f"{prefix}/bin:/nowhere"
    assert after["HOME"] == "/home/me"


def test_scripts_act_on_the_program_that_is_run(prefix: Path) -> None:
    script(prefix, "a.sh", "echo talk; export ADDED=\"$(printf 'two\\nlines')\"; unset HOME; PS1=x\n")
    after = run_environment(prefix, {**BASE, "SHLVL": "7", "BASH_ENV": "/nowhere/else"})
    assert after["ADDED"] == "two\nlines"
    assert "HOME" not in after
    assert (after["SHLVL"], after["BASH_ENV"]) == ("7", "/nowhere/else")
    assert "PWD" not in after
    assert "PS1" not in after


@pytest.mark.parametrize("shells", ["bash", "sh"])
def test_a_script_that_ends_the_shell_is_told(shells: str, prefix: Path, tmp_path: Path) -> None:
    script(prefix, "a.sh", "true\n")
    script(prefix, "b c.sh", "echo no license >&2; exit 3\n")
    folder = tmp_path / "path"
    folder.mkdir()
    if shells == "bash":
        (folder / "bash").symlink_to(shutil.which("bash") or "")
    with pytest.raises(UserError) as caught:
        run_environment(prefix, {"PATH": str(folder)})
    where = prefix / "etc/conda/activate.d/b c.sh"
    assert str(caught.value) == (
        f"the activation script `{where}` exited the shell with status 3; "
        "activation scripts must set variables and return:\n"
        "no license"
    )
    assert caught.value.exit_code == 1
    assert caught.value.hint


def test_a_script_that_does_not_end_is_told(prefix: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(activate, "_SCRIPT_TIME", 0.2)
    script(prefix, "a.sh", "sleep 60\n")
    with pytest.raises(UserError, match="did not finish in time"):
        run_environment(prefix, {"PATH": "/usr/bin:/bin"})


def test_what_is_no_environment_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not an environment"):
        write_shell_hook(tmp_path, Shell.BASH, BASE)


@pytest.mark.parametrize("text", ["{", '{"A B": "1"}', '{"A=$(id)": "1"}'])
def test_variables_that_no_shell_can_have_are_refused(prefix: Path, text: str) -> None:
    variables(prefix, "a.json", {})
    (prefix / "etc/conda/env_vars.d/a.json").write_text(text)
    with pytest.raises(UserError, match=r"a\.json"):
        activation(prefix, BASE)
