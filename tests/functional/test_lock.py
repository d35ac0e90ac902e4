"""`envgen lock`: the same bytes from the same spec, and nothing moves that need not."""

from __future__ import annotations

import datetime as dt
import json
import re
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from conda_lock.lockfile import parse_conda_lock_file

from tests.builders.tree import MOMENT
from tests.builders.wheels import make_wheel, wheel_filename
from tests.functional import world
from tests.functional.conftest import SPEC

if TYPE_CHECKING:
    from pathlib import Path

    from tests.builders.registries import Registries
    from tests.command import Command, Project

LOCK = "demo.linux-64.conda-lock.yml"
DEBIAN_LOCK = "demo.linux-64.debian-lock.yml"
TWO_PLATFORMS = """\
python: "3.11"
platforms: {linux-64: {glibc: "2.36"}, linux-aarch64: {glibc: "2.36"}}
dependencies: [python]
pypi:
  - ham[bacon]
  - spam
  - plated ; platform_machine == "x86_64"
"""


def packages(project: Project, lock: str = LOCK) -> dict[str, dict[str, Any]]:
    """Read the packages of a lock: name -> entry."""
    return {p["name"]: p for p in yaml.safe_load((project.root / "locks" / lock).read_text())["package"]}


def versions(project: Project, lock: str = LOCK) -> dict[str, str]:
    """Read which version of each package is locked."""
    return {name: entry["version"] for name, entry in packages(project, lock).items()}


def test_lock_has_wheels_and_python_from_debian(locked: Project) -> None:
    found = packages(locked)
    assert {"python", "python_abi", "spam", "eggs"} <= set(found)
    assert found["spam"]["manager"] == "pip"
    assert found["spam"]["url"].startswith("${ENVGEN_PYPI}/spam/spam-1.0-")
    assert found["spam"]["dependencies"] == {"eggs": ""} or found["spam"]["dependencies"] == {"eggs": "*"}
    assert found["eggs"]["version"] == "1.1"
    assert found["python"]["manager"] == "conda"
    assert found["python"]["url"].startswith("${ENVGEN_CHANNEL}/linux-64/python-3.11")
    assert set(locked.locks()) == {LOCK, DEBIAN_LOCK}


def test_extras_and_markers_make_each_platform_its_own(project: Project, cli: Command) -> None:
    project.spec("demo", TWO_PLATFORMS)
    cli("lock").succeeded()
    common = {"python", "python_abi", "ham", "bacon", "spam", "eggs"}
    assert set(packages(project)) == common | {"plated"}
    assert set(packages(project, "demo.linux-aarch64.conda-lock.yml")) == common


def test_locks_of_a_dropped_platform_are_removed(project: Project, cli: Command) -> None:
    project.spec("demo", TWO_PLATFORMS)
    cli("lock").succeeded()
    project.spec("demo", TWO_PLATFORMS.replace(', linux-aarch64: {glibc: "2.36"}', ""))
    outcome = cli("lock", "--check")
    assert outcome.code == 1
    assert (
        "demo.linux-aarch64.conda-lock.yml: out of date\n  - the spec no longer names the platform linux-aarch64"
        in outcome.err
    )
    cli("lock", "--check", "--platform", "linux-64").succeeded()
    assert "removed" not in cli("lock", "--platform", "linux-64").succeeded().err
    outcome = cli("lock").succeeded()
    assert "locks/demo.linux-aarch64.conda-lock.yml: removed, no spec needs it any more" in outcome.err
    assert set(project.locks()) == {LOCK, DEBIAN_LOCK}
    cli("lock", "--check").succeeded()


def test_locks_without_a_spec_are_told_and_removed_with_all(locked: Project, cli: Command) -> None:
    (locked.root / "environments/demo.yaml").unlink()
    locked.spec("other", SPEC)
    outcome = cli("lock").succeeded()
    assert f"locks/{LOCK}: there is no spec `environments/demo.yaml`; `envgen lock --all` removes it" in outcome.err
    cli("lock", "--check").succeeded()
    outcome = cli("lock", "--check", "--all")
    assert outcome.code == 1
    assert f"locks/{LOCK}: out of date\n  - there is no spec `environments/demo.yaml`" in outcome.err
    assert "hint: run `envgen lock --all`" in outcome.err
    cli("lock", "--all").succeeded()
    assert set(locked.locks()) == {LOCK.replace("demo", "other"), DEBIAN_LOCK.replace("demo", "other")}


def test_check_without_a_lock(demo: Project, cli: Command) -> None:
    outcome = cli("lock", "--check")
    assert outcome.code == 1
    assert f"locks/{LOCK}: missing\nerror: the lock is missing\nhint: run `envgen lock`" in outcome.err


def test_an_extra_that_is_not_there_is_an_error(project: Project, cli: Command) -> None:
    project.spec("demo", TWO_PLATFORMS.replace("ham[bacon]", "ham[bacno]"))
    outcome = cli("lock")
    assert outcome.code == 3
    assert re.search(r"would be locked at 1\.0 for linux-\w+, which has no extra `bacno`; it has `bacon`", outcome.err)
    assert "hint: did you mean `bacon`?" in outcome.err
    assert project.locks() == {}


