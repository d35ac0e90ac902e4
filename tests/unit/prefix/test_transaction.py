"""Runs that are killed, and runs at the same time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from envgen.errors import IntegrityError
from envgen.platforms import Platform
from envgen.prefix.link import link
from envgen.prefix.transaction import unfinished
from envgen.prefix.verify import verify_prefix
from envgen.system.fs import file_lock
from tests.builders.extracted import Draft, make
from tests.unit.prefix.samples import AFTER, ALPHA, BETA, MANY, SITE, Listener, foreign, fresh, run, tree

if TYPE_CHECKING:
    from envgen.prefix.changes import PrefixChanges
    from envgen.prefix.contents import LinkPackage
    from envgen.system.store import Store


def test_records_are_on_the_disk_before_the_change_counts_as_finished(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prefix = tmp_path / "prefix"
    synced: list[str] = []

    def fsync(handle: int) -> None:
        path = Path(f"/proc/self/fd/{handle}").readlink()
        if path.suffix == ".json":
            assert unfinished(prefix)
            synced.append(path.name)

    monkeypatch.setattr(os, "fsync", fsync)
    link([make(store, draft) for draft in AFTER], prefix, store=store, platform=Platform.LINUX_64)
    assert sorted(synced) == sorted(path.name for path in (prefix / "conda-meta").glob("*.json"))


INTERRUPTED = """
    import os, signal, sys
    from pathlib import Path
    from envgen.events import NullReporter
    from envgen.platforms import Platform
    from envgen.prefix import link as module, installer, removal, transaction
    from envgen.system.store import Store
    from tests.builders.extracted import make
    from tests.unit.prefix.samples import AFTER

    def die(*arguments, **named):
        os.kill(os.getpid(), signal.SIGKILL)

    point, root, prefix = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    class Deadly(installer._Bar):
        def on_link_complete(self, index):
            if point == "linking":
                die()
    installer._Bar = Deadly
    if point == "marked":
        module._unlink = die
    elif point == "unlinking":
        real = removal._unlink
        count = iter(range(10**6))
        removal._unlink = lambda path: die() if next(count) == 40 else real(path)
    elif point == "linked":
        module.normalise = die
    elif point == "normalising":
        import envgen.prefix.conda_meta as meta
        meta._tell_request = lambda record, asked: die() if record["name"] == "p07" else None
    store = Store(root)
    packages = [make(store, draft) for draft in AFTER]
    module.link(packages, prefix, store=store, platform=Platform.LINUX_64)
