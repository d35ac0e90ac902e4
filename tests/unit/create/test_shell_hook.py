"""`deactivate` after `shell-hook`, in real shells where they are there: every variable is what it was."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from envgen.create.activate import Shell
from envgen.create.shell_hook import path_change, write_shell_hook
from envgen.errors import UserError
from tests.unit.create.test_activate import AWKWARD, BASE, make, script, variables

if TYPE_CHECKING:
    from pathlib import Path

SHELLS = [
    pytest.param(program, shell, marks=pytest.mark.skipif(shutil.which(program) is None, reason=f"no {program} here"))
    for program, shell in (
        ("bash", Shell.BASH),
        ("sh", Shell.POSIX),
        ("zsh", Shell.ZSH),
        ("fish", Shell.FISH),
    )
]
LISTS = ("LD_LIBRARY_PATH", "LIBRARY_PATH", "CLASSPATH", "MANPATH", "CPATH")

# As the packages of oneAPI have them, that of the way out included: it leaves a colon, or an empty variable.
PREPEND = "".join(f'export {name}="$CONDA_PREFIX/lib:${{{name}-}}"\n' for name in LISTS)
REMOVE = "".join(f'export {name}="${{{name}#$CONDA_PREFIX/lib}}"\n' for name in LISTS)
PREPEND_FISH = "".join(f'set -gx {name} "$CONDA_PREFIX/lib" ${name}\n' for name in LISTS)
REMOVE_FISH = "".join(f"set -gx {name} broken\n" for name in LISTS)


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    return with_scripts(make(tmp_path / 'it\'s a "folder" of $ome/envs/my env'))


def with_scripts(prefix: Path) -> Path:
    variables(prefix, "a.json", {"AWKWARD": AWKWARD, "LANG": "C", "EMPTY": "full"})
    script(prefix, "a.sh", PREPEND + "export FRESH=1\nunset GONE\n")
    script(prefix, "a.sh", REMOVE, folder="deactivate.d")
    script(prefix, "a.fish", PREPEND_FISH + "set -gx FRESH 1\nset -e GONE\n")
    script(prefix, "a.fish", REMOVE_FISH, folder="deactivate.d")
    return prefix


def environment(program: str) -> dict[str, str]:
    folder = f"{shutil.which(program)}".rpartition("/")[0]
    lists = {"LD_LIBRARY_PATH": "", "CLASSPATH": "/a.jar:/b.jar", "MANPATH": ":/man"}
    return {**BASE, **lists, "PATH": f"/usr/bin:/bin:{folder}", "EMPTY": "", "GONE": "still here", "ODD": AWKWARD}


def states(program: str, given: dict[str, str], *steps: str) -> list[dict[str, str]]:
    """Evaluate steps in one shell, and return its variables before and after each."""
    show = "\n/usr/bin/env -0\n/usr/bin/printf '\\0\\0'\n"
    text = show + show.join(steps) + show
    done = subprocess.run([program, "-c", text], env=given, capture_output=True, check=False)
    assert done.stderr == b""
    outputs = done.stdout.decode().removesuffix("\0\0").split("\0\0\0")
    assert len(outputs) == len(steps) + 1
    return [
        {
            key: value
            for key, value in (entry.split("=", 1) for entry in output.split("\0") if entry)
            if key not in {"_", "PWD", "SHLVL", "OLDPWD"}
        }
        for output in outputs
    ]


@pytest.mark.parametrize(("program", "shell"), SHELLS)
def test_deactivate_restores_every_variable(prefix: Path, program: str, shell: Shell) -> None:
    given = environment(program)
    before, active, after = states(program, given, write_shell_hook(prefix, shell, given), "deactivate")
    assert active["CONDA_PREFIX"] == str(prefix)
    assert active["FRESH"] == "1"
    assert active["CLASSPATH"].startswith(f"{prefix}/lib")
    assert "GONE" not in active
    assert after == before


@pytest.mark.parametrize(("program", "shell"), SHELLS)
def test_hooks_nest(tmp_path: Path, program: str, shell: Shell) -> None:
    one, two = (with_scripts(make(tmp_path / f"envs/{name}")) for name in ("one", "two"))
    given = environment(program)
    first = write_shell_hook(one, shell, given)
    inside = states(program, given, first)[1]
    second = write_shell_hook(two, shell, inside)
    found = states(program, given, first, second, "deactivate", "deactivate")
    assert found[2]["CONDA_PREFIX"] == str(two)
    assert found[2]["CONDA_SHLVL"] == "2"
    assert found[3] == found[1]
    assert found[4] == found[0]


@pytest.mark.parametrize(("program", "shell"), SHELLS)
def test_an_environment_that_conda_activated_is_active_again(tmp_path: Path, program: str, shell: Shell) -> None:
    conda, own = (with_scripts(make(tmp_path / f"envs/{name}")) for name in ("conda", "own"))
    given = environment(program)
    given |= {"CONDA_PREFIX": str(conda), "CONDA_SHLVL": "1", "PATH": f"/first:{conda}/bin:{given['PATH']}"}
    before, active, after = states(program, given, write_shell_hook(own, shell, given), "deactivate")
    assert active["PATH"].startswith(f"/first:{own}/bin:")
    assert after == before


@pytest.mark.parametrize(("program", "shell"), SHELLS)
def test_folders_that_the_user_added_stay(prefix: Path, program: str, shell: Shell) -> None:
    given = environment(program)
    hook = write_shell_hook(prefix, shell, given)
    add = "set -gx PATH /mine $PATH /own" if shell is Shell.FISH else 'PATH="/mine:$PATH:/own"'
    assert states(program, given, hook, add, "deactivate")[-1]["PATH"] == f"/mine:{given['PATH']}:/own"


@pytest.mark.parametrize(("program", "shell"), SHELLS)
def test_deactivating_another_environment_changes_nothing(prefix: Path, program: str, shell: Shell) -> None:
    given = environment(program)
    leave = "set -gx CONDA_PREFIX /other" if shell is Shell.FISH else "CONDA_PREFIX=/other"
    hook = write_shell_hook(prefix, shell, given)
    _before, _active, left, after = states(program, given, hook, leave, "deactivate 2>/dev/null")
    assert after == left


@pytest.mark.parametrize(("program", "shell"), [case for case in SHELLS if "sh" not in case.values[:1]])
def test_the_function_of_a_virtual_environment_comes_back(prefix: Path, program: str, shell: Shell) -> None:
    given = environment(program)
    define = "function deactivate; set -gx VENV left; end"
    define = define if shell is Shell.FISH else "deactivate() { export VENV=left; }"
    hook = write_shell_hook(prefix, shell, given)
    before, _active, after, last = states(program, given, f"{define}\n{hook}", "deactivate", "deactivate")
    assert (before, after, last["VENV"]) == (before, before, "left")


@pytest.mark.parametrize(("program", "shell"), [case for case in SHELLS if "fish" not in case.values[:1]])
def test_a_variable_of_the_shell_alone_stays_one(prefix: Path, program: str, shell: Shell) -> None:
    given = environment(program)
    hook = write_shell_hook(prefix, shell, given)
    found = states(
        program, given, f"FRESH='my own'; PS1='$ '\nset -eu\n{hook}", "deactivate", 'export TOLD="$FRESH$PS1"'
    )
    assert found[2] == found[0]
    assert found[3]["TOLD"] == "my own$ "


def test_a_second_hook_of_the_same_environment_keeps_the_first_way_back(prefix: Path) -> None:
    given = environment("bash")
    first = write_shell_hook(prefix, Shell.BASH, given)
    inside = states("bash", given, first)[1]
    found = states("bash", given, first, write_shell_hook(prefix, Shell.BASH, inside), "deactivate")
    assert found[3] == found[0]


@pytest.mark.parametrize(("program", "shell"), SHELLS)
def test_what_conda_deactivated_leaves_no_function_behind(prefix: Path, program: str, shell: Shell) -> None:
    given = environment(program)
    hook = write_shell_hook(prefix, shell, given)
    erase = "set -e CONDA_PREFIX; set -e CONDA_SHLVL" if shell is Shell.FISH else "unset CONDA_PREFIX CONDA_SHLVL"
    posix = "type deactivate >/dev/null 2>&1 || export GONE=yes"
    is_gone = "functions -q deactivate; or set -gx GONE yes" if shell is Shell.FISH else posix
    found = states(program, given, hook, erase, hook, f"deactivate\n{is_gone}")
    assert found[-1]["GONE"] == "yes"


def test_scripts_need_their_shell(prefix: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="`fish` is not on PATH"):
        write_shell_hook(prefix, Shell.FISH, {"PATH": str(tmp_path)})


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("/usr/bin:/bin", "/e/bin:/usr/bin:/bin", ("/e/bin:", "")),
        ("/a:/old/bin:/b", "/a:/new/bin:/b", ("/new/bin:", "/old/bin:")),
        ("/a", "/a:/e", (":/e", "")),
        ("", "/e", None),
        ("1", "2", None),
        ("/a:/b", "/b", None),
    ],
)
def test_path_change(before: str, after: str, expected: tuple[str, str] | None) -> None:
    found = path_change(before, after)
    assert (found and (found.added, found.instead)) == expected
