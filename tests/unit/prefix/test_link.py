"""Linking and changing, with packages of a few files."""

from __future__ import annotations

import json
import stat
import subprocess
from typing import TYPE_CHECKING

import pytest

from envgen.errors import ArtifactError, EnvgenError, UserError
from envgen.platforms import Platform
from envgen.prefix.clobber import unused_conflict
from envgen.prefix.link import link
from envgen.prefix.transaction import unfinished
from envgen.prefix.verify import verify_prefix
from envgen.structs import replace
from tests.builders.extracted import PLACEHOLDER, Draft, Link, make
from tests.unit.prefix.samples import (
    ALPHA,
    BETA,
    CHANNEL,
    NOARCH,
    PYTHON,
    SITE,
    Listener,
    foreign,
    fresh,
    record,
    run,
    tree,
)

if TYPE_CHECKING:
    from pathlib import Path

    from envgen.system.store import Store


def test_a_fresh_prefix_holds_what_its_records_say(store: Store, prefix: Path) -> None:
    result = run(store, prefix, PYTHON, ALPHA, BETA, NOARCH)
    assert result.linked == ("alpha-1.0-h1_0", "beta-1.0-h1_0", "pure-1.0-h1_0", "python-3.11.2-h1_0")
    assert verify_prefix(prefix) == ()
    assert (prefix / "bin/alpha").read_text().startswith("#!")
    assert PLACEHOLDER not in (prefix / "bin/alpha").read_text()
    assert (prefix / "lib/liba.so").readlink().as_posix() == "liba.so.1"
    assert (prefix / "bin/pure").stat().st_mode & stat.S_IXUSR
    assert (prefix / "conda-meta/history").read_text() == ""
    assert not (prefix / "CACHEDIR.TAG").exists()


def test_files_are_hard_links_into_the_store(store: Store, prefix: Path) -> None:
    package = make(store, ALPHA)
    link([package], prefix, store=store, platform=Platform.LINUX_64)
    assert (prefix / "lib/liba.so.1").samefile(package.directory / "lib/liba.so.1")
    assert not list((store.root / "views").iterdir())


def test_identical_bytes_have_one_owner(store: Store, prefix: Path) -> None:
    run(store, prefix, ALPHA, BETA)
    assert f"{SITE}/shared/__init__.py" in record(prefix, "alpha")["files"]
    assert f"{SITE}/shared/__init__.py" not in record(prefix, "beta")["files"]


def test_different_bytes_are_refused_before_anything_moves(store: Store, prefix: Path) -> None:
    other = replace(BETA, files={f"{SITE}/shared/__init__.py": "x"})
    with pytest.raises(ArtifactError, match="`alpha` and `beta` both contain"):
        run(store, prefix, ALPHA, other)
    assert tree(prefix) == {}


def test_top_level_files_of_a_package_that_lost_a_path_are_files(store: Store, prefix: Path) -> None:
    top: dict[str, str | Link] = {"NOTES": "text", "NEWS": Link(to="NOTES")}
    run(store, prefix, ALPHA, replace(BETA, files={**BETA.files, **top}))
    assert not (prefix / "NOTES").is_symlink()
    assert (prefix / "NEWS").readlink().as_posix() == "NOTES"
    assert verify_prefix(prefix) == ()


def test_of_packages_of_channels_the_last_linked_keeps_its_file(store: Store, prefix: Path) -> None:
    one = Draft(name="one", files={"share/x": "one", "share/y": "same"}, origin=CHANNEL)
    two = replace(one, name="two", files={"share/x": "two", "share/y": "same"})
    listener = Listener()
    run(store, prefix, one, two, reporter=listener)
    assert (prefix / "share/x").read_text() == "one"
    assert listener.notes == ["kept `one`'s file, `two` ships another one at `share/x`"]
    run(store, prefix, replace(one, files={"share/x": "new"}), replace(two, depends=("one",)))
    assert (prefix / "share/x").read_text() == "two"
    assert verify_prefix(prefix) == ()


def test_the_spec_says_whose_file_stays(store: Store, prefix: Path) -> None:
    other, listener = replace(BETA, files={f"{SITE}/shared/__init__.py": "x"}), Listener()
    conflicts = {f"{SITE}/shared/*": "beta", "bin/*": "beta"}
    run(store, prefix, ALPHA, other, conflicts=conflicts, reporter=listener)
    assert (prefix / f"{SITE}/shared/__init__.py").read_text() == "x"
    assert listener.notes == [unused_conflict("bin/*")]
    assert verify_prefix(prefix) == ()


