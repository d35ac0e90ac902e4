"""`envgen verify`: what differs from the committed lock, all of it, and nothing on what is sound."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.functional.conftest import SPEC
from tests.functional.test_drift import SITE, edit_in_place, pip_install, relink

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.command import Command, Outcome, Project

EGGS = f"{SITE}/eggs.py"


@pytest.fixture
def prefix(locked: Project, cli: Command) -> Path:
    """Create `demo`."""
    cli("create").succeeded()
    return cli.directory.parent / "home/envs/demo"


def found(outcome: Outcome) -> list[tuple[str, str]]:
    """Return kind and place of each difference that `--json` told, all comparisons together."""
    return [(one["kind"], one["where"]) for each in outcome.json()["comparisons"] for one in each["findings"]]


def edit_and_tell(prefix: Path) -> None:
    """Edit a file, and its record with it: what an environment says of itself is not believed."""
    edit_in_place(prefix)
    record = next((prefix / "conda-meta").glob("eggs-*.json"))
    document = json.loads(record.read_text())
    entry = next(one for one in document["paths_data"]["paths"] if one["_path"] == EGGS)
    entry["sha256"] = entry["sha256_in_prefix"] = hashlib.sha256((prefix / EGGS).read_bytes()).hexdigest()
    record.write_text(json.dumps(document))
    (prefix / "conda-meta/.envgen-state").unlink()


def same_size_and_time(file: Path) -> None:
    status = file.stat()
    text = file.read_text()
    file.unlink()
    file.write_text(text.swapcase())
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))


def append(file: Path) -> None:
    with file.open("a") as out:
        out.write("# edited\n")


INFO = f"{SITE}/spam-1.0.dist-info"
DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    f"{SITE}/spam.py": (same_size_and_time, "changed"),
    f"{INFO}/METADATA": (append, "changed"),
    "bin/spam": (append, "changed"),  # holds the path of the environment
    EGGS: (Path.unlink, "missing"),
    f"{SITE}/evil.pth": (Path.touch, "foreign"),
    f"{SITE}/odd.pyc": (Path.touch, "foreign"),  # Python would import it
    "lib/more": (lambda path: path.symlink_to("/etc"), "foreign"),
    "conda-meta/state": (Path.touch, "foreign"),
    f"{INFO}/licenses/LICENSE": (lambda path: path.chmod(0o755), "mode"),
    f"{INFO}/WHEEL": (lambda path: path.chmod(0o666), "mode"),
}


def test_every_difference_is_told(prefix: Path, cli: Command) -> None:
    relink(prefix)
    for path, (happen, _) in DAMAGE.items():
        happen(prefix / path)
    told = cli("verify", "--json")
    assert told.code == 5
    assert {where: kind for kind, where in found(told)} == {
        **{path: kind for path, (_, kind) in DAMAGE.items()},
        "bin/python": "link",
    }
    told = cli("verify")
    assert f"{len(DAMAGE) + 1} differences" in told.err
    assert f"{EGGS} (eggs): missing" in told.out


def test_records_are_not_believed(prefix: Path, cli: Command) -> None:
    edit_and_tell(prefix)
    record = next((prefix / "conda-meta").glob("eggs-*.json")).name
    assert found(cli("verify", "--json")) == [("changed", f"conda-meta/{record}"), ("changed", EGGS)]
    (prefix / "conda-meta" / record).unlink()
    assert ("package", "eggs") in found(cli("verify", "--json"))


def test_a_sound_environment_after_use(prefix: Path, cli: Command) -> None:
    (prefix / SITE / "__pycache__").mkdir()
    (prefix / SITE / "__pycache__/eggs.cpython-311.pyc").write_bytes(b"code")
    for arguments in ((), ("demo",), (str(prefix),), ("--quick",)):
        outcome = cli("verify", *arguments).succeeded()
        assert "no difference" in outcome.err
        assert "files that Python compiled, which were not compared: 1" in outcome.err
        assert outcome.out == ""
        assert "not proven" not in outcome.err


def test_what_pip_installed_is_one_difference(prefix: Path, cli: Command) -> None:
    pip_install(prefix, "toast", "1.0", toast="")
    assert found(cli("verify", "--json")) == [("extra", f"{SITE}/toast-1.0.dist-info")]
    pip_install(prefix, "eggs", "1.2", eggs="version = 2\n")
    told = cli("verify")
    assert "pip installed eggs 1.2 over the locked `eggs`" in told.out
    assert f"{EGGS} (eggs): modified" in told.out


def test_quick_reads_no_contents(prefix: Path, cli: Command) -> None:
    edit_in_place(prefix)
    assert found(cli("verify", "--quick", "--json")) == [("changed", EGGS)]
    cli("create").succeeded()
    same_size_and_time(prefix / EGGS)
    told = cli("verify", "--quick").succeeded()
    assert "contents were not read" in told.err


def test_the_lock_counts_and_not_what_was_installed(prefix: Path, locked: Project, cli: Command) -> None:
    lock = locked.root / "locks/demo.linux-64.conda-lock.yml"
    text = lock.read_text()
    sha = text.rpartition("sha256: ")[2][:64]
    lock.write_text(text.replace(sha, "0" * 64))
    told = cli("verify")
    assert (told.code, "edited by hand" in told.err) == (1, True)
    lock.write_text(text)
    locked.spec("demo", SPEC.replace("eggs <2", "eggs ==1.0"))
    cli("lock").succeeded()
    told = cli("verify")
    assert told.code == 5
    assert told.out.startswith("eggs: expected 1.0 ")


def test_without_the_packages_the_user_is_told(prefix: Path, cli: Command, tmp_path: Path) -> None:
    told = cli("verify", ENVGEN_CACHE=str(tmp_path / "empty")).succeeded()
    assert "not proven: 4 of 4 packages are not in the cache" in told.err
    edit_in_place(prefix)
    assert found(cli("verify", "--json", ENVGEN_CACHE=str(tmp_path / "empty"))) == [("changed", EGGS)]


def test_what_the_argument_means(prefix: Path, locked: Project, cli: Command) -> None:
    assert f"comparing the prefix `{prefix}`" in cli("verify", str(prefix)).succeeded().err
    assert f"comparing the environment `{prefix}`" in cli("verify", "demo").succeeded().err
    (locked.root / "demo/conda-meta").mkdir(parents=True)
    both = cli("verify", "demo")
    assert (both.code, "`--env demo`" in both.err, "`./demo`" in both.err) == (1, True, True)
    cli("verify", "--env", "demo").succeeded()
    assert "not a complete environment" in cli("verify", "./demo").err
    nothing = cli("verify", "nothing")
    assert (nothing.code, "environments: `demo`" in nothing.err) == (1, True)
    assert cli("verify", "locks").code == 1
    for path in ("/nowhere/env", "./nowhere", "../nowhere/env"):
        absent = cli("verify", path)
        assert (absent.code, f"there is no file or folder `{path}`" in absent.err) == (1, True)
    assert cli("verify", "--key", "x").code == 2
