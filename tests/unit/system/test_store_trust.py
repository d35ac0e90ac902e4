"""Stores that others can write to, and folders that are no stores."""

from __future__ import annotations

import datetime as dt
import json
import os
import stat
import subprocess
from typing import TYPE_CHECKING

import pytest

from envgen.digest import Sha256
from envgen.errors import UserError
from envgen.system import store_trust
from envgen.system.seal import SEAL
from envgen.system.store import Store, StoreKind
from envgen.system.store_trust import MARK
from tests.unit.system.nobody import NOBODY, as_nobody

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEY = "numpy-2.1.0-0"
NOW = dt.datetime(2030, 1, 31, tzinfo=dt.UTC)


@pytest.fixture(params=[0o000, 0o002, 0o022, 0o077])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    old = os.umask(request.param)
    yield request.param
    os.umask(old)


def fill(store: Store) -> None:
    """Use a store in every way."""
    with store.new_artifact(sha := Sha256.of(b"x")) as out:
        out.write(b"x")
    store.ensure_package(KEY, lambda folder: (folder / "file").touch())
    store.put("facts", sha, b"")
    store.repodata()
    with store.view():
        pass


def clean(store: Store) -> None:
    store.clean(kinds=list(StoreKind), older_than=None, now=NOW)


class TestAccess:
    def test_new_stores_are_closed_whatever_the_umask(self, tmp_path: Path, umask: int) -> None:
        fill(Store(tmp_path / "above/store"))
        root = tmp_path / "above/store"
        folders = [root, *(path for path in root.rglob("*") if path.is_dir() and path.name != "repodata")]
        assert {oct(stat.S_IMODE(path.stat().st_mode)) for path in folders} == {"0o755"}
        files = [path for path in root.rglob("*") if path.is_file()]
        assert not any(path.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH) for path in files)
        Store(root)

    def test_files_of_other_programs_are_out_of_reach(self, tmp_path: Path) -> None:
        folder = Store(tmp_path / "store").repodata()
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700

    @pytest.mark.parametrize("name", [".", "artifacts", "packages", "blobs", "cache", "locks"])
    def test_stores_that_everybody_can_write_to_are_refused(self, tmp_path: Path, name: str) -> None:
        root = tmp_path / "store"
        (root / name).mkdir(parents=True, exist_ok=True)
        (root / name).chmod(0o777)
        with pytest.raises(UserError, match="every user of this machine") as caught:
            Store(root)
        assert str(root / name) in str(caught.value)
        assert caught.value.hint == f"`chmod -R go-w {root}`"

    def test_the_hint_is_the_remedy(self, tmp_path: Path) -> None:
        root = tmp_path / "store"
        fill(Store(root))
        for path in (root, *root.rglob("*")):
            path.chmod(path.stat().st_mode | 0o022)
        with pytest.raises(UserError) as caught:
            Store(root)
        subprocess.run(str(caught.value.hint).strip("`").split(), check=True)
        fill(Store(root))

    def test_the_group_of_one_user_may_write(self, shared_folder: Path) -> None:
        """As a umask of 002 has it; `nobody` is in a group of another name, so its own number stands for one."""
        root = shared_folder / "store"
        root.mkdir()
        root.chmod(0o775)
        Store(root)  # root:root

    def test_another_group_may_not(self, tmp_path: Path) -> None:
        if os.geteuid() != 0:
            pytest.skip("only root can give a folder to another group")
        root = tmp_path / "store"
        root.mkdir()
        os.chown(root, -1, 100)
        root.chmod(0o775)
        with pytest.raises(UserError, match=r"the group .* can write"):
            Store(root)

    @pytest.mark.parametrize(("group", "is_private"), [(12345, True), (12346, False)])
    def test_users_without_names_have_groups_of_their_number(self, group: int, is_private: bool) -> None:
        assert store_trust._is_private(group, 12345) is is_private

    def test_a_folder_below_is_the_hint_for_the_top_of_a_disk(self, shared_folder: Path) -> None:
        """A volume that everybody may write to, of another user."""
        shared_folder.chmod(0o777)
        with pytest.raises(UserError) as caught:
            Store(shared_folder)
        assert caught.value.hint == f"set ENVGEN_CACHE to a folder below it, such as `{shared_folder}/envgen`"
        fill(Store(shared_folder / "envgen"))
        fill(Store(shared_folder / "envgen"))

    def test_an_own_disk_too(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        tmp_path.chmod(0o777)
        monkeypatch.setattr(os.path, "ismount", lambda path: path == tmp_path)
        with pytest.raises(UserError) as caught:
            Store(tmp_path)
        assert "a folder below it" in str(caught.value.hint)

    def test_another_user_cannot_put_anything_into_a_store(self, shared_folder: Path) -> None:
        shared_folder.chmod(0o755)
        old = os.umask(0)
        try:
            fill(Store(shared_folder / "store"))
        finally:
            os.umask(old)

        def attack() -> None:
            folders = [shared_folder / "store", *(p for p in (shared_folder / "store").rglob("*") if p.is_dir())]
            for folder in folders:
                with pytest.raises(PermissionError):
                    (folder / "evil").touch()

        as_nobody(attack)


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files of another user")


@needs_root
class TestFilesOfOthers:
    """What somebody left while the store was open is not used after it was closed."""

    @pytest.mark.parametrize("path", [".", SEAL])
    def test_packages(self, tmp_path: Path, path: str) -> None:
        store = Store(tmp_path / "store")
        package = store.ensure_package(KEY, lambda folder: (folder / "file").touch())
        os.chown(package / path, *NOBODY)
        assert store.altered(KEY)

    def test_packages_without_a_seal(self, tmp_path: Path) -> None:
        def make(folder: Path) -> None:
            (folder / "info").mkdir()
            (folder / "file").touch()
            entry = {"_path": "file", "path_type": "hardlink", "sha256": Sha256.of(b"")}
            (folder / "info/paths.json").write_text(json.dumps({"paths_version": 1, "paths": [entry]}))
            (folder / "info/index.json").write_text("{}")

        for owner, is_altered in ((0, False), (NOBODY[0], True)):
            store = Store(tmp_path / f"store-{owner}", prove=lambda _: None)
            package = store.ensure_package(KEY, make)
            (package / SEAL).unlink()
            os.chown(package / "file", owner, -1)
            assert store.altered(KEY) is is_altered

    def test_facts(self, tmp_path: Path) -> None:
        store = Store(tmp_path / "store")
        store.put("facts", KEY, b"true")
        (fact,) = (tmp_path / "store/cache").rglob(KEY)
        os.chown(fact, *NOBODY)
        assert store.cached("facts", KEY) is None
        store.put("facts", KEY, b"true")
        assert store.cached("facts", KEY) == b"true"


class TestMark:
    def test_new_and_empty_folders_get_one(self, tmp_path: Path) -> None:
        (tmp_path / "empty").mkdir()
        for name in ("new", "empty"):
            fill(Store(tmp_path / name))
            assert (tmp_path / name / MARK).is_file()
            clean(Store(tmp_path / name))

    def test_a_store_from_before_is_adopted(self, tmp_path: Path) -> None:
        fill(Store(tmp_path))
        (tmp_path / MARK).unlink()
        (tmp_path / "lost+found").mkdir()
        clean(Store(tmp_path))
        assert (tmp_path / MARK).is_file()
        assert list((tmp_path / "packages").iterdir()) == []

    @pytest.mark.parametrize("path", ["packages/mine/notes.txt", "cache/a/b/c", "Documents/letter.txt", ".bashrc"])
    def test_nothing_is_removed_from_other_folders(self, tmp_path: Path, path: str) -> None:
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("mine")
        with pytest.raises(UserError, match="is not a store of envgen: it holds") as caught:
            clean(Store(tmp_path))
        assert "a folder below it" in str(caught.value.hint)
        assert file.read_text() == "mine"

    def test_nothing_is_put_into_other_folders(self, tmp_path: Path) -> None:
        (tmp_path / "letter.txt").touch()
        with pytest.raises(UserError, match=r"holds `letter\.txt`"):
            fill(Store(tmp_path))
        assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]

    def test_a_foreign_file_beside_an_unmarked_store(self, tmp_path: Path) -> None:
        fill(Store(tmp_path))
        (tmp_path / MARK).unlink()
        (tmp_path / "letter.txt").touch()
        with pytest.raises(UserError, match=r"holds `letter\.txt`"):
            clean(Store(tmp_path))
        assert (tmp_path / "packages" / KEY).is_dir()