def test_other_conflicts_alone_move_a_path(store: Store, prefix: Path) -> None:
    path = f"{SITE}/shared/__init__.py"
    drafts = (ALPHA, replace(BETA, files={path: "x"}))
    run(store, prefix, *drafts, conflicts={path: "beta"})
    result = run(store, prefix, *drafts, conflicts={path: "alpha"})
    assert (prefix / path).read_text() == ""
    assert result.linked == ("alpha-1.0-h1_0", "beta-1.0-h1_0")
    assert verify_prefix(prefix) == ()
    before = written(prefix)
    run(store, prefix, *drafts, conflicts={path: "alpha"})
    assert written(prefix) == before


def test_conflicts_that_decide_nothing_move_nothing(store: Store, prefix: Path) -> None:
    run(store, prefix, ALPHA, BETA)
    expected = tree(prefix)
    assert run(store, prefix, ALPHA, BETA, conflicts={"bin/*": "alpha"}).linked == ()
    assert run(store, prefix, ALPHA, BETA).linked == ()
    assert tree(prefix) == expected


def test_a_path_stays_when_its_owner_goes(store: Store, prefix: Path) -> None:
    expected = fresh(store, prefix, BETA)
    run(store, prefix, ALPHA, BETA)
    result = run(store, prefix, BETA)
    assert (result.linked, result.unlinked) == (("beta-1.0-h1_0",), ("alpha-1.0-h1_0", "beta-1.0-h1_0"))
    assert tree(prefix) == expected
    assert verify_prefix(prefix) == ()


def test_a_path_moves_to_a_new_first_owner(store: Store, prefix: Path) -> None:
    expected = fresh(store, prefix, ALPHA, BETA)
    run(store, prefix, BETA)
    run(store, prefix, ALPHA, BETA)
    assert tree(prefix) == expected


def written(prefix: Path) -> dict[Path, tuple[int, int, int]]:
    """Return for each path what writing would change: inode, mode and times; reading changes only the access time."""
    found = ((path, path.lstat()) for path in prefix.rglob("*"))
    return {path: (status.st_ino, status.st_mode, status.st_mtime_ns) for path, status in found}


def test_nothing_to_do_touches_nothing(store: Store, prefix: Path) -> None:
    run(store, prefix, PYTHON, ALPHA, NOARCH)
    before = written(prefix)
    result = run(store, prefix, PYTHON, ALPHA, NOARCH)
    assert (result.linked, result.unlinked, result.unchanged) == ((), (), 3)
    assert written(prefix) == before


def test_only_what_changed_is_linked(store: Store, prefix: Path) -> None:
    run(store, prefix, PYTHON, ALPHA, BETA, NOARCH)
    kept = (prefix / "conda-meta/alpha-1.0-h1_0.json").stat()
    newer = replace(BETA, version="2.0", files={f"{SITE}/beta/new.py": "4"})
    result = run(store, prefix, PYTHON, ALPHA, newer, NOARCH)
    assert (result.linked, result.unlinked) == (("beta-2.0-h1_0",), ("beta-1.0-h1_0",))
    assert (prefix / "conda-meta/alpha-1.0-h1_0.json").stat() == kept
    assert not (prefix / SITE / "beta/__init__.py").exists()
    assert verify_prefix(prefix) == ()


def test_other_bytes_under_the_same_name_version_and_build_are_linked_again(store: Store, prefix: Path) -> None:
    run(store, prefix, PYTHON, ALPHA)
    rebuilt = replace(ALPHA, files={f"{SITE}/alpha/__init__.py": "rebuilt"})
    result = run(store, prefix, PYTHON, rebuilt)
    assert result.linked == ("alpha-1.0-h1_0",)
    assert tree(prefix).keys() & {"bin/alpha", "lib/liba.so", "lib/liba.so.1"} == set()
    assert (prefix / SITE / "alpha/__init__.py").read_text() == "rebuilt"


