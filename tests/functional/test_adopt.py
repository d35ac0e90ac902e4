"""`envgen init --from FILE`: from the files of other tools to locks."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from envgen.manifest.select import select

if TYPE_CHECKING:
    from tests.builders.registries import Registries
    from tests.command import Command, Project

FILES = Path(__file__).parent.parent / "unit/adopt/files"
UV_LOCK = """\
version = 1
requires-python = ">=3.11"
[[package]]
name = "app"
version = "0.1.0"
source = { virtual = "." }
[package.metadata]
requires-dist = [{ name = "spam" }, { name = "ham", extras = ["bacon"] }]
[[package]]
name = "spam"
version = "1.0"
[[package]]
name = "eggs"
version = "1.1"
[[package]]
name = "bacon"
version = "0.9"
[[package]]
name = "unused"
version = "1.0"
"""
TO_LINUX = ("--platform", "linux-64")


@pytest.fixture
def bare(project: Project, cli: Command, registries: Registries) -> Project:
    """Make a project without a spec."""
    return project


def test_a_requirements_file(bare: Project, cli: Command) -> None:
    bare.write("base/more.in", "-e ../lib/x\nham\n")
    bare.write("base/requirements.in", "-r more.in\n-c limits.txt\nspam\n--find-links x\n")
    bare.write("base/limits.txt", "eggs <2\n")
    outcome = cli("init", "web", "--from", "base/requirements.in", *TO_LINUX).succeeded()
    assert "requirements.in:4 --find-links x left out" in " ".join(outcome.out.split())
    assert "wrote environments/web.yaml" in outcome.err
    spec = yaml.safe_load((bare.root / "environments/web.yaml").read_text())
    assert spec["pypi"] == ["pip", "./lib/x", "ham", "spam"]
    assert spec["constraints"] == ["eggs <2"]


def test_versions_of_a_lock_are_kept(bare: Project, cli: Command) -> None:
    bare.write("uv.lock", UV_LOCK)
    answer = cli("init", "--from", "uv.lock", "--keep", "--json", *TO_LINUX).succeeded().json()
    assert answer["spec"] == "environments/app.yaml"
    lock = yaml.safe_load(bare.locks()["app.linux-64.conda-lock.yml"])
    locked = {one["name"]: one["version"] for one in lock["package"]}
    assert (locked["spam"], locked["eggs"], locked["bacon"]) == ("1.0", "1.1", "1.0")
    assert answer["kept"] == 2
    assert [(one["name"], one["was"], one["now"]) for one in answer["moved"]] == [
        ("bacon", "0.9", "1.0"),  # the index no longer has 0.9
        ("unused", "1.0", None),
    ]
    cli("lock", "--check").succeeded()
    before = bare.locks()
    cli("lock", "--refresh").succeeded()
    assert bare.locks() == before


def test_without_keep_the_newest_is_locked(bare: Project, cli: Command) -> None:
    bare.write("uv.lock", UV_LOCK)
    assert "`--keep` keeps them" in cli("init", "--from", "uv.lock", *TO_LINUX).succeeded().err
    assert bare.locks() == {}


def test_the_lock_beside_a_project(bare: Project, cli: Command) -> None:
    bare.write("pyproject.toml", '[project]\nname = "app"\ndependencies = ["spam"]\n')
    bare.write("uv.lock", UV_LOCK)
    outcome = cli("init", "--from", "pyproject.toml", "--keep", *TO_LINUX).succeeded()
    assert "the lock beside the file" in outcome.out
    assert "2 locked versions of the file are kept" in outcome.err


def test_the_lock_of_pip_compile(bare: Project, cli: Command) -> None:
    bare.write("dev.in", "spam\nham\n")
    bare.write(
        "dev.txt",
        "eggs==1.1  # via spam\nspam == 1.0 ; os_name != 'x'\nham==2.0 ; os_name == 'x'\nham==3 ; os_name == 'y'\n",
    )
    answer = cli("init", "web", "--from", "dev.in", "--keep", "--json", *TO_LINUX).succeeded().json()
    assert (answer["kept"], answer["moved"]) == (2, [])
    locked = {one["name"]: one["version"] for one in cli("list", "web", "--json").succeeded().json()["linux-64"]}
    assert (locked["spam"], locked["eggs"]) == ("1.0", "1.1")


def test_the_lock_of_pixi_beside_a_project(bare: Project, cli: Command) -> None:
    bare.write("pyproject.toml", '[project]\nname = "app"\ndependencies = ["spam"]\n[tool.pixi.workspace]\n')
    wheel = "https://files.example.org/spam-1.0-py3-none-any.whl"
    packages = f"environments: {{default: {{channels: [], packages: {{linux-64: [pypi: {wheel}]}}}}}}\n"
    bare.write("pixi.lock", f"version: 6\n{packages}packages: [{{pypi: {wheel}, name: spam, version: '1.0'}}]\n")
    outcome = cli("init", "--from", "pyproject.toml", "--keep", *TO_LINUX).succeeded()
    assert "1 locked version of the file is kept" in outcome.err


def test_a_lock_beside_that_is_not_taken_is_named(bare: Project, cli: Command) -> None:
    bare.write("pyproject.toml", '[project]\nname = "app"\ndependencies = ["spam"]\n')
    bare.write("poetry.lock", "")
    outcome = cli("init", "--from", "pyproject.toml", "--keep", *TO_LINUX).succeeded()
    assert "poetry.lock" in outcome.out
    assert "there is no reader: export it as `requirements.txt`" in " ".join(outcome.out.split())
    assert "there is no lock in the file or beside it" in outcome.err
    bare.write("uv.lock", UV_LOCK)
    outcome = cli("init", "other", "--from", "pyproject.toml", *TO_LINUX).succeeded()
    assert "`--keep` keeps them in the first lock" in " ".join(outcome.out.split())


@pytest.mark.parametrize("case", sorted(path.name for path in FILES.iterdir() if path.name != "poetry"))
def test_every_file_becomes_a_spec(case: str, bare: Project, cli: Command) -> None:
    shutil.copytree(FILES / case, bare.root / "old")
    listed = sorted(path for path in (FILES / case).iterdir() if path.is_file())
    file = next(path for path in listed if path.suffix != ".txt" or "req" in path.name)
    outcome = cli("init", "mine", "--from", f"old/{file.name}", *TO_LINUX).succeeded()
    assert "becomes" in outcome.out
    assert select(bare.root, "mine").name == "mine"
    assert "`environments/mine.yaml` already exists" in cli("init", "mine", "--from", f"old/{file.name}").err


@pytest.mark.parametrize(
    ("text", "arguments", "says", "code"),
    [
        ("a==1\na==2\n", [], "`a==2` contradicts `a==1`", 1),
        ("-r gone.txt\n", [], "gone.txt: failed to read the file: No such file or directory", 1),
        ("spam ==99\n", ["--keep"], "there is no such version of `spam`", 3),
        ("spam\n", ["--group", "dev"], "`requirements.txt` has no groups", 1),
        ("spam\n", ["--python", "3"], "3", 1),
        ("spam ; os_name == 'x'\nspam ; os_name\n", [], "", 0),
    ],
)
def test_what_is_bad_writes_nothing(
    text: str, arguments: list[str], says: str, *, code: int, bare: Project, cli: Command
) -> None:
    bare.write("requirements.txt", text)
    outcome = cli("init", "mine", "--from", "requirements.txt", *arguments, *TO_LINUX)
    assert (outcome.code, says in outcome.err) == (code, True), outcome.err
    assert len(list(bare.root.glob("environments/*"))) == (not code)
    assert bare.locks() == {}


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("pyproject.toml", (FILES / "poetry/pyproject.toml").read_text(), "was left out: a table of Poetry alone"),
        ("requirements.txt", "", "requirements.txt: it asks for no Python, no channel and no package"),
        ("notes.txt", "hello, world\n", "`hello, world` was left out: "),
        ("uv.lock", "version = 1\n", "it asks for no Python, no channel and no package"),
        ("uv.lock", "version = 2\n[[package]]\nname = 'a'\n", "uv.lock: version: expected 1, got 2"),
        ("uv.lock", "version = 1\n[[package]]\nname = []\n", "uv.lock: package[0].name: expected text, got list"),
        ("pylock.toml", "lock-version = '1.0'\n[[packages]]\nname = 'a'\n", "it has neither a version nor a source"),
    ],
)
def test_a_file_that_asks_for_nothing(bare: Project, cli: Command, name: str, text: str, says: str) -> None:
    bare.write(name, text)
    outcome = cli("init", "e", "--from", name, *TO_LINUX)
    assert outcome.code == 1
    assert says in outcome.err
    assert not (bare.root / "environments/e.yaml").exists()


def test_a_file_that_is_not_there(bare: Project, cli: Command) -> None:
    outcome = cli("init", "--from", "nowhere.txt")
    assert "nowhere.txt: failed to read the file" in outcome.err
    assert cli("init", "--keep").code == 2
    (bare.root / "requirements.txt").write_bytes(b"\xff\xfe")
    assert "not UTF-8 text" in cli("init", "--from", "requirements.txt").err


def test_variables_become_env(bare: Project, cli: Command) -> None:
    bare.write(
        "environment.yml",
        "name: web\ndependencies: [pip: [spam]]\nvariables: {OMP_NUM_THREADS: 4, COST: $5, PATH: x}\n",
    )
    outcome = cli("init", "--from", "environment.yml", "--json", *TO_LINUX).succeeded()
    spec = select(bare.root, "web")
    assert spec.env == {"OMP_NUM_THREADS": "4", "COST": "$$5"}
    left = [line["where"] for line in outcome.json()["lines"] if line["fate"] == "left out"]
    assert left == ["environment.yml: variables.PATH"]


def test_a_schema_beside_what_is_taken_over(bare: Project, cli: Command) -> None:
    bare.write("requirements.txt", "spam\n")
    outcome = cli("init", "web", "--from", "requirements.txt", "--schema", "--keep", *TO_LINUX).succeeded()
    assert "wrote environments/schema.json" in outcome.err
    text = (bare.root / "environments/web.yaml").read_text()
    assert text.startswith("# yaml-language-server: $schema=schema.json\n# Taken over from `requirements.txt`.\n")
    assert (bare.root / "environments/schema.json").read_text() == cli("schema").succeeded().out
