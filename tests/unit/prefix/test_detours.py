"""Files of packages are not linked or removed through a link that leads out of the prefix."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from envgen.errors import ArtifactError, IntegrityError, UserError
from envgen.platforms import Platform
from envgen.prefix import inventory
from envgen.prefix.detours import refuse_detours
from envgen.prefix.link import link
from envgen.prefix.removal import remove_paths
from envgen.structs import replace
from tests.builders.extracted import Draft, Link, make

if TYPE_CHECKING:
    from pathlib import Path

    from envgen.system.store import Store

ALPHA = Draft(name="alpha", files={"share/alpha/data": "alpha"})


def run(store: Store, prefix: Path, *drafts: Draft) -> None:
    link([make(store, draft) for draft in drafts], prefix, store=store, platform=Platform.LINUX_64)


def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "data").write_text("of the user")
    return folder


def test_nothing_is_linked_through_a_link_of_the_user(store: Store, prefix: Path, tmp_path: Path) -> None:
    victim = outside(tmp_path)
    (prefix / "share").mkdir(parents=True)
    (prefix / "share/alpha").symlink_to(victim)
    with pytest.raises(UserError, match=r"is a link out of the environment, to `.*outside`") as refused:
        run(store, prefix, ALPHA)
    assert {path.name: path.read_text() for path in victim.iterdir()} == {"data": "of the user"}
    assert inventory.read(prefix) == ()
    assert refused.value.hint == f"remove the link: `rm '{prefix}/share/alpha'`"
    (prefix / "share/alpha").unlink()
    run(store, prefix, ALPHA)
    assert (prefix / "share/alpha/data").read_text() == "alpha"


def test_nothing_is_removed_through_one(store: Store, prefix: Path, tmp_path: Path) -> None:
    run(store, prefix, ALPHA)
    (prefix / "share/alpha/data").unlink()
    (prefix / "share/alpha").rmdir()
    (prefix / "share/alpha").symlink_to(victim := outside(tmp_path))
    with pytest.raises(UserError, match="is a link out of the environment"):
        run(store, prefix)
    assert (victim / "data").read_text() == "of the user"


def test_nor_by_an_interrupted_change(store: Store, prefix: Path, tmp_path: Path) -> None:
    run(store, prefix)
    (prefix / "share").symlink_to(victim := outside(tmp_path))
    mark = {"format": 1, "records": [], "paths": ["share/data"]}
    (prefix / "conda-meta/.envgen-unfinished").write_text(json.dumps(mark))
    with pytest.raises(UserError, match="is a link out of the environment"):
        run(store, prefix, ALPHA)
    assert (victim / "data").exists()


def test_compiled_files_behind_a_link_stay(prefix: Path, tmp_path: Path) -> None:
    victim = outside(tmp_path)
    (victim / "a.cpython-311.pyc").write_text("of the user")
    prefix.mkdir()
    (prefix / "__pycache__").symlink_to(victim)
    remove_paths(prefix, ["a.py"])
    assert (victim / "a.cpython-311.pyc").exists()


def test_a_link_that_stays_inside_is_followed(store: Store, prefix: Path) -> None:
    (prefix / "data/alpha").mkdir(parents=True)
    (prefix / "share").symlink_to("data")
    run(store, prefix, ALPHA)
    assert (prefix / "data/alpha/data").read_text() == "alpha"


def test_the_prefix_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "real/share").mkdir(parents=True)
    (tmp_path / "prefix").symlink_to("real")
    refuse_detours(tmp_path / "prefix", ["share/x", "new/folder/x"])


def test_folders_that_are_there_are_named(tmp_path: Path) -> None:
    (tmp_path / "share/alpha").mkdir(parents=True)
    (tmp_path / "data").symlink_to("share")
    (tmp_path / "file").touch()
    (tmp_path / "loose").symlink_to("nowhere")
    paths = ["x", "share/alpha/x", "share/alpha-2/x", "share/beta/y/x", "data/alpha/x", "file/below/x", "loose/below/x"]
    assert refuse_detours(tmp_path, paths) == {"", "share", "share/alpha", "data", "data/alpha", "file", "loose"}


def test_no_package_has_files_below_the_link_of_another(store: Store, prefix: Path, tmp_path: Path) -> None:
    victim = outside(tmp_path)
    other = Draft(name="beta", files={"share/alpha": Link(to=str(victim))})
    with pytest.raises(
        ArtifactError, match="`beta` contains `share/alpha` as a file, package `alpha` needs it as a folder"
    ):
        run(store, prefix, ALPHA, other)
    assert [path.name for path in victim.iterdir()] == ["data"]


@pytest.mark.parametrize("path", ["../outside/data", "/outside/data", "conda-meta/x", "a\nb"])
def test_a_record_with_a_path_outside_is_refused(store: Store, prefix: Path, tmp_path: Path, path: str) -> None:
    run(store, prefix, ALPHA)
    victim = outside(tmp_path)
    file = prefix / "conda-meta/alpha-1.0-h1_0.json"
    record = json.loads(file.read_text())
    file.write_text(json.dumps({**record, "files": [*record["files"], path]}))
    with pytest.raises(IntegrityError, match="lists a path that no package may have: expected a") as refused:
        run(store, prefix, replace(ALPHA, version="2.0"))
    assert repr(path) in str(refused.value)
    assert (victim / "data").exists()
    entry = {"_path": path, "path_type": "hardlink"}
    file.write_text(json.dumps({**record, "paths_data": {"paths_version": 1, "paths": [entry]}}))
    with pytest.raises(IntegrityError, match="lists a path that no package may have"):
        run(store, prefix, replace(ALPHA, version="2.0"))


@pytest.mark.parametrize("mark", [{"paths": ["../outside/data"]}, {"records": ["../../outside/data"]}])
def test_a_mark_with_a_path_outside_is_refused(
    store: Store, prefix: Path, tmp_path: Path, mark: dict[str, list[str]]
) -> None:
    run(store, prefix, ALPHA)
    victim = outside(tmp_path)
    (victim / "data.json").write_text("of the user")
    whole = {"format": 1, "records": [], "paths": [], **mark}
    (prefix / "conda-meta/.envgen-unfinished").write_text(json.dumps(whole))
    with pytest.raises(IntegrityError, match=r"failed to read .*expected a"):
        run(store, prefix, ALPHA)
    assert sorted(path.name for path in victim.iterdir()) == ["data", "data.json"]


@pytest.mark.parametrize("place", ["../../victim", "/victim", "Conda-Meta"])
def test_site_packages_outside_the_prefix_are_refused(store: Store, prefix: Path, place: str) -> None:
    python = make(store, Draft(name="python", version="3.11.9", files={"bin/python3.11": "python"}))
    index = json.loads((python.directory / "info/index.json").read_text())
    (python.directory / "info/index.json").write_text(json.dumps({**index, "python_site_packages_path": place}))
    pure = make(store, Draft(name="pure", noarch="python", files={"site-packages/pure.pth": "import os"}))
    with pytest.raises(ArtifactError, match=r"`python-3.11.9.*`python_site_packages_path`: expected a"):
        link([python, pure], prefix, store=store, platform=Platform.LINUX_64)
    assert not list(prefix.rglob("pure.pth"))


def test_an_entry_point_outside_bin_is_refused(store: Store, prefix: Path) -> None:
    python = Draft(name="python", version="3.11.9", files={"bin/python3.11": "python"})
    pure = Draft(name="pure", noarch="python", entry_points=("../../victim = pure:main",))
    with pytest.raises(ArtifactError, match=r"`pure-1.0.*entry point: expected a"):
        run(store, prefix, python, pure)
