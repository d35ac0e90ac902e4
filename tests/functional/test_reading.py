"""Reading locks: `list`, `tree`, `why`, `diff`, `licenses`."""

from __future__ import annotations

import re
import shlex
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.functional.conftest import SPEC
from tests.functional.test_create import make
from tests.functional.test_lock import TWO_PLATFORMS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.command import Command, Project

LOCK = "locks/demo.linux-64.conda-lock.yml"


def git(project: Project, *arguments: str) -> str:
    identity = ["-c", "user.name=somebody", "-c", "user.email=somebody@example.org"]
    done = subprocess.run(["git", *identity, *arguments], cwd=project.root, check=True, capture_output=True, text=True)
    return done.stdout


@pytest.fixture
def committed(locked: Project, cli: Command) -> Project:
    """Commit the locks of `demo`, then lock without spam."""
    git(locked, "init", "--quiet", "--initial-branch=main")
    git(locked, "add", ".")
    git(locked, "commit", "--quiet", "--message=one")
    locked.spec("demo", SPEC.replace("spam ==1.0, eggs <2", "eggs <1.1, ham"))
    cli("lock").succeeded()
    return locked


def test_tree_begins_with_the_words_of_the_spec(locked: Project, cli: Command) -> None:
    plain = cli("tree").succeeded().out
    assert plain.startswith("python 3.11.2 (recipe)  [python: 3.11]\n")
    assert "zlib1g" not in plain
    assert "Debian packages that recipes are built from (shown with --debian)\n" in plain
    out = cli("tree", "--debian").succeeded().out
    assert "python 3.11.2 (recipe)  [python: 3.11]\n" in out
    assert "spam 1.0 (wheel)  [pypi: spam==1.0]\n└── eggs 1.1 (wheel)  eggs\n" in out
    assert "zlib1g 1:1.2.13.dfsg-1 (Debian)  dependency of a package in recipes/python/debian.yaml" in out
    assert "─ python3.11 3.11.2-6+deb12u9 (Debian)  listed in recipes/python/debian.yaml" in out


def test_tree_inverted(locked: Project, cli: Command) -> None:
    assert cli("tree", "--invert", "Eggs").succeeded().out == (
        "eggs 1.1 (wheel)  [pypi: eggs<2]\n└── spam 1.0 (wheel)  eggs  [pypi: spam==1.0]\n"
    )


def test_tree_as_json(locked: Project, cli: Command) -> None:
    tree = cli("tree", "--json").succeeded().json()["linux-64"]
    packages = {p["name"]: p for p in tree["packages"]}
    assert packages["spam"]["needs"] == [{"name": "eggs", "requirement": "eggs", "words": "eggs"}]
    assert {"section": "pypi", "requirement": "eggs<2", "words": "eggs<2", "name": "eggs"} in tree["roots"]
    above = cli("tree", "--json", "--invert", "eggs").succeeded().json()["linux-64"]["packages"]
    assert above[0]["required-by"] == [{"name": "spam", "requirement": "eggs", "words": "eggs"}]


def test_why_tells_every_chain(locked: Project, cli: Command) -> None:
    out = cli("why", "eggs").succeeded().out
    assert out == "linux-64: eggs 1.1 (wheel)\n  pypi: spam==1.0\n     └ eggs → 1.1\n  pypi: eggs<2\n"
    (facts,) = cli("why", "zlib1g", "--json").succeeded().json()["linux-64"]
    assert facts["from"] == "Debian"
    assert [(c["section"], c["requirement"]) for c in facts["chains"]] == [
        ("python", "3.11"),
        ("dependencies", "python"),
    ]
    assert all(c["words"] == c["requirement"] for c in facts["chains"])  # its name in 0.1


@pytest.fixture
def several(locked: Project, cli: Command) -> Project:
    """Lock a second environment, without spam and for two platforms."""
    platforms = '{linux-64: {glibc: "2.36"}, linux-aarch64: {glibc: "2.36"}}'
    locked.spec("serve", f'python: "3.11"\nplatforms: {platforms}\ndependencies: [python]\npypi: [eggs ==1.0, ham]\n')
    cli("lock", "serve").succeeded()
    return locked


