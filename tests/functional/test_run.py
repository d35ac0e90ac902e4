"""`envgen run`, `shell-hook`, `list`, `build` and `clean`."""

from __future__ import annotations

import asyncio
import hashlib
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import rattler

from tests.functional.test_create import make, needs_311
from tests.functional.test_lock import packages

if TYPE_CHECKING:
    from tests.builders.registries import Registries
    from tests.command import Command, Project


@needs_311
def test_run_finds_the_environments_programs(locked: Project, cli: Command) -> None:
    prefix = make(cli)
    outcome = cli.process("run", "--", "spam", "a b", "--help").succeeded()
    assert outcome.out == "spam with eggs 1.1 a b --help\n"
    code = "import os, sys; print(os.environ['CONDA_PREFIX'], sys.prefix)"
    assert cli.process("run", "--", "python", "-c", code).succeeded().out.split() == [str(prefix)] * 2


@needs_311
def test_run_passes_the_exit_code_on(locked: Project, cli: Command) -> None:
    make(cli)
    assert cli.process("run", "--", "python", "-c", "raise SystemExit(7)").code == 7


def test_run_before_create_says_so(locked: Project, cli: Command) -> None:
    outcome = cli("run", "--", "python")
    assert outcome.code == 1
    assert "envgen create" in outcome.err


def test_run_of_an_unknown_program(locked: Project, cli: Command) -> None:
    make(cli)
    outcome = cli.process("run", "--", "no-such-program")
    assert outcome.code == 127
    assert "failed to run `no-such-program`: not found in the environment or on PATH" in outcome.err
    assert "Traceback" not in outcome.err


@needs_311
def test_run_never_falls_through_to_the_machine(locked: Project, cli: Command, tmp_path: Path) -> None:
    prefix = make(cli)
    assert cli.process("run", "--", "ls", "/").succeeded().err == (
        f"`ls` is not in the environment: running `{shutil.which('ls', path='/usr/bin:/bin')}`\n"
    )
    own = str(Path(sys.executable).parent)
    cli.variables |= {"PATH": f"{own}:/usr/bin:/bin", "VIRTUAL_ENV": str(Path(own).parent)}
    outcome = cli.process("run", "--", "pip", "--version")
    assert outcome.code == 127
    assert "failed to run `pip`: not in the environment" in outcome.err
    code = "import os; print(os.environ['PATH'], os.environ.get('VIRTUAL_ENV'))"
    said = cli.process("run", "--", "python", "-c", code).succeeded().out
    assert said == f"{prefix}/bin:/usr/bin:/bin None\n"
    (prefix / "bin/python").unlink()
    outcome = cli.process("run", "--", "python", "-c", "print('wrong')")
    assert (outcome.code, outcome.out) == (127, "")
    assert "is damaged: `bin/python` is missing" in outcome.err


def test_run_without_the_dashes_says_so(locked: Project, cli: Command) -> None:
    for before in (lambda: None, lambda: make(cli)):
        before()
        outcome = cli.process("run", "demo", "python", "-V")
        assert outcome.code in (1, 127)
        assert "hint: if `demo` is the environment: `envgen run demo -- python -V`" in outcome.err
    assert "run [OPTIONS] [ENV] -- COMMAND [ARGS]..." in cli("run", "--help").out


@needs_311
def test_an_environment_that_is_named_needs_no_project(locked: Project, cli: Command, tmp_path: Path) -> None:
    prefix, home = make(cli), tmp_path / "home"
    code = "import sys; print(sys.prefix)"
    for place in (["--name", "demo"], ["--prefix", str(prefix)]):
        done = cli.process("run", *place, "--", "python", "-c", code, cwd=home).succeeded()
        assert done.out == f"{prefix}\n"
        assert str(prefix) in cli("shell-hook", *place, cwd=home).succeeded().out
    assert cli("clean", cwd=home).succeeded().out
    assert "envgen init" in cli("run", "--", "python", cwd=home).err


