"""An audit sees each way in which a prefix can differ from its records."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from envgen.events import NullReporter
from envgen.platforms import Platform
from envgen.prefix.link import link
from envgen.prefix.verify import damaged, read_records, unsafe_modes, verify_prefix
from envgen.system.store import Store
from tests.builders.extracted import Draft, Link, make
from tests.unit.prefix.samples import NOARCH, PYTHON

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FILES: dict[str, str | Link] = {"lib/a.py": "1", "lib/b.so.1": "2", "lib/b.so": Link(to="b.so.1")}


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    store = Store(tmp_path / "store")
    packages = [make(store, Draft(name="one", files=FILES)), make(store, Draft(name="two", files={"etc/x": "3"}))]
    link(packages, tmp_path / "env", store=store, platform=Platform.LINUX_64)
    return tmp_path / "env"


def rewrite(path: Path, text: str) -> None:
    path.unlink()
    path.write_text(text)


def claim(prefix: Path) -> None:
    one, two = (prefix / f"conda-meta/{name}-1.0-h1_0.json" for name in ("one", "two"))
    entry = json.loads(one.read_text())["paths_data"]["paths"][0]
    record = json.loads(two.read_text())
    record["paths_data"]["paths"].append(entry)
    record["files"].append(entry["_path"])
    two.write_text(json.dumps(record))


def forget_digest(prefix: Path) -> None:
    path = prefix / "conda-meta/two-1.0-h1_0.json"
    record = json.loads(path.read_text())
    record["paths_data"]["paths"][0].pop("sha256_in_prefix")
    path.write_text(json.dumps(record))


def forget_file(prefix: Path) -> None:
    path = prefix / "conda-meta/two-1.0-h1_0.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "files": []}))


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda prefix: (prefix / "lib/a.py").unlink(), "lib/a.py: missing"),
    "changed": (lambda prefix: rewrite(prefix / "lib/a.py", "0"), "lib/a.py: modified"),
    "foreign": (lambda prefix: (prefix / "lib/mine").write_text("0"), "lib/mine: not owned by any package"),
    "foreign link": (lambda prefix: (prefix / "lib/mine").symlink_to("/"), "lib/mine: not owned by any package"),
    "link became file": (lambda prefix: rewrite(prefix / "lib/b.so", "2"), "lib/b.so: is not a link"),
    "owned twice": (claim, "lib/a.py: owned by one and two"),
    "no digest": (forget_digest, "etc/x: no digest"),
    "files differ": (forget_file, "etc/x: `files` and `paths_data` of two differ"),
}


def test_a_fresh_prefix_has_no_fault(prefix: Path) -> None:
    assert verify_prefix(prefix, compiled=True) == ()


@pytest.mark.parametrize(("damage", "expected"), DAMAGE.values(), ids=DAMAGE)
def test_damage_is_found(prefix: Path, damage: Callable[[Path], object], expected: str) -> None:
    damage(prefix)
    (fault,) = verify_prefix(prefix)
    assert fault.startswith(expected)


def test_a_file_behind_a_link_that_changed_is_told_for_both(prefix: Path) -> None:
    rewrite(prefix / "lib/b.so.1", "0")
    assert [fault.partition(":")[0] for fault in verify_prefix(prefix)] == ["lib/b.so.1", "lib/b.so"]


def test_compiled_files_count_on_request(prefix: Path) -> None:
    cache = prefix / "lib/__pycache__"
    cache.mkdir()
    (cache / "a.cpython-311.pyc").touch()
    assert verify_prefix(prefix) == ()
    assert verify_prefix(prefix, compiled=True) == ("lib/__pycache__/a.cpython-311.pyc: not owned by any package",)


def test_damage_is_told_by_package_and_links_by_what_they_lead_to(prefix: Path) -> None:
    (prefix / "lib/b.so.1").write_text("0")
    (prefix / "etc/x").unlink()
    found = damaged(prefix, NullReporter())
    assert {name: sorted(fault.partition(":")[0] for fault in faults) for name, faults in found.items()} == {
        "one": ["lib/b.so", "lib/b.so.1"],
        "two": ["etc/x"],
    }


def test_what_stands_in_place_of_a_file_is_not_waited_for(prefix: Path) -> None:
    """Opening a pipe waits for a writer."""
    (prefix / "lib/a.py").unlink()
    os.mkfifo(prefix / "lib/a.py")
    (prefix / "etc/x").unlink()
    (prefix / "etc/x").symlink_to("../lib/b.so.1")
    found = damaged(prefix, NullReporter())
    assert [fault.partition(", got")[0][:28] for faults in found.values() for fault in faults] == [
        "lib/a.py: modified: expected",
        "etc/x: is a link",
    ]


@pytest.mark.parametrize("size", [0, 1, (1 << 17) - 1, 1 << 17, (1 << 17) + 1, 20 << 20])
def test_files_of_any_size_are_read_to_their_end(tmp_path: Path, size: int) -> None:
    store, text = Store(tmp_path / "store"), "0" * size
    link([make(store, Draft(name="one", files={"a": text}))], tmp_path / "env", store=store, platform=Platform.LINUX_64)
    assert damaged(tmp_path / "env", NullReporter()) == {}
    rewrite(tmp_path / "env/a", f"{text[:-1]}1")
    assert damaged(tmp_path / "env", NullReporter()).keys() == {"one"}


def test_many_files_are_checked_in_batches(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    many = Draft(name="many", files={f"lib/{number}": str(number) for number in range(250)})
    link([make(store, many)], tmp_path / "env", store=store, platform=Platform.LINUX_64)
    assert damaged(tmp_path / "env", NullReporter()) == {}
    for number in (0, 123, 249):
        rewrite(tmp_path / f"env/lib/{number}", "0.")
    (faults,) = damaged(tmp_path / "env", NullReporter()).values()
    assert sorted(fault.partition(":")[0] for fault in faults) == ["lib/0", "lib/123", "lib/249"]


def test_modes_that_no_linked_file_has(tmp_path: Path) -> None:
    """Scripts of entry points included, which rattler makes with a mode of its own."""
    store, prefix = Store(tmp_path / "store"), tmp_path / "env"
    link([make(store, draft) for draft in (PYTHON, NOARCH)], prefix, store=store, platform=Platform.LINUX_64)
    entries = {path: entry for _, found in read_records(prefix) for path, entry in found.items()}
    assert list(unsafe_modes(prefix, entries.items())) == []
    (prefix / "bin/pure").chmod(0o4775)
    (prefix / "bin/pure-run").chmod(0o757)
    assert dict(unsafe_modes(prefix, entries.items())) == {"bin/pure": 0o4775, "bin/pure-run": 0o757}