def test_list_of_several_environments_has_a_column_for_each(several: Project, cli: Command) -> None:
    out = cli("list", "demo", "serve", "--platform", "linux-64").succeeded().out
    rows = [line.split() for line in out.splitlines() if line]
    assert rows[0] == ["name", "from", "demo", "serve"]
    assert {row[0]: tuple(row[2:]) for row in rows} | SEVERAL == {row[0]: tuple(row[2:]) for row in rows}
    facts = cli("list", "demo", "serve", "demo", "--platform", "linux-64", "--json").succeeded().json()
    assert {env: list(found) for env, found in facts.items()} == {"demo": ["linux-64"], "serve": ["linux-64"]}
    assert isinstance(cli("list", "serve", "--json").json()["linux-64"], list)
    stack = cli("list", "serve", "demo", "--platform", "linux-64", "--stack").succeeded().out
    assert stack.split()[:2] == ["serve", "demo"]


SEVERAL = {"spam": ("1.0", "-"), "eggs": ("1.1", "1.0"), "ham": ("-", "1.0")}


def test_a_platform_that_one_of_them_lacks_is_an_error(several: Project, cli: Command) -> None:
    done = cli("list", "serve", "demo", "--platform", "linux-aarch64")
    assert (done.code, done.out) == (1, "")
    assert "demo" in done.err


def test_why_and_tree_of_several_environments(several: Project, cli: Command) -> None:
    why = cli("why", "eggs", "demo", "serve").succeeded().out
    assert [line for line in why.splitlines() if not line.startswith(" ")] == [
        "demo linux-64: eggs 1.1 (wheel)",
        "serve linux-64: eggs 1.0 (wheel)",
        "serve linux-aarch64: eggs 1.0 (wheel)",
    ]
    one = cli("why", "spam", "serve", "demo")
    assert one.out.startswith("demo: spam 1.0 (wheel)\n")
    assert one.err == "`spam` is not locked in `serve`\n"
    assert list(cli("why", "spam", "serve", "demo", "--json").json()) == ["demo"]
    tree = cli("tree", "demo", "serve", "--invert", "ham").succeeded().out
    assert [line for line in tree.splitlines() if line.endswith(":")] == ["serve linux-64:", "serve linux-aarch64:"]
    assert set(cli("tree", "demo", "serve", "--json").json()) == {"demo", "serve"}
    nowhere = cli("why", "nowhere", "demo", "serve")
    assert "`nowhere` is not locked for linux-64, linux-aarch64 of `demo`, `serve`" in nowhere.err
    assert "`envgen list demo serve`" in nowhere.err


def test_unknown_name_has_the_nearest(locked: Project, cli: Command) -> None:
    outcome = cli("why", "egs")
    assert (outcome.code, outcome.out) == (1, "")
    assert "`egs` is not locked for linux-64" in outcome.err
    assert "did you mean `eggs`?" in outcome.err


def test_diff_with_the_last_commit(committed: Project, cli: Command) -> None:
    lines = cli("diff").succeeded().out.splitlines()
    assert lines[0].startswith("demo for linux-64: 1 added, 1 removed, 1 changed; download ")
    assert any(line.startswith("  + ham 1.0 (wheel, +") for line in lines)
    assert any(line.startswith("  - spam 1.0 (wheel, -") for line in lines)
    assert any(line.startswith("  ~ eggs 1.1 -> 1.0 (wheel") for line in lines)
    (difference,) = cli("diff", "--json").succeeded().json()["differences"]
    assert {p["name"]: p["change"] for p in difference["packages"]} == {
        "ham": "added",
        "spam": "removed",
        "eggs": "changed",
    }


