"""Projects of the repository for work: linked instead of installed, or pinned with their files."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.builders.sdists import make_sdist, unpack_sdist

if TYPE_CHECKING:
    from tests.command import Command, Outcome, Project

SPEC = """\
python: "3.11"
platforms: {linux-64: {glibc: "2.36"}}
dependencies: [python]
pypi: [./libs/mylib]
"""
_HOOK = """
def build_editable(folder, config_settings=None, metadata_directory=None):
    global FILES
    pathlib.Path("mylib.pth").write_text(os.path.join(os.getcwd(), "lib") + chr(10))
    FILES = ["mylib.pth"]
    return build_wheel(folder)
"""


@pytest.fixture(autouse=True)
def _spec(project: Project) -> None:
    project.spec("demo", SPEC)


def write(project: Project, code: str = "x = 1\n", *, before: str = "", tag: str = "py3-none-any") -> None:
    table = '[project]\nname = "mylib"\nversion = "1.0"\n'
    archive = make_sdist("mylib", files={"mylib.py": code}, project=table, before=before, tag=tag)
    unpack_sdist(archive, project.root / "libs/mylib")


def says(cli: Command, code: str = "import mylib; print(mylib.x)") -> str:
    return cli.process("run", "--", "python", "-c", code).succeeded().out.strip()


def said(outcome: Outcome) -> str:
    return " ".join((outcome.out + outcome.err).split())


def test_a_linked_project_runs_the_code_that_is_there(project: Project, cli: Command) -> None:
    write(project)
    cli("lock").succeeded()
    before = project.locks()
    told = "`mylib` is linked to `./libs/mylib`; `envgen create` without `--editable` installs it"
    assert told in said(cli("create", "--editable", "mylib").succeeded())
    assert says(cli) == "1"
    write(project, "x = 22\n")  # of another size: bytecode is taken for current within one second
    assert says(cli) == "22"
    again = said(cli("create", "--editable", "mylib").succeeded())
    assert told in again
    assert "up to date, nothing to do" in again
    info = 'from importlib.metadata import distribution as d; print(d("mylib").read_text("direct_url.json"))'
    folder = project.root / "libs/mylib"
    assert json.loads(says(cli, info)) == {"url": folder.as_uri(), "dir_info": {"editable": True}}
    plain = said(cli("create").succeeded())
    assert "`mylib` is installed again: it was linked to `./libs/mylib`" in plain
    write(project, "x = 333\n")
    assert says(cli) == "22"
    assert "installed again" not in said(cli("create").succeeded())
    assert project.locks() == before


def test_the_backend_says_where_modules_are(project: Project, cli: Command) -> None:
    write(project, before=_HOOK)
    project.write("libs/mylib/lib/mylib.py", "x = 5\n")
    cli("lock").succeeded()
    cli("create", "--editable", "mylib").succeeded()
    assert says(cli) == "5"


def test_what_cannot_be_linked_is_refused(project: Project, cli: Command) -> None:
    write(project, tag="cp311-cp311-linux_x86_64")
    cli("lock").succeeded()
    outcome = cli("create", "--editable", "mylib")
    assert outcome.code == 1
    assert "has compiled code" in outcome.err
    outcome = cli("create", "--editable", "mylob")
    assert outcome.code == 1
    assert "expected a local project of the environment; those of this environment are `mylib`" in outcome.err


def test_pinned_files_make_a_lock_stale(project: Project, cli: Command) -> None:
    write(project)
    cli("lock").succeeded()
    usual = project.locks()
    cli("lock", "--pin-local").succeeded()
    pinned = project.locks()
    assert b"local-digest" in pinned["demo.linux-64.conda-lock.yml"]
    cli("create").succeeded()
    write(project, "x = 2\n")
    what = "`./libs/mylib` has other files than were locked with `--pin-local`"
    outcome = cli("lock", "--check")
    assert outcome.code == 1
    assert what in said(outcome)
    assert what in said(cli("create"))
    outcome = cli("create", "--frozen")
    assert outcome.code == 5
    assert what in outcome.err
    cli("lock").succeeded()
    assert b"local-digest" in project.locks()["demo.linux-64.conda-lock.yml"], "it stays pinned"
    assert project.locks() != pinned
    cli("create").succeeded()
    assert says(cli) == "2"
    cli("lock", "--no-pin-local").succeeded()
    assert project.locks() == usual


def test_a_linked_project_may_have_other_files_than_are_pinned(project: Project, cli: Command) -> None:
    write(project)
    cli("lock", "--pin-local").succeeded()
    before = project.locks()
    cli("create", "--editable", "mylib").succeeded()
    write(project, "x = 2\n")
    assert says(cli) == "2"
    assert "up to date, nothing to do" in said(cli("create", "--editable", "mylib").succeeded())
    outcome = cli("create")
    assert outcome.code == 1
    assert "`./libs/mylib` has other files than were locked with `--pin-local`" in said(outcome)
    assert says(cli) == "2", "the environment stays as it was"
    write(project)
    assert "`mylib` is installed again" in said(cli("create").succeeded())
    assert says(cli) == "1"
    table = (project.root / "libs/mylib/pyproject.toml").read_text()
    project.write(
        "libs/mylib/pyproject.toml", table.replace('version = "1.0"', 'version = "1.0"\ndependencies = ["eggs"]')
    )
    outcome = cli("create", "--editable", "mylib")
    assert outcome.code == 1
    assert "`./libs/mylib` declares other metadata than was locked" in said(outcome)
    assert project.locks() == before


_SCM = """
VERSION = os.environ.get("SETUPTOOLS_SCM_PRETEND_VERSION")
if not VERSION:
    raise LookupError("setuptools-scm was unable to detect version for " + os.getcwd())
INFO = f"mylib-{VERSION}.dist-info"
"""


def test_a_version_of_the_history_is_written_in_the_spec(project: Project, cli: Command) -> None:
    table = '[project]\nname = "mylib"\ndynamic = ["version"]\n'
    later = "exec(" + repr(_SCM) + ", globals())"
    archive = make_sdist("mylib", files={"mylib.py": "x = 1\n"}, project=table, on_metadata=later, on_wheel=later)
    unpack_sdist(archive, project.root / "libs/mylib")
    outcome = cli("lock")
    assert outcome.code == 1
    entry = 'builds: {mylib: {variables: {SETUPTOOLS_SCM_PRETEND_VERSION: "1.0"}}}'
    assert f"hint: builds have no history of git: write the version into the spec, as in `{entry}`" in outcome.err
    project.spec("demo", f"{SPEC}{entry}\n")
    cli("lock").succeeded()
    assert b"version: '1.0'" in project.locks()["demo.linux-64.conda-lock.yml"]
    project.spec("demo", f"{SPEC}{entry.replace('1.0', '1.1')}\n")
    cli("lock").succeeded()
    assert b"version: '1.1'" in project.locks()["demo.linux-64.conda-lock.yml"]