"""


@pytest.mark.parametrize(
    ("point", "start"),
    [
        pytest.param("marked", MANY, id="marked"),
        pytest.param("unlinking", MANY, id="unlinking"),
        pytest.param("linking", (), id="linking a fresh prefix"),
        pytest.param("linking", MANY, id="linking"),
        pytest.param("linked", MANY, id="linked"),
        pytest.param("normalising", MANY, id="normalising"),
    ],
)
def test_a_killed_run_is_finished_by_the_next(store: Store, prefix: Path, point: str, start: tuple[Draft, ...]) -> None:
    expected = fresh(store, prefix, *AFTER)
    if start:
        run(store, prefix, *start)
    arguments = [point, str(store.root), str(prefix)]
    killed = subprocess.run([sys.executable, "-c", textwrap.dedent(INTERRUPTED), *arguments], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert unfinished(prefix)
    run(store, prefix, *AFTER)
    assert tree(prefix) == expected
    assert verify_prefix(prefix) == ()
    assert not unfinished(prefix)


def test_a_killed_run_that_is_followed_by_another_lock_leaves_nothing(store: Store, prefix: Path) -> None:
    expected = fresh(store, prefix, ALPHA)
    arguments = ["linking", str(store.root), str(prefix)]
    subprocess.run([sys.executable, "-c", textwrap.dedent(INTERRUPTED), *arguments], check=False)
    (prefix / "conda-meta/p99-1.0-h1_0.json").write_text('{"name": "p99", ')  # a disk that lost power
    run(store, prefix, ALPHA)
    assert tree(prefix) == expected
    assert not (prefix / "lib/python3.11/site-packages/p05").exists()


def test_a_killed_run_that_is_taken_back_leaves_nothing(store: Store, prefix: Path) -> None:
    expected = fresh(store, prefix, *MANY)
    run(store, prefix, *MANY)
    arguments = ["unlinking", str(store.root), str(prefix)]
    subprocess.run([sys.executable, "-c", textwrap.dedent(INTERRUPTED), *arguments], check=False)
    assert len(list((prefix / "conda-meta").glob("*.json"))) == len(MANY)  # records are there, files are not
    run(store, prefix, *MANY)
    assert tree(prefix) == expected


def test_a_change_that_is_cut_short_spoils_no_package_that_stays(
    store: Store, prefix: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where another tool has linked a package, which goes, over a file of one that stays."""
    run(store, prefix, ALPHA, BETA)
    expected = tree(prefix)
    foreign(prefix, "other", f"{SITE}/beta/__init__.py")

    def die(*_arguments: object, **_named: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("envgen.prefix.link.link_directly", die)
        with pytest.raises(KeyboardInterrupt):
            run(store, prefix, ALPHA, BETA)
    assert (prefix / "bin/alpha").exists()
    run(store, prefix, ALPHA, BETA)
    assert tree(prefix) == expected
    assert verify_prefix(prefix) == ()


def test_two_at_once_on_one_prefix_do_the_work_once(store: Store, prefix: Path) -> None:
    packages = [make(store, draft) for draft in MANY]
    results: list[PrefixChanges] = []

    def work() -> None:
        results.append(link(packages, prefix, store=store, platform=Platform.LINUX_64))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(len(result.link) for result in results) == [0, len(MANY)]
    assert verify_prefix(prefix) == ()


def test_two_prefixes_at_once_are_independent(store: Store, tmp_path: Path) -> None:
    packages = [make(store, draft) for draft in MANY]
    prefixes = [tmp_path / name for name in ("one", "two")]

    def work(prefix: Path) -> None:
        link(packages, prefix, store=store, platform=Platform.LINUX_64)

    threads = [threading.Thread(target=work, args=[prefix]) for prefix in prefixes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [verify_prefix(prefix) for prefix in prefixes] == [(), ()]


def test_who_waits_is_told(store: Store, prefix: Path) -> None:
    listener = Listener()
    packages: list[LinkPackage] = [make(store, ALPHA)]

    def work() -> None:
        link(packages, prefix, store=store, platform=Platform.LINUX_64, reporter=listener)

    with file_lock(prefix / "conda-meta/.envgen-lock", timeout=0):
        thread = threading.Thread(target=work)
        thread.start()
        while not listener.notes:
            thread.join(0.01)
    thread.join()
    assert listener.notes == [f"waiting for another process to finish with `{prefix}`"]


@pytest.mark.parametrize("left", [b"", bytes(4096)], ids=["empty", "zeros"])
def test_a_new_environment_whose_mark_was_lost_is_made_again(store: Store, prefix: Path, left: bytes) -> None:
    """A power failure takes what was not on the disk: the mark, and files or not."""
    run(store, prefix, ALPHA)
    whole = tree(prefix)
    for record in (prefix / "conda-meta").glob("*.json"):
        record.unlink()
    (prefix / "conda-meta/.envgen-unfinished").write_bytes(left)
    run(store, prefix, ALPHA)
    assert tree(prefix).keys() == whole.keys()
    assert not (prefix / "conda-meta/.envgen-unfinished").exists()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 2, "records": [], "paths": []}'])
def test_a_mark_that_cannot_be_understood_stops_everything(store: Store, prefix: Path, text: str) -> None:
    run(store, prefix, ALPHA)
    (prefix / "conda-meta/.envgen-unfinished").write_text(text)
    with pytest.raises(IntegrityError, match=r"\.envgen-unfinished"):
        run(store, prefix)
    assert verify_prefix(prefix) == ()