def test_diff_as_markdown(committed: Project, cli: Command) -> None:
    out = cli("diff", "main", "--markdown").succeeded().out
    assert out.startswith("### Locks: `main` → `working tree`\n\n**demo** for linux-64: 1 added, 1 removed, 1 changed")
    assert "\n| ~ | **eggs** | wheel | `1.1` | `1.0` |" in out


def test_diff_of_two_revisions_and_a_range(committed: Project, cli: Command) -> None:
    git(committed, "commit", "--quiet", "--all", "--message=two")
    assert cli("diff").succeeded().out == "HEAD and working tree have the same packages\n"
    two = cli("diff", "HEAD~1", "HEAD").succeeded().out
    assert "+ ham" in two
    assert cli("diff", "HEAD~1..HEAD").succeeded().out == two
    assert "- ham" in cli("diff", "HEAD", "HEAD~1").succeeded().out


def test_diff_of_files(committed: Project, cli: Command, tmp_path: Path) -> None:
    old = tmp_path / "old.linux-64.conda-lock.yml"
    old.write_bytes(git(committed, "show", f"HEAD:{LOCK}").encode())
    out = cli("diff", str(old), LOCK).succeeded().out
    assert "+ ham" in out
    assert "zlib1g" in out  # the Debian lock does not lie beside the copy


def test_diff_of_files_of_two_platforms_outside_of_any_project(demo: Project, cli: Command, tmp_path: Path) -> None:
    demo.spec("demo", TWO_PLATFORMS)
    cli("lock").succeeded()
    files = [str(demo.root / f"locks/demo.{platform}.conda-lock.yml") for platform in ("linux-64", "linux-aarch64")]
    out = cli("diff", *files, cwd=tmp_path / "home").succeeded().out
    assert out.startswith("demo for linux-64 against demo for linux-aarch64: ")
    assert "- plated 1.0" in out
    assert cli("diff", files[0], files[0], cwd=tmp_path / "home").succeeded().out == (
        f"{files[0]} and {files[0]} have the same packages\n"
    )
    (difference,) = cli("diff", *files, "--json").succeeded().json()["differences"]
    assert difference["against"] == {"environment": "demo", "platform": "linux-aarch64"}
    assert cli("diff", files[0], cwd=tmp_path / "home").code == 1


def test_diff_with_an_environment(locked: Project, cli: Command) -> None:
    prefix = make(cli)
    assert cli("diff", str(prefix)).succeeded().out == f"{prefix} and working tree have the same packages\n"
    locked.spec("demo", SPEC.replace("spam ==1.0", "spam ==1.1"))
    cli("lock").succeeded()
    assert "~ spam 1.0 -> 1.1 (wheel" in cli("diff", str(prefix)).succeeded().out


def test_diff_outside_of_a_repository(locked: Project, cli: Command) -> None:
    outcome = cli("diff")
    assert outcome.code == 1
    assert "is not in a git repository" in outcome.err


def test_diff_with_a_revision_that_is_not_there(committed: Project, cli: Command) -> None:
    outcome = cli("diff", "mian")
    assert outcome.code == 1
    assert "`mian` is not a file, git revision or environment" in outcome.err
    assert "did you mean `main`?" in outcome.err


def test_diff_with_a_damaged_lock(committed: Project, cli: Command) -> None:
    (committed.root / LOCK).write_text("version: 1\n")
    outcome = cli("diff")
    assert outcome.code == 1
    assert LOCK in outcome.err


def test_licenses_without_a_policy(locked: Project, cli: Command) -> None:
    found = {p["name"]: p for p in cli("licenses", "--json").succeeded().json()}
    assert found["python"]["license"] == "PSF-2.0"
    assert found["python"]["declared"] == found["python"]["words"] != ""  # its name in 0.1
    assert found["spam"]["platforms"] == ["linux-64"]