def test_an_extra_that_a_package_asks_for_in_vain_is_warned_of_once(
    project: Project, registries: Registries, cli: Command
) -> None:
    wheel = make_wheel("needy", "1.0", files={"needy.py": ""}, requires=("ham[bacno]",))
    registries.index.add(wheel_filename("needy", "1.0"), wheel)
    registries.publish()
    project.spec("demo", TWO_PLATFORMS.replace("ham[bacon]", "needy"))
    outcome = cli("lock").succeeded()
    assert outcome.err.count("warning: `ham` 1.0 has no extra `bacno`; it has `bacon`") == 1


def test_conda_lock_reads_it(project: Project, cli: Command) -> None:
    project.spec("demo", TWO_PLATFORMS)
    cli("lock").succeeded()
    found = {path.name: parse_conda_lock_file(path) for path in (project.root / "locks").glob("*.conda-lock.yml")}
    assert sorted(found) == ["demo.linux-64.conda-lock.yml", "demo.linux-aarch64.conda-lock.yml"]
    for name, content in found.items():
        assert {package.name for package in content.package} == set(packages(project, name)) != set()


def test_lock_holds_no_host_user_path_or_time(project: Project, cli: Command, tmp_path: Path) -> None:
    project.spec("demo", TWO_PLATFORMS)
    cli("lock", USER="mallory", LOGNAME="mallory").succeeded()
    text = b"\n".join(project.locks().values()).decode()
    for secret in ("127.0.0.1", "localhost", "mallory", str(tmp_path), "http:", "https:", "file:"):
        assert secret not in text
    of_archive = f"{MOMENT:%Y-%m-%dT%H:%M:%SZ}"  # when Debian made the release, whoever locks it and whenever
    assert re.search(r"\d\d:\d\d:\d\d", text.replace(of_archive, "")) is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """Circumstances that must not show in a lock."""

    variables: dict[str, str] = field(default_factory=dict)
    umask: int = 0o022
    moved: bool = False


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(Elsewhere(), id="again"),
        pytest.param(Elsewhere(moved=True), id="directory"),
        pytest.param(Elsewhere(umask=0o077), id="umask"),
        pytest.param(Elsewhere(variables={"TZ": "Pacific/Chatham", "LANG": "C", "PYTHONHASHSEED": "7"}), id="settings"),
        pytest.param(Elsewhere(variables={"LC_ALL": "tr_TR.UTF-8", "PYTHONUTF8": "0"}), id="locale"),
    ],
)
def test_locks_are_the_same_bytes_everywhere(other: Elsewhere, project: Project, cli: Command, tmp_path: Path) -> None:
    project.spec("demo", TWO_PLATFORMS)
    cli.process("lock").succeeded()
    first = project.locks()
    home = project.root
    if other.moved:
        home = tmp_path / "another place" / "with spaces"
        shutil.copytree(project.root, home, ignore=shutil.ignore_patterns("locks"))
    else:
        shutil.rmtree(home / "locks")
    cli.variables |= {"ENVGEN_CACHE": str(tmp_path / "fresh cache")} | other.variables
    cli.process("lock", cwd=home, umask=other.umask).succeeded()
    assert {p.name: p.read_bytes() for p in sorted((home / "locks").iterdir())} == first


def test_locking_again_writes_nothing(locked: Project, cli: Command) -> None:
    before = {p.name: p.stat().st_mtime_ns for p in (locked.root / "locks").iterdir()}
    (outcome,) = cli("lock", "--json").succeeded().json()
    assert outcome["written"] is False
    assert {p.name: p.stat().st_mtime_ns for p in (locked.root / "locks").iterdir()} == before


def test_locking_from_a_folder_below_finds_the_project(demo: Project, cli: Command) -> None:
    below = demo.root / "src" / "deep"
    below.mkdir(parents=True)
    cli("lock", cwd=below).succeeded()
    assert LOCK in demo.locks()


def test_a_new_release_waits_until_it_is_asked_for(locked: Project, cli: Command, registries: Registries) -> None:
    registries.index.add(*world.eggs("1.5"))
    registries.publish()
    cli("lock").succeeded()
    assert versions(locked)["eggs"] == "1.1"
    cli("lock", "--upgrade", "spam").succeeded()
    assert versions(locked)["eggs"] == "1.1"
    cli("lock", "--upgrade", "eggs").succeeded()
    assert versions(locked)["eggs"] == "1.5"
    registries.index.add(*world.eggs("1.6"))
    registries.publish()
    cli("lock", "--upgrade").succeeded()
    assert versions(locked)["eggs"] == "1.6"


def test_only_what_the_spec_changes_moves(locked: Project, cli: Command, registries: Registries) -> None:
    registries.index.add(*world.eggs("1.5"))
    registries.publish()
    locked.spec("demo", (locked.root / "environments/demo.yaml").read_text().split("\n", 1)[1].replace("1.0,", "1.1,"))
    cli("lock").succeeded()
    assert versions(locked)["spam"] == "1.1"
    assert versions(locked)["eggs"] == "1.1"


