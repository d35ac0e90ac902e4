"""Space on the disk, the bound of the cache, and a second cache to read from: what the user sets, and is told."""

from __future__ import annotations

import os
import pwd
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from envgen.prepare import disk
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


def test_artifacts_come_from_the_shared_cache(locked: Project, cli: Command, tmp_path: Path) -> None:
    cli("create", ENVGEN_KEEP_WHEELS="1").succeeded()
    theirs = tmp_path / "theirs"
    shutil.copytree(cli.variables["ENVGEN_CACHE"], theirs)
    me = pwd.getpwuid(os.geteuid()).pw_name
    configure(cli, f'shared-cache = "{theirs}"\nshared-cache-owner = "{me}"\n')
    fresh = {"ENVGEN_CACHE": str(tmp_path / "fresh"), "ENVGEN_OFFLINE": "1"}
    cli.variables |= fresh
    cli("create", "--prefix", str(tmp_path / "other")).succeeded()
    assert any((tmp_path / "fresh/artifacts").rglob("*"))
    configure(cli, f'shared-cache = "{tmp_path / "nowhere"}"\n')
    shutil.rmtree(tmp_path / "fresh")
    assert "`shared-cache`: failed to open" in cli("create", "--prefix", str(tmp_path / "third")).err