def test_licenses_name_a_package_of_two_platforms_once(demo: Project, cli: Command) -> None:
    demo.spec("demo", TWO_PLATFORMS)
    cli("lock").succeeded()
    found = [p for p in cli("licenses", "--json").succeeded().json() if p["name"] == "python"]
    assert [p["platforms"] for p in found] == [["linux-64", "linux-aarch64"]]
    lines = cli("licenses").succeeded().out.splitlines()
    assert [line.split()[0] for line in lines if line.lstrip().startswith("python ")] == ["python"]
    assert [line for line in lines if line != line.rstrip()] == []


def test_a_licence_that_is_merely_not_allowed(locked: Project, cli: Command) -> None:
    locked.spec("demo", SPEC + "licenses: {allow: [MIT], packages: {eggs: MIT, spam: MIT}}\n")
    outcome = cli("licenses")
    assert "not allowed" in outcome.out
    assert "- python 3.11.2: PSF-2.0, not allowed" in outcome.err
    assert "denied" not in outcome.out + outcome.err


def test_license_policy(locked: Project, cli: Command) -> None:
    policy = "licenses: {allow: [PSF-2.0, MIT], packages: {eggs: MIT}}\n"
    locked.spec("demo", SPEC + policy)
    outcome = cli("licenses")
    assert outcome.code == 1
    assert "1 package not accepted by the spec's `licenses`:\n  - spam 1.0: unknown licence" in outcome.err
    assert "spam 1.0: unknown" in outcome.err
    locked.spec("demo", SPEC + policy.replace("eggs: MIT", "eggs: MIT, spam: MIT"))
    cli("licenses").succeeded()
    cli("lock", "--check").succeeded()


def test_bad_policy_names_the_line(demo: Project, cli: Command) -> None:
    demo.spec("demo", SPEC + "licenses:\n  alow: [MIT]\n  deny: [MTI]\n")
    outcome = cli("licenses")
    assert outcome.code == 1
    assert "demo.yaml:7: unknown key `licenses.alow` (did you mean `allow`?)" in outcome.err
    assert "demo.yaml:8" in outcome.err


HEAVY = ("conda_lock", "jinja2", "pypi_simple", "rattler", "rich", "urllib3", "envgen.solve", "envgen.convert")
"""Imports that together take longer than all the rest of a verb that only reads."""

LIGHT = {"envgen.convert", "envgen.convert.wheel_key"}
"""Of the converter, what names a package and imports nothing heavy."""


@pytest.mark.parametrize("verb", ["tree", "why eggs", "diff HEAD", "list --json"])
def test_reading_loads_nothing_heavy(verb: str, committed: Project, cli: Command) -> None:
    outcome = cli.process(*verb.split(), PYTHONPROFILEIMPORTTIME="1").succeeded()
    loaded = {line.rpartition("|")[2].strip() for line in outcome.err.splitlines() if line.startswith("import time:")}
    assert {name for name in loaded if name.startswith(HEAVY)} - LIGHT == set()


def test_diff_with_a_revision_that_a_shallow_clone_lacks(committed: Project, cli: Command, tmp_path: Path) -> None:
    git(committed, "commit", "--quiet", "--allow-empty", "--message=two")
    git(committed, "branch", "topic")
    clone = tmp_path / "clone"
    git(committed, "clone", "--quiet", "--depth=1", f"file://{committed.root}", str(clone))
    for revision in ("HEAD~1", "origin/topic"):
        done = cli("diff", revision, cwd=clone)
        assert done.code == 1
        assert f"`{revision}` is not a file, git revision or environment in this shallow clone" in done.err
    command = re.findall("`(git fetch .*)`", done.err)[0]
    subprocess.run(shlex.split(command), cwd=clone, check=True, capture_output=True)
    for revision in ("HEAD~1", "origin/topic"):
        cli("diff", revision, cwd=clone).succeeded()


def test_diff_before_the_first_commit(locked: Project, cli: Command) -> None:
    git(locked, "init", "--quiet")
    done = cli("diff")
    assert (done.code, "has no commit\nhint: commit the locks" in done.err) == (1, True)
