"""What happens to an environment after `create`: noticed by the next `create`, told, and mended."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from envgen.prefix.verify import verify_prefix
from tests.functional.conftest import SPEC

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.command import Command, Outcome, Project

UP_TO_DATE = "up to date, nothing to do"
SITE = "lib/python3.11/site-packages"


@pytest.fixture
def prefix(locked: Project, cli: Command) -> Path:
    """Create `demo`."""
    cli("create").succeeded()
    return cli.directory.parent / "home/envs/demo"


def mended(cli: Command, prefix: Path, *arguments: str) -> Outcome:
    """Create again, and prove that the environment is as it was made, without being read in full."""
    outcome = cli("create", *arguments).succeeded()
    assert verify_prefix(prefix) == ()
    assert UP_TO_DATE in cli("create", *arguments).succeeded().err
    return outcome


def edit_in_place(prefix: Path) -> None:
    with (prefix / SITE / "eggs.py").open("a") as out:
        out.write("edited = True\n")


def swap(prefix: Path) -> None:
    """Replace a file by one of the same size."""
    file = prefix / SITE / "eggs.py"
    text = file.read_text()
    file.unlink()
    file.write_text(text.swapcase())


def become_folder(prefix: Path) -> None:
    (prefix / SITE / "eggs.py").unlink()
    (prefix / SITE / "eggs.py").symlink_to("spam.py")


def relink(prefix: Path) -> None:
    (prefix / "bin/python").unlink()
    (prefix / "bin/python").symlink_to("/usr/bin/env")


KINDS: dict[str, tuple[Callable[[Path], object], str]] = {
    "edited": (edit_in_place, f"eggs will be reinstalled: {SITE}/eggs.py: modified (20"),
    "same size": (swap, f"eggs will be reinstalled: {SITE}/eggs.py: modified: expected sha256"),
    "emptied": (lambda p: (p / SITE / "eggs.py").write_bytes(b""), f"{SITE}/eggs.py: emptied (20"),
    "missing": (lambda p: (p / SITE / "eggs.py").unlink(), f"{SITE}/eggs.py: missing (20"),
    "another kind": (become_folder, f"{SITE}/eggs.py: became a link (20"),
    "no Python": (lambda p: (p / "bin/python").unlink(), "python will be reinstalled: bin/python: missing (20"),
    "another link": (relink, "python will be reinstalled: bin/python: modified (20"),
    "mode": (lambda p: (p / SITE / "eggs.py").chmod(0o600), f"{SITE}/eggs.py: mode was changed, restoring 644"),
    "uninstalled": (lambda p: pip_uninstall(p, "eggs-1.1"), "eggs will be reinstalled: "),
}


def pip_uninstall(prefix: Path, stem: str) -> None:
    """Remove what RECORD lists, as pip does."""
    for line in (prefix / SITE / f"{stem}.dist-info/RECORD").read_text().splitlines():
        (prefix / SITE / line.partition(",")[0]).unlink(missing_ok=True)
    shutil.rmtree(prefix / SITE / f"{stem}.dist-info")


def pip_install(prefix: Path, project: str, version: str, **files: str) -> None:
    """Install a distribution as pip does."""
    info = prefix / SITE / f"{project}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project}\nVersion: {version}\n")
    (info / "INSTALLER").write_text("pip\n")
    (info / "REQUESTED").touch()
    files = {f"{name}.py": text for name, text in files.items()}
    for name, text in files.items():
        (prefix / SITE / name).unlink(missing_ok=True)
        (prefix / SITE / name).write_text(text)
    listed = [*files, *(f"{info.name}/{name}" for name in ("METADATA", "INSTALLER", "REQUESTED", "RECORD"))]
    (info / "RECORD").write_text("".join(f"{name},,\n" for name in listed))


@pytest.mark.parametrize(("happen", "told"), KINDS.values(), ids=KINDS)
def test_it_is_told_and_mended(happen: Callable[[Path], object], told: str, prefix: Path, cli: Command) -> None:
    happen(prefix)
    planned = cli("create", "--dry-run").succeeded()
    assert told in planned.err
    assert told in mended(cli, prefix).err


def test_the_mode_is_restored_in_the_store_too(prefix: Path, cli: Command) -> None:
    (prefix / SITE / "eggs.py").chmod(0o755)
    mended(cli, prefix)
    cli("create", "--name", "other").succeeded()
    assert (prefix.with_name("other") / SITE / "eggs.py").stat().st_mode & 0o777 == 0o644


def test_an_edit_through_another_environment(prefix: Path, cli: Command) -> None:
    cli("create", "--name", "other").succeeded()
    edit_in_place(prefix.with_name("other"))
    outcome = mended(cli, prefix)
    assert "eggs will be reinstalled" in outcome.err
    assert "was changed or damaged" in outcome.err
    assert "edited" not in (prefix / SITE / "eggs.py").read_text()
    assert "eggs will be reinstalled" in cli("create", "--name", "other").succeeded().err


def test_what_use_makes_is_no_drift(prefix: Path, cli: Command) -> None:
    cache = prefix / SITE / "__pycache__"
    cache.mkdir()
    (cache / "eggs.cpython-311.pyc").write_bytes(b"compiled")
    (prefix / "share").mkdir(exist_ok=True)
    (prefix / "share/notes").write_text("mine")
    (prefix / SITE / "eggs.py").touch()
    assert UP_TO_DATE in cli("create").succeeded().err
    assert (prefix / "share/notes").read_text() == "mine"


@pytest.mark.parametrize("copied", [False, True])
def test_an_environment_at_another_place(copied: bool, prefix: Path, cli: Command, tmp_path: Path) -> None:
    there = tmp_path / "there"
    if copied:
        shutil.copytree(prefix, there, symlinks=True)
    else:
        prefix.rename(there)
    outcome = mended(cli, there, "--prefix", str(there))
    assert f"the environment was made at `{prefix}`" in outcome.err
    assert (there / "bin/spam").read_text().startswith(f"#!{there}/bin/python")
    if copied:
        assert (prefix / "bin/spam").read_text().startswith(f"#!{prefix}/bin/python")
        assert UP_TO_DATE in cli("create").succeeded().err


def test_a_place_reached_by_a_link_is_the_same(prefix: Path, cli: Command, tmp_path: Path) -> None:
    (tmp_path / "alias").symlink_to(prefix)
    assert UP_TO_DATE in cli("create", "--prefix", str(tmp_path / "alias")).succeeded().err


def test_another_version_over_a_locked_package(prefix: Path, cli: Command) -> None:
    pip_uninstall(prefix, "eggs-1.1")
    pip_install(prefix, "eggs", "2.0", eggs="version = '2.0'\n", eggs_extra="")
    outcome = mended(cli, prefix)
    assert f"eggs will be reinstalled: {SITE}/eggs-2.0.dist-info: pip installed version 2.0" in outcome.err
    assert sorted(path.name for path in (prefix / SITE).glob("eggs*")) == ["eggs-1.1.dist-info", "eggs.py"]


def test_the_same_version_by_pip(prefix: Path, cli: Command) -> None:
    pip_uninstall(prefix, "eggs-1.1")
    pip_install(prefix, "eggs", "1.1", eggs="version = '1.1'\n", eggs_extra="")
    assert "eggs will be reinstalled" in mended(cli, prefix).err
    assert not (prefix / SITE / "eggs-1.1.dist-info/REQUESTED").exists()
    assert not (prefix / SITE / "eggs_extra.py").exists()


def test_packages_beside_the_lock_are_named_until_they_are_pruned(prefix: Path, cli: Command) -> None:
    pip_install(prefix, "mine", "0.1", mine="x = 1\n")
    for _ in range(2):
        outcome = cli("create").succeeded()
        assert "not in the lock: mine 0.1 (pip); `--prune` removes them" in outcome.err
        assert UP_TO_DATE in outcome.err
    said = cli("create", "--prune", "--json").succeeded().json()
    assert said["foreign"] == [{"name": "mine", "version": "0.1", "installer": "pip", "removed": True}]
    assert not list((prefix / SITE).glob("mine*"))
    assert "mine" not in mended(cli, prefix).err


def test_what_an_interrupted_run_left_is_not_beside_the_lock(prefix: Path, cli: Command) -> None:
    pip_install(prefix, "mine", "0.1", mine="x = 1\n")
    (record,) = (prefix / "conda-meta").glob("eggs-*.json")
    mark = {"format": 1, "records": [record.stem], "paths": json.loads(record.read_text())["files"]}
    record.unlink()
    (prefix / "conda-meta/.envgen-unfinished").write_text(json.dumps(mark))
    assert cli("diff", "demo").succeeded().out.splitlines()[1:] == [
        "  + eggs 1.1 (wheel, +1 kB)",
        "  - mine 0.1 by pip (wheel)",
    ]
    (compared,) = cli("verify", "--json").json()["comparisons"]
    beside = [one["where"] for one in compared["findings"] if one["kind"] == "extra"]
    assert beside == [f"{SITE}/mine-0.1.dist-info"]
    assert "not in the lock: mine 0.1 (pip); `--prune`" in cli("create").succeeded().err
    assert record.exists()


def test_a_foreign_record_removes_nothing_of_others(prefix: Path, cli: Command, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("years of work")
    pip_install(prefix, "evil", "1")
    away = "../" * 30
    with (prefix / SITE / "evil-1.dist-info/RECORD").open("a") as out:
        out.write(f"{away}{tmp_path}/mine,,\n{tmp_path}/mine,,\neggs.py,,\n../../../conda-meta/history,,\n")
    cli("create", "--prune").succeeded()
    assert (tmp_path / "mine").read_text() == "years of work"
    assert (prefix / "conda-meta/history").is_file()
    assert not (prefix / SITE / "evil-1.dist-info").exists()
    assert verify_prefix(prefix) == ()


def test_an_environment_without_a_state_is_read_once(prefix: Path, cli: Command) -> None:
    (prefix / "conda-meta/.envgen-state").unlink()
    assert "packages are compared once" in cli("create").succeeded().err
    outcome = cli("create").succeeded()
    assert (UP_TO_DATE in outcome.err, "compared once" in outcome.err) == (True, False)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 1}', '{"format": 9, "packages": []}'])
def test_a_damaged_state_hides_nothing(text: str, prefix: Path, cli: Command) -> None:
    swap(prefix)
    (prefix / "conda-meta/.envgen-state").write_text(text)
    assert "eggs will be reinstalled" in mended(cli, prefix).err


def test_a_moved_environment_without_a_state(prefix: Path, cli: Command, tmp_path: Path) -> None:
    (prefix / "conda-meta/.envgen-state").unlink()
    prefix.rename(tmp_path / "there")
    outcome = mended(cli, tmp_path / "there", "--prefix", str(tmp_path / "there"))
    assert f"made for another folder than `{tmp_path / 'there'}`" in outcome.err


def test_a_dry_run_writes_nothing(prefix: Path, cli: Command) -> None:
    state = prefix / "conda-meta/.envgen-state"
    state.unlink()
    (prefix / SITE / "eggs.py").chmod(0o600)
    cli("create", "--dry-run").succeeded()
    assert not state.exists()
    assert (prefix / SITE / "eggs.py").stat().st_mode & 0o777 == 0o600


def test_diff_shows_what_pip_did(prefix: Path, locked: Project, cli: Command) -> None:
    pip_install(prefix, "mine", "0.1", mine="x = 1\n")
    pip_uninstall(prefix, "eggs-1.1")
    pip_install(prefix, "eggs", "2.0", eggs="version = '2.0'\n")
    pip_uninstall(prefix, "spam-1.0")
    for words in (("diff", "demo"), ("diff", str(prefix))):
        assert cli(*words).succeeded().out.splitlines()[1:] == [
            "  ~ eggs 2.0 by pip -> 1.1 (wheel)",
            "  - mine 0.1 by pip (wheel)",
            "  + spam 1.0 (wheel, +1 kB)",
        ]
    locked.spec("other", SPEC)  # which the environment was not made from
    assert cli("diff", "demo", "locks").succeeded().out.splitlines()[0].startswith("demo for linux-64: ")
    cli("create", "demo", "--prune").succeeded()
    assert cli("diff", "demo").succeeded().out == "demo and working tree have the same packages\n"