def test_a_wheel_that_is_gone_is_resolved_again_alone(locked: Project, cli: Command, registries: Registries) -> None:
    registries.index.remove("eggs-1.1-py3-none-any.whl")
    registries.index.add(*world.eggs("1.5"))
    registries.publish()
    outcome = cli("lock", "--refresh").succeeded()
    assert versions(locked)["eggs"] == "1.5"
    assert versions(locked)["spam"] == "1.0"
    assert "eggs" in outcome.err


def test_a_superseded_deb_is_resolved_again_alone(locked: Project, cli: Command, registries: Registries) -> None:
    before = yaml.safe_load(locked.locks()[DEBIAN_LOCK])
    moved = world.supersede(registries)
    outcome = cli("lock").succeeded()
    after = yaml.safe_load(locked.locks()[DEBIAN_LOCK])
    changed = {new["name"] for old, new in zip(before["packages"], after["packages"], strict=True) if old != new}
    assert changed == {moved}
    assert moved in outcome.err
    assert versions(locked)["eggs"] == "1.1"


@pytest.mark.parametrize("style", ["json", "html"])
def test_either_form_of_the_index_gives_one_lock(
    style: Any, demo: Project, cli: Command, registries: Registries, tmp_path: Path
) -> None:
    cli("lock").succeeded()
    first = demo.locks()
    registries.index.style = style
    registries.publish()
    shutil.rmtree(demo.root / "locks")
    cli("lock", ENVGEN_CACHE=str(tmp_path / "fresh")).succeeded()
    assert yaml.safe_load(demo.locks()[LOCK])["package"] == yaml.safe_load(first[LOCK])["package"]


def test_one_platform_alone(project: Project, cli: Command) -> None:
    project.spec("demo", TWO_PLATFORMS)
    cli("lock", "--platform", "linux-aarch64").succeeded()
    assert {name.split(".")[1] for name in project.locks()} == {"linux-aarch64"}


def test_check_is_offline(locked: Project, cli: Command) -> None:
    nobody = "http://127.0.0.1:9"
    outcome = cli("lock", "--check", "--json", ENVGEN_PYPI=nobody, ENVGEN_DEBIAN=nobody, ENVGEN_DEBIAN_SECURITY=nobody)
    (verdict,) = json.loads(outcome.succeeded().out)
    # `true` is what `up_to_date` was called in 0.1
    assert verdict == {"lock": f"locks/{LOCK}", "up_to_date": True, "true": True, "reasons": []}


def test_check_does_not_mind_how_the_spec_is_written(locked: Project, cli: Command) -> None:
    locked.spec(
        "demo",
        """
# the same, written otherwise
pypi:
  - "eggs<2"
  - Spam==1.0
platforms:
  linux-64:
    glibc: 2.36
dependencies:
  - python
python: 3.11
""",
    )
    cli("lock", "--check").succeeded()


def test_uploads_after_the_cut_off_do_not_exist(project: Project, cli: Command, registries: Registries) -> None:
    name, wheel = world.eggs("3.0")
    registries.index.add(name, wheel, uploaded=dt.datetime(2026, 6, 1, 12, tzinfo=dt.UTC))
    registries.publish()
    head = 'python: "3.11"\nplatforms: {linux-64: {glibc: "2.36"}}\ndependencies: [python]\npypi: [eggs]\n'
    project.spec("demo", head + "exclude-newer: 2026-05-31\n")
    cli("lock").succeeded()
    assert versions(project)["eggs"] == "2.0"
    project.spec("demo", head + "exclude-newer: 2026-06-01\n")
    cli("lock", "--upgrade").succeeded()
    assert versions(project)["eggs"] == "3.0"


def test_yanked_wheels_are_taken_only_by_name(project: Project, cli: Command, registries: Registries) -> None:
    name, wheel = world.eggs("3.0")
    registries.index.add(name, wheel, yanked="broken")
    registries.publish()
    head = 'python: "3.11"\nplatforms: {linux-64: {glibc: "2.36"}}\ndependencies: [python]\n'
    project.spec("demo", head + "pypi: [eggs]\n")
    cli("lock").succeeded()
    assert versions(project)["eggs"] == "2.0"
    project.spec("demo", head + "pypi: [eggs ==3.0]\n")
    cli("lock").succeeded()
    assert versions(project)["eggs"] == "3.0"


def test_a_damaged_lock_is_not_made_anew_unasked(locked: Project, cli: Command) -> None:
    file = locked.root / "locks" / LOCK
    before = file.read_text()
    file.write_text(before.replace("version: 1", "version: 9", 1))
    outcome = cli("lock")
    assert outcome.code == 1, outcome.err
    assert "remove it and run `envgen lock`" in outcome.err
    file.unlink()
    cli("lock").succeeded()
    assert file.read_text() == before
