"""Space on the disk, the bound of the cache, and a second cache to read from: what the user sets, and is told."""

from __future__ import annotations

import os
import pwd
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from envgen.prepare import disk
from envgen.system.boots import BootTime
from envgen.system.seal import write_seal
from tests.builders.system import base_debs

if TYPE_CHECKING:
    from tests.builders.registries import Registries
    from tests.command import Command, Project


def configure(cli: Command, text: str) -> None:
    file = Path(cli.variables["HOME"]) / ".config/envgen/config.toml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def test_a_disk_that_is_too_small_is_told_before_anything_is_fetched(
    locked: Project, cli: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(cli.variables["ENVGEN_CACHE"])
    monkeypatch.setattr(disk, "free_space", lambda _path: 100)
    outcome = cli("create")
    assert outcome.code == 1
    assert "error: not enough space on the disk of `" in outcome.err
    assert " needed, 100 B free" in outcome.err
    assert "hint: free some space: `envgen clean --all` frees " in outcome.err
    assert not (Path(cli.variables["ENVGEN_CACHE"]) / "artifacts").exists()


def test_layers_that_cannot_fit_are_told_before_one_is_written(
    locked: Project, registries: Registries, cli: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    registries.debian.add(*base_debs("amd64"), *base_debs("arm64"))
    registries.publish()
    spec = locked.root / "environments/demo.yaml"
    spec.write_text(spec.read_text() + "image: {base: {suites: [bookworm, bookworm-security]}}\n")
    cli("lock").succeeded()
    cli("create").succeeded()
    monkeypatch.setattr(disk, "free_space", lambda _path: 1)
    outcome = cli("image")
    assert outcome.code == 1
    assert " for layers needed, 1 B free" in outcome.err
    assert not (locked.root / "dist").exists()


def test_the_cache_keeps_its_bound(locked: Project, cli: Command) -> None:
    configure(cli, 'max-size = "10 MB"\n')
    cache = Path(cli.variables["ENVGEN_CACHE"])
    old = cache / "artifacts/aa" / ("a" * 64)
    old.parent.mkdir(parents=True, exist_ok=True)
    old.write_bytes(bytes(20_000_000))
    os.utime(old, (1, 1))
    cli("create").succeeded()  # needs packages that the store does not have
    assert not old.exists()
    spare = cli("create", "--prefix", str(cache.parent / "other")).succeeded()
    assert "removed" not in spare.err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('max-size = "much"', "max-size: not a size: 'much'"),
        ("max-size = 5", "max-size: expected text, got int"),
        ('shared-cache = "here"', "shared-cache: expected an absolute path, got 'here'"),
        ('shared-cache-owner = "no-such-user"', "shared-cache-owner: no user is named 'no-such-user'"),
        ('shared-cahce = "/x"', "unknown key `shared-cahce`"),
    ],
)
def test_wrong_settings_are_told(locked: Project, cli: Command, text: str, said: str) -> None:
    shutil.rmtree(cli.variables["ENVGEN_CACHE"])
    configure(cli, text + "\n")
    outcome = cli("create")
    assert outcome.code == 1
    assert said in outcome.err


@pytest.fixture
def shared(locked: Project, cli: Command, tmp_path: Path) -> Path:
    """Make a shared cache, and use it offline with an empty cache."""
    cli("create", ENVGEN_KEEP_WHEELS="1").succeeded()
    theirs = tmp_path / "theirs"
    shutil.copytree(cli.variables["ENVGEN_CACHE"], theirs, symlinks=True)
    me = pwd.getpwuid(os.geteuid()).pw_name
    configure(cli, f'shared-cache = "{theirs}"\nshared-cache-owner = "{me}"\n')
    cli.variables |= {"ENVGEN_CACHE": str(tmp_path / "fresh"), "ENVGEN_OFFLINE": "1"}
    return theirs


def test_packages_come_from_the_shared_cache(shared: Path, cli: Command, tmp_path: Path) -> None:
    shutil.rmtree(shared / "artifacts")
    said = cli("create", "--prefix", str(tmp_path / "other")).succeeded().err
    assert "\n  4 to copy from `shared-cache`\n" in said
    assert "download" not in said
    assert {path.stat().st_nlink for path in (shared / "packages").rglob("*.py")} == {1}
    cli("verify", str(tmp_path / "other")).succeeded()
    cli.variables["ENVGEN_CACHE"] = str(tmp_path / "planned")
    plan = cli("create", "--prefix", str(tmp_path / "third"), "--dry-run", "--json").succeeded().json()
    assert {one["work"] for one in plan["prepare"]} == {"copy"}
    assert not (tmp_path / "planned/packages").exists()


def test_what_is_wrong_in_the_shared_cache_is_made_here(shared: Path, cli: Command, tmp_path: Path) -> None:
    (eggs,), (python,) = ((shared / "packages").glob(f"{name}-*") for name in ("eggs", "python"))
    next(eggs.rglob("eggs.py")).write_text("version = 'evil'\n")
    (python / "bin/extra").write_text("not what the lock says\n")
    write_seal(python, BootTime(boot="", at=0), replace_seal=True)  # its owner vouches for it
    prefix = tmp_path / "other"
    said = cli("create", "--prefix", str(prefix)).succeeded().err
    assert f"package `{eggs.name}` of `shared-cache` is not used: it was changed or damaged" in said
    assert f"package `{python.name}` of `shared-cache` is not used: its content is not what the lock says" in said
    cli("verify", str(prefix)).succeeded()
    assert not (prefix / "bin/extra").exists()


def test_artifacts_come_from_the_shared_cache(shared: Path, cli: Command, tmp_path: Path) -> None:
    shutil.rmtree(shared / "packages")
    cli("create", "--prefix", str(tmp_path / "other")).succeeded()
    assert any((tmp_path / "fresh/artifacts").rglob("*"))
    configure(cli, f'shared-cache = "{tmp_path / "nowhere"}"\n')
    shutil.rmtree(tmp_path / "fresh")
    assert "`shared-cache`: failed to open" in cli("create", "--prefix", str(tmp_path / "third")).err