@needs_311
@pytest.mark.parametrize("shell", ["bash", "sh"])
def test_shell_hook_activates(shell: str, locked: Project, cli: Command) -> None:
    prefix = make(cli)
    hook = cli("shell-hook").succeeded().out
    script = hook + "\nset -u\ncommand -v spam\nspam\n"
    done = subprocess.run([shell, "-c", script], env=cli.variables, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [str(prefix / "bin/spam"), "spam with eggs 1.1"]


def test_list_tells_what_is_locked(locked: Project, cli: Command) -> None:
    outcome = cli("list").succeeded()
    assert "spam" in outcome.out
    assert "eggs" in outcome.out


def test_build_writes_the_same_archives_everywhere(locked: Project, cli: Command, tmp_path: Path) -> None:
    first = cli("build", "--json").succeeded().json()
    assert {Path(p["file"]).name.partition("-")[0] for p in first["packages"]} == {
        "eggs",
        "spam",
        "python",
        "python_abi",
    }
    for package in first["packages"]:
        archive = (Path(first["channel"]) / package["file"]).read_bytes()
        assert (hashlib.sha256(archive).hexdigest(), len(archive)) == (package["sha256"], package["bytes"])
    assert packages(locked)["python"]["hash"]["sha256"] in {p["sha256"] for p in first["packages"]}
    second = cli("build", "--json", ENVGEN_CACHE=str(tmp_path / "fresh")).succeeded().json()
    assert second["packages"] == first["packages"]


def test_another_conda_client_solves_from_the_built_channel(locked: Project, cli: Command, tmp_path: Path) -> None:
    cli("build", "--channel", "published").succeeded()
    channel = rattler.Channel((locked.root / "published").as_uri())
    solved = rattler.solve(
        sources=[channel],
        specs=["spam"],
        gateway=rattler.Gateway(cache_dir=tmp_path / "repodata"),
        platforms=["linux-64", "noarch"],
        virtual_packages=[
            rattler.GenericVirtualPackage(rattler.PackageName(name), rattler.Version(version), rattler.BuildString("0"))
            for name, version in (("__glibc", "2.36"), ("__unix", "0"), ("__linux", "0"))
        ],
    )
    names = {record.name.normalized for record in asyncio.run(solved)}
    assert names == {"eggs", "spam", "python", "python_abi"}


def test_clean_shows_the_cache_and_removes_nothing_unasked(locked: Project, cli: Command) -> None:
    make(cli)
    shown = cli("clean", "--json").succeeded().json()
    assert shown["root"] == cli.variables["ENVGEN_CACHE"]
    sizes = {kind["kind"]: kind["bytes"] for kind in shown["kinds"]}
    assert sizes["packages"] > 0
    assert cli("clean", "--json").succeeded().json() == shown


def test_clean_removes_by_kind_and_age(locked: Project, cli: Command) -> None:
    make(cli)
    cache = Path(cli.variables["ENVGEN_CACHE"])
    cli("clean", "--older-than", "1d").succeeded()
    assert any((cache / "packages").iterdir())
    cli("clean", "--kind", "packages").succeeded()
    assert not any((cache / "packages").iterdir())
    assert any((cache / "artifacts").rglob("*"))


def test_clean_knows_the_channel_and_what_is_kept_of_others(locked: Project, cli: Command) -> None:
    cli("build").succeeded()
    cache = Path(cli.variables["ENVGEN_CACHE"])
    (cache / "repodata").mkdir()
    (cache / "repodata/abc.json").write_bytes(bytes(100))
    shown = cli("clean", "--json").succeeded().json()
    kinds = {kind["kind"]: (kind["entries"], kind["bytes"] > 0) for kind in shown["kinds"]}
    entries = len([*(cache / "channel").iterdir()])
    assert (kinds["channel"], kinds["repodata"]) == ((entries, True), (1, True))
    assert sum(kind["bytes"] for kind in shown["kinds"]) > 0.99 * _size(cache)

    cli("clean", "--older-than", "0h").succeeded()
    assert not any((cache / "repodata").iterdir())
    assert (cache / "channel/linux-64/repodata.json").is_file()
    cli("export", "conda-lock", "--output", str(cache / "lock.yml")).succeeded()
    cli("create", "--prefix", str(cache.parent / "one"), ENVGEN_CHANNEL=str(cache / "channel")).succeeded()

    cli("clean", "--all").succeeded()
    assert not any((cache / "channel").iterdir())
    # what the channel had is built again
    cli("create", "--prefix", str(cache.parent / "two"), ENVGEN_CHANNEL=str(cache / "channel")).succeeded()
    cli("build").succeeded()
    assert (cache / "channel/linux-64/repodata.json").is_file()


def test_a_package_is_added_after_clean_without_fetching_the_others(
    locked: Project, registries: Registries, cli: Command
) -> None:
    make(cli)
    outcome = cli("clean", "--all").succeeded()
    assert re.search(r"; kept [3-4] packages that environments use", outcome.err), outcome.err
    spec = locked.root / "environments/demo.yaml"
    spec.write_text(spec.read_text().replace("eggs <2]", "eggs <2, ham]"))
    cli("lock").succeeded()
    registries.server.requests.clear()
    make(cli)
    assert {path.rpartition("/")[2] for path in registries.server.paths() if path.endswith((".whl", ".deb"))} == {
        "ham-1.0-py3-none-any.whl"
    }


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


@needs_311
def test_environment_outlives_the_cache(locked: Project, cli: Command) -> None:
    make(cli)
    cli("clean", "--all").succeeded()
    assert cli.process("run", "--", "spam").succeeded().out == "spam with eggs 1.1\n"
    make(cli)
