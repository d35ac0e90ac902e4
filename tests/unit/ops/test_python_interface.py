"""The verbs as a Python program calls them, and the options that they refuse."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from envgen import ops
from envgen.errors import UsageError, UserError
from envgen.platforms import Platform
from tests.command import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

NOW = dt.datetime(2026, 11, 28, tzinfo=dt.UTC)


def context(directory: Path, home: Path, *, anywhere: bool = False) -> ops.Context:
    environment = {"HOME": str(home), "ENVGEN_CACHE": str(home / "cache"), "PATH": "/usr/bin:/bin"}
    return ops.open_context(directory=directory, environment=environment, now=NOW, anywhere=anywhere)


def test_init_and_the_lock_that_is_missing(tmp_path: Path) -> None:
    made = ops.init(tmp_path, ops.InitOptions(name="demo", platforms=[Platform.LINUX_64]), today=NOW.date())
    assert made.file == tmp_path / "environments/demo.yaml"
    assert made.spec is not None
    assert made.spec.added_channel is None
    result = ops.lock(context(tmp_path, tmp_path), ops.LockOptions(check=True))
    assert [(v.path, v.missing) for v in result.verdicts] == [("locks/demo.linux-64.conda-lock.yml", True)]
    assert result.outcomes == ()
    assert ops.environment_names(tmp_path) == ("demo",)


def test_reading_the_locks_of_this_repository(tmp_path: Path) -> None:
    world = context(REPOSITORY, tmp_path)
    (listing,) = ops.list_packages(world, envs=["pt28-accel"], platforms=[Platform.LINUX_64])
    assert "torch" in {package.name for package in listing.packages}
    assert {part.what: part.package is not None for part in listing.stack}["PyTorch"]
    ((explained,),) = ops.why(world, name="torch", envs=["pt28-accel"], platforms=[Platform.LINUX_64]).values()
    assert explained.chains[0].root.section == "pypi"
    tree = ops.tree(world, envs=["pt28-accel"], name="torch")
    assert any(one.named for one in tree.values())


def test_diff_of_a_lock_with_itself(tmp_path: Path) -> None:
    lock = str(next((REPOSITORY / "locks").glob("*.conda-lock.yml")))
    found = ops.diff(context(tmp_path, tmp_path, anywhere=True), ops.DiffOptions(old=lock, new=lock))
    assert (found.differences, found.licenses) == ((), {})


def test_clean_measures_or_removes(tmp_path: Path) -> None:
    world = context(tmp_path, tmp_path, anywhere=True)
    world.store.put("sample", "0" * 64, b"x")
    measured = ops.clean(world, ops.CleanOptions())
    assert measured.removed is None
    assert sum(usage.entries for usage in measured.usage) == 1
    removed = ops.clean(world, ops.CleanOptions(everything=True)).removed
    assert removed is not None
    assert removed.entries[ops.StoreKind.CACHE] == 1


def test_the_channel_goes_only_where_it_is_named() -> None:
    assert ops.CleanOptions().chosen == ()
    assert ops.StoreKind.CHANNEL not in ops.CleanOptions(older_than=dt.timedelta(days=1)).chosen
    assert ops.StoreKind.CHANNEL in ops.CleanOptions(everything=True, older_than=dt.timedelta(days=1)).chosen
    assert ops.CleanOptions(kinds=[ops.StoreKind.CHANNEL]).chosen == (ops.StoreKind.CHANNEL,)


def test_options_that_contradict_each_other() -> None:
    with pytest.raises(UsageError):
        ops.LockOptions(env="demo", everything=True)
    with pytest.raises(UsageError):
        ops.InitOptions(template="pt28-accel", pypi=["torch"])


def test_unknown_export_format(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="unknown export format `spdxx`") as caught:
        ops.export(context(tmp_path, tmp_path, anywhere=True), ops.ExportOptions(form="spdxx"))
    assert caught.value.hint == "did you mean `spdx`?"


def test_fields_that_init_asks_for() -> None:
    assert ops.check_init_field(ops.InitField.PYPI, "torch ==2.8.0") == "torch ==2.8.0"
    with pytest.raises(UserError, match="unknown platform `linux-65`") as caught:
        ops.check_init_field(ops.InitField.PLATFORM, "linux-65")
    assert caught.value.hint == "did you mean `linux-64`?"
