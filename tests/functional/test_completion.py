"""What a shell completes, asked of the shells themselves where they are installed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.command import Command, Project

BASH = """
PS1='$ '; source <(envgen completion bash)
line="$1"; read -r -a COMP_WORDS <<< "$line"
[[ "$line" == *" " ]] && COMP_WORDS+=("")
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
compopt() { :; }
_envgen_completion envgen
printf '%s\\n' "${COMPREPLY[@]}"
"""
FISH = "source (envgen completion fish | psub); complete --do-complete $argv[1]"
SHELLS = {"bash": ["bash", "-c", BASH, "bash"], "fish": ["fish", "--no-config", "-c", FISH]}

LINES = {
    "envgen li": {"list", "licenses"},
    "envgen list d": {"demo"},
    "envgen why eg": {"eggs"},
    "envgen run -n ": {"made", "other"},
    "envgen create --name ma": {"made"},
    "envgen diff ma": {"main", "made"},
    "envgen diff main..to": {"main..topic"},
    "envgen diff main v": {"v1"},
    "envgen report --against to": {"topic"},
    "envgen bundle --since v": {"v1"},
    "envgen export pyl": {"pylock"},
    "envgen image --compression z": {"zstd"},
    "envgen schema deb": {"debian"},
    "envgen lock --quie": {"--quiet"},
}


@pytest.fixture
def there(project: Project, cli: Command, tmp_path: Path) -> Command:
    """Make a repository with two branches and a tag, two environments of the machine, and a program `envgen`."""
    project.spec("demo", "python: '3.11'\n")
    project.write("locks/demo.linux-64.conda-lock.yml", "- name: eggs\n")
    git = ["git", "-c", "user.name=me", "-c", "user.email=me@example.org", "-C", str(project.root)]
    for words in (("init", "-qb", "main"), ("add", "."), ("commit", "-qm", "1"), ("branch", "topic"), ("tag", "v1")):
        subprocess.run([*git, *words], check=True)
    for name in ("made", "other"):
        history = Path(cli.variables["CONDA_ENVS_PATH"]) / name / "conda-meta/history"
        history.parent.mkdir(parents=True)
        history.touch()
    program = tmp_path / "bin/envgen"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m envgen "$@"\n')
    program.chmod(0o755)
    cli.variables["PATH"] = f"{program.parent}:{cli.variables['PATH']}"
    return cli


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_completes(shell: str, line: str, there: Command) -> None:
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    done = subprocess.run(
        [*SHELLS[shell], line],
        cwd=there.directory,
        env=there.variables,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert {text.partition("\t")[0] for text in done.stdout.splitlines() if text} == LINES[line], done.stderr