def test_a_removed_package_leaves_no_folder_that_python_would_import(store: Store, prefix: Path) -> None:
    run(store, prefix, PYTHON, ALPHA, BETA)
    cache = prefix / SITE / "beta/__pycache__"
    cache.mkdir()
    (cache / "__init__.cpython-311.pyc").write_bytes(b"")
    (cache / "__init__.cpython-311.opt-1.pyc").write_bytes(b"")
    run(store, prefix, PYTHON, ALPHA)
    assert not (prefix / SITE / "beta").exists()


def test_what_users_put_there_stays(store: Store, prefix: Path) -> None:
    run(store, prefix, PYTHON, BETA)
    (prefix / SITE / "beta/mine.py").write_text("mine")
    (prefix / "conda-meta/state").write_text("{}")
    run(store, prefix, PYTHON)
    assert (prefix / SITE / "beta/mine.py").read_text() == "mine"
    assert (prefix / "conda-meta/state").exists()


def test_a_pure_package_moves_with_its_python(store: Store, prefix: Path) -> None:
    run(store, prefix, PYTHON, NOARCH)
    newer = replace(PYTHON, version="3.12.1", files={"bin/python3.12": "elf"})
    result = run(store, prefix, newer, NOARCH)
    assert result.linked == ("pure-1.0-h1_0", "python-3.12.1-h1_0")
    assert (prefix / "lib/python3.12/site-packages/pure/__init__.py").exists()
    assert not (prefix / "lib/python3.11").exists()
    assert verify_prefix(prefix) == ()


def test_two_pure_packages_with_one_command_have_one_owner(store: Store, prefix: Path) -> None:
    other = replace(NOARCH, name="twin", files={}, entry_points=("pure = pure:main", "twin = pure:twin"))
    run(store, prefix, PYTHON, NOARCH, other)
    assert record(prefix, "twin")["files"] == ["bin/twin"]
    assert verify_prefix(prefix) == ()


def test_a_package_that_goes_takes_no_file_of_one_that_stays(store: Store, prefix: Path) -> None:
    """Other tools link a package over files of another one, and both records name them then."""
    run(store, prefix, ALPHA, BETA)
    expected = tree(prefix)
    foreign(prefix, "other", f"{SITE}/beta/__init__.py", f"{SITE}/other.py")
    result = run(store, prefix, ALPHA, BETA)
    assert (result.linked, result.unlinked) == (("beta-1.0-h1_0",), ("beta-1.0-h1_0", "other-1-0"))
    assert tree(prefix) == expected
    assert verify_prefix(prefix) == ()


def test_files_in_the_way_are_replaced_and_told(store: Store, prefix: Path) -> None:
    (prefix / "lib").mkdir(parents=True)
    (prefix / "lib/liba.so.1").write_text("mine")
    listener = Listener()
    run(store, prefix, ALPHA, reporter=listener)
    assert len(listener.warnings) == 1
    assert "replaced 1 files that no package owned" in listener.warnings[0]
    assert verify_prefix(prefix) == ()


def test_a_folder_in_the_way_is_an_error(store: Store, prefix: Path) -> None:
    (prefix / "lib/liba.so.1").mkdir(parents=True)
    with pytest.raises(UserError, match="is a folder that no package owns"):
        run(store, prefix, ALPHA)
    assert not unfinished(prefix)


def test_one_name_twice_is_a_bug(store: Store, prefix: Path) -> None:
    with pytest.raises(EnvgenError, match="more than one package named alpha"):
        run(store, prefix, ALPHA, replace(ALPHA, version="2.0"))


def test_a_pure_package_needs_a_python(store: Store, prefix: Path) -> None:
    with pytest.raises(ArtifactError, match="needs Python"):
        run(store, prefix, NOARCH)


def test_a_path_out_of_the_prefix_is_refused(store: Store, prefix: Path) -> None:
    package = make(store, replace(ALPHA, files={}))
    document = {"paths_version": 1, "paths": [{"_path": "../x", "path_type": "hardlink", "sha256": "0" * 64}]}
    (package.directory / "info/paths.json").write_text(json.dumps(document))
    with pytest.raises(ArtifactError, match=r"`info/paths.json`: expected a path .*got '../x'"):
        link([package], prefix, store=store, platform=Platform.LINUX_64)


def test_a_full_disk_is_said(store: Store, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", disk], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("no small disk can be mounted here")
    try:
        with pytest.raises(UserError, match="no space left on the disk of"):
            run(store, disk / "env", replace(ALPHA, files={"lib/large": "x" * 200_000}))
    finally:
        subprocess.run(["umount", disk], check=True)
