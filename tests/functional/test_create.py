"""`envgen create`: an environment that works, holds what its lock says, and changes only what changed."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from envgen.prefix.transaction import PRIVATE
from tests.builders.server import Faults
from tests.builders.wheels import make_wheel, wheel_filename
from tests.functional.conftest import SPEC
from tests.functional.test_lock import LOCK

if TYPE_CHECKING:
    from pathlib import Path

    from tests.builders.registries import Registries
    from tests.command import Command, Project

needs_311 = pytest.mark.skipif(
    sys.version_info[:2] != (3, 11), reason="the stand-in is Python 3.11 where the tests run on it"
)


def make(cli: Command, *arguments: str) -> Path:
    """Create the environment `demo` and say where it is."""
    cli("create", *arguments).succeeded()
    return cli.directory.parent / "home" / "envs" / "demo"


def files(prefix: Path) -> dict[str, tuple[int, int]]:
    """List the files of an environment: path -> inode and time, which tell whether one was written anew."""
    found = (p for p in prefix.rglob("*") if p.is_file() and not p.is_symlink() and "__pycache__" not in p.parts)
    named = {str(p.relative_to(prefix)): (p.stat().st_ino, p.stat().st_mtime_ns) for p in found}
    return {path: status for path, status in named.items() if path not in PRIVATE}


@needs_311
def test_created_environment_works(locked: Project, cli: Command) -> None:
    prefix = make(cli)
    code = "import eggs, sys; print(eggs.version, sys.prefix)"
    said = subprocess.run([prefix / "bin/python", "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.split() == ["1.1", str(prefix)]
    said = subprocess.run([prefix / "bin/spam", "please"], capture_output=True, text=True, check=True).stdout
    assert said.split() == ["spam", "with", "eggs", "1.1", "please"]


def test_every_file_is_in_conda_meta_once_with_its_digest(locked: Project, cli: Command) -> None:
    import hashlib

    prefix = make(cli)
    owners: dict[str, str] = {}
    for path in sorted((prefix / "conda-meta").glob("*.json")):
        record: dict[str, Any] = json.loads(path.read_text())
        for entry in record["paths_data"]["paths"]:
            assert owners.setdefault(entry["_path"], record["name"]) == record["name"]
            if entry["path_type"] == "hardlink":
                expected = entry.get("sha256_in_prefix") or entry["sha256"]
                assert hashlib.sha256((prefix / entry["_path"]).read_bytes()).hexdigest() == expected
    mine = {str(p.relative_to(prefix)) for p in prefix.rglob("*") if p.is_symlink() or p.is_file()}
    assert {path for path in mine if not path.startswith("conda-meta/")} == set(owners)


def test_environment_is_registered_for_conda(locked: Project, cli: Command) -> None:
    prefix = make(cli)
    home = cli.directory.parent / "home"
    assert str(prefix) in (home / ".conda" / "environments.txt").read_text().splitlines()


def test_creating_again_changes_nothing(locked: Project, cli: Command, registries: Registries) -> None:
    prefix = make(cli)
    before = files(prefix)
    registries.server.requests.clear()
    make(cli)
    assert files(prefix) == before
    assert registries.server.requests == []


def test_a_new_lock_changes_only_what_it_changes(locked: Project, cli: Command) -> None:
    prefix = make(cli)
    before = files(prefix)
    locked.spec("demo", (locked.root / "environments/demo.yaml").read_text().split("\n", 1)[1].replace("1.0,", "1.1,"))
    cli("lock").succeeded()
    make(cli)
    after = files(prefix)
    changed = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    assert changed
    assert all("spam" in path for path in changed), changed


def test_what_the_lock_no_longer_has_goes(locked: Project, cli: Command) -> None:
    prefix = make(cli)
    locked.spec("demo", 'python: "3.11"\nplatforms: {linux-64: {glibc: "2.36"}}\ndependencies: [python]\n')
    cli("lock").succeeded()
    make(cli)
    assert not [path for path in files(prefix) if "spam" in path or "eggs" in path]
    assert not (prefix / "bin/spam").exists()


def test_two_prefixes_hold_the_same_bytes(locked: Project, cli: Command, tmp_path: Path) -> None:
    for place in ("one", "two"):
        prefix, cache = tmp_path / place / "prefix", tmp_path / place / "cache"
        cli("create", "--prefix", str(prefix), ENVGEN_CACHE=str(cache)).succeeded()
    assert _texts(tmp_path / "one") == _texts(tmp_path / "two")


def _texts(place: Path) -> dict[str, str]:
    """Read an environment without what must differ: where it is, and digests of files that hold that."""
    prefix = place / "prefix"
    found = {path: (prefix / path).read_text().replace(str(place), "PLACE") for path in files(prefix)}
    return {path: re.sub(r'"sha256_in_prefix": "\w+"', "", text) for path, text in found.items()}


def test_name_chooses_another_folder(locked: Project, cli: Command) -> None:
    cli("create", "--name", "other").succeeded()
    assert (cli.directory.parent / "home" / "envs" / "other" / "conda-meta").is_dir()


@pytest.mark.parametrize(
    ("place", "conda", "without"),
    [
        ((), "demo", "envgen run -- true"),
        (("--name", "other"), "other", "envgen run --name other -- true"),
        (("--prefix", "a b"), "'{here}/a b'", "envgen run --prefix 'a b' -- true"),
    ],
)
def test_the_end_says_how_to_use_what_was_made(
    place: tuple[str, ...], conda: str, without: str, locked: Project, cli: Command
) -> None:
    said = cli("create", *place).succeeded().err
    assert f"`conda activate {conda.format(here=cli.directory)}`" in said
    assert f"`{without.removesuffix('true')}python`" in said
    cli.process(*shlex.split(without)[1:]).succeeded()


def eggs(prefix: Path) -> Path:
    return next((prefix / "lib").glob("python*/site-packages/eggs.py"))


def edit(file: Path) -> str:
    """Write to a file in place, so that whoever has it by a hard link sees it; give back what it held."""
    before = file.read_text()
    with file.open("a") as out:
        out.write("version = 'edited'\n")
    return before


def test_an_edit_in_one_environment_does_not_reach_the_next(locked: Project, cli: Command) -> None:
    before = edit(eggs(make(cli)))
    outcome = cli("create", "--name", "other").succeeded()
    assert "was changed or damaged" in outcome.err
    assert eggs(cli.directory.parent / "home/envs/other").read_text() == before
    assert "was edited" not in cli("create", "--name", "third").succeeded().err


def test_verify_restores_what_was_changed_or_is_missing(locked: Project, cli: Command) -> None:
    prefix = make(cli)
    before, status = eggs(prefix).read_text(), eggs(prefix).stat()
    eggs(prefix).write_text(before.swapcase())
    os.utime(eggs(prefix), ns=(status.st_atime_ns, status.st_mtime_ns))
    assert "up to date, nothing to do" in cli("create").succeeded().err
    lost = eggs(prefix).with_name("spam.py")
    lost.unlink()
    planned = cli("create", "--verify", "--dry-run", "--json").succeeded().json()
    assert planned["link"] == sorted(planned["damaged"]) == ["eggs", "spam"]
    (told,) = planned["damaged"]["spam"]
    assert told.startswith(f"{lost.relative_to(prefix)}: missing (20")
    outcome = cli("create", "--verify").succeeded()
    assert "eggs will be reinstalled" in outcome.err
    assert (eggs(prefix).read_text(), lost.is_file()) == (before, True)
    assert "up to date, nothing to do" in cli("create", "--verify").succeeded().err


def test_dry_run_shows_the_plan_and_does_nothing(locked: Project, cli: Command) -> None:
    outcome = cli("create", "--dry-run").succeeded()
    assert "spam" in outcome.err
    assert not (cli.directory.parent / "home" / "envs" / "demo").exists()


def test_json_tells_where_the_environment_is(locked: Project, cli: Command) -> None:
    told = cli("create", "--json").succeeded().json()
    assert told["prefix"] == str(cli.directory.parent / "home" / "envs" / "demo")


def test_frozen_takes_a_stale_lock(locked: Project, cli: Command) -> None:
    locked.spec("demo", 'python: "3.11"\nplatforms: {linux-64: {glibc: "2.36"}}\ndependencies: [python]\n')
    assert cli("create").code == 1
    assert (make(cli, "--frozen") / "bin/spam").exists()


def test_nothing_is_fetched_that_is_cached(locked: Project, cli: Command, registries: Registries) -> None:
    prefix = make(cli)
    shutil.rmtree(prefix)
    registries.server.requests.clear()
    make(cli)
    assert [path for path in registries.server.paths() if path.endswith((".whl", ".deb"))] == []


def _altered(registries: Registries, ending: str) -> frozenset[str]:
    content = registries.server.content
    assert isinstance(content, dict)
    return frozenset(path for path in content if path.endswith(ending))


@pytest.mark.parametrize("ending", ["eggs-1.1-py3-none-any.whl", "_amd64.deb"])
def test_wrong_bytes_stop_everything(ending: str, locked: Project, cli: Command, registries: Registries) -> None:
    registries.publish(Faults(altered=_altered(registries, ending)))
    outcome = cli("create", ENVGEN_CACHE=str(cli.directory.parent / "fresh"))
    assert outcome.code == 5, outcome.err
    assert "sha256" in outcome.err
    assert "expected" in outcome.err
    assert not (cli.directory.parent / "home" / "envs" / "demo" / "bin" / "spam").exists()


def test_a_lock_edited_by_hand_is_noticed(locked: Project, cli: Command, registries: Registries) -> None:
    lock = locked.root / "locks" / LOCK
    digest = registries.index.offers["eggs-1.1-py3-none-any.whl"].sha256
    lock.write_text(lock.read_text().replace(digest, "0" * 64))
    outcome = cli("create")
    assert outcome.code == 1, outcome.err
    assert LOCK in outcome.err
    assert "edited by hand" in outcome.err


def test_a_vanished_wheel_is_met_with_the_remedy(locked: Project, cli: Command, registries: Registries) -> None:
    registries.index.remove("eggs-1.1-py3-none-any.whl")
    registries.publish()
    outcome = cli("create")
    assert outcome.code == 4, outcome.err
    assert "eggs" in outcome.err
    assert "run `envgen lock --refresh` to lock one that is offered" in outcome.err


@pytest.mark.parametrize(("verb", "variable"), [("lock", "ENVGEN_DEBIAN"), ("create", "ENVGEN_PYPI")])
def test_a_registry_that_is_down(verb: str, variable: str, locked: Project, cli: Command) -> None:
    cli.variables |= {variable: "http://127.0.0.1:9/nobody", "ENVGEN_CACHE": str(cli.directory.parent / "fresh")}
    outcome = cli(verb)
    assert outcome.code == 4, outcome.err
    assert "failed to reach 127.0.0.1" in outcome.err


def test_secrets_in_an_address_are_never_shown(demo: Project, cli: Command) -> None:
    outcome = cli("lock", ENVGEN_PYPI="http://user:hunter2@127.0.0.1:9/simple")
    assert outcome.code == 4
    assert "hunter2" not in outcome.err + outcome.out


@needs_311
def test_compiling_is_done_also_where_nothing_else_is(locked: Project, cli: Command) -> None:
    prefix = make(cli)
    compiled = prefix / "lib/python3.11/site-packages/__pycache__/eggs.cpython-311.pyc"
    compiled.unlink(missing_ok=True)
    make(cli, "--compile")
    assert compiled.exists()


@needs_311
def test_compiling_runs_no_code_of_packages(
    demo: Project, cli: Command, registries: Registries, tmp_path: Path
) -> None:
    marker = tmp_path / "marker"
    line = f"import pathlib; pathlib.Path({str(marker)!r}).touch()\n"
    files = {"rude.pth": line, "sitecustomize.py": line, "usercustomize.py": line}
    registries.index.add(wheel_filename("rude"), make_wheel("rude", files=files))
    registries.publish()
    demo.spec("demo", SPEC.replace("[spam", "[rude, spam"))
    cli("lock").succeeded()
    prefix = make(cli, "--compile")
    assert (prefix / "lib/python3.11/site-packages/__pycache__/eggs.cpython-311.pyc").exists()
    assert not marker.exists()
