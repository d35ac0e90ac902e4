"""Requirements that say where a package is: files by address, git, and projects of the repository."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.builders.sdists import make_sdist, unpack_sdist
from tests.builders.server import serve
from tests.builders.system import base_debs
from tests.builders.wheels import make_wheel, wheel_filename

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

    from tests.builders.registries import Registries
    from tests.builders.server import Server
    from tests.command import Command, Project

SPEC = """\
python: "3.11"
platforms: {{linux-64: {{glibc: "2.36"}}}}
dependencies: [python]
pypi: ["{pypi}"]
"""

pytestmark = pytest.mark.usefixtures("registries")


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """Make a folder that is served over HTTP."""
    (tmp_path / "shelf").mkdir()
    return tmp_path / "shelf"


@pytest.fixture
def server(shelf: Path) -> Iterator[Server]:
    with serve(shelf) as found:
        yield found


class Repository:
    """A git repository that is served as plain files."""

    def __init__(self, shelf: Path, tmp_path: Path) -> None:
        self.folder = tmp_path / "work"
        self.folder.mkdir()
        self.bare = shelf / "made.git"
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments: str) -> str:
        who = {f"GIT_{role}_{key}": "x@y" for role in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")}
        fixed = {"GIT_AUTHOR_DATE": "2026-01-01T00:00:00Z", "GIT_COMMITTER_DATE": "2026-01-01T00:00:00Z"}
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder), **who, **fixed}
        done = subprocess.run(
            ["git", *arguments], cwd=self.folder, env=environment, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def commit(self, archive: bytes, *, folder: str = "", tag: str = "") -> str:
        """Commit the files of a source archive, and publish; return the commit."""
        unpack_sdist(archive, self.folder / folder)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message=x")
        if tag:
            self.git("tag", "--annotate", "--message=x", tag)
        self.publish()
        return self.git("rev-parse", "HEAD")

    def publish(self) -> None:
        """Write what a server of plain files needs."""
        self.git("init", "--quiet", "--bare", "--initial-branch=main", str(self.bare))
        self.git("push", "--quiet", "--force", "--mirror", str(self.bare))
        self.git("--git-dir", str(self.bare), "update-server-info")


@pytest.fixture
def repository(shelf: Path, tmp_path: Path) -> Repository:
    return Repository(shelf, tmp_path)


def entry(project: Project, name: str) -> dict[str, Any]:
    """Read the entry of a package in the lock."""
    document = yaml.safe_load(project.locks()["demo.linux-64.conda-lock.yml"])
    found: dict[str, Any] = next(one for one in document["package"] if one["name"] == name)
    return found


def facts(project: Project, name: str) -> dict[str, Any]:
    document = yaml.safe_load(project.locks()["demo.linux-64.conda-lock.yml"])
    found: dict[str, Any] = json.loads(document["metadata"]["custom_metadata"][f"envgen.build.{name}"])
    return found


def says(cli: Command, code: str) -> str:
    return cli.process("run", "--", "python", "-c", code).succeeded().out.strip()


def test_a_branch_is_pinned_to_its_commit(
    project: Project, server: Server, repository: Repository, cli: Command
) -> None:
    first = repository.commit(make_sdist("made", files={"made.py": "x = 1\n"}, requires=["eggs <2"]))
    project.spec("demo", SPEC.format(pypi=f"made @ git+{server.url}/made.git@main"))
    cli("lock").succeeded()
    locked = entry(project, "made")
    assert locked["url"] == f"git+{server.url}/made.git@{first}"
    assert facts(project, "made")["git"] == {
        "reference": "main",
        "tree": repository.git("rev-parse", "HEAD^{tree}"),
    }
    assert locked["dependencies"] == {"eggs": "<2"}
    before = project.locks()
    second = repository.commit(make_sdist("made", files={"made.py": "x = 2\n"}))
    cli("lock").succeeded()
    assert project.locks() == before
    cli("lock", "--check").succeeded()
    shutil.rmtree(cli.variables["ENVGEN_CACHE"])
    cli("create").succeeded()
    assert says(cli, "import made; print(made.x)") == "1"
    cli("lock", "--upgrade", "made").succeeded()
    assert entry(project, "made")["url"].endswith(second)
    cli("create").succeeded()
    assert says(cli, "import made; print(made.x)") == "2"


def test_a_tag_and_a_folder_of_a_repository(
    project: Project, server: Server, repository: Repository, cli: Command
) -> None:
    commit = repository.commit(make_sdist("made"), folder="python/made", tag="v1.0")
    repository.commit(make_sdist("made", "2.0"), folder="python/made")
    project.spec("demo", SPEC.format(pypi=f"made @ git+{server.url}/made.git@v1.0#subdirectory=python/made"))
    cli("lock").succeeded()
    assert entry(project, "made")["version"] == "1.0"
    assert entry(project, "made")["url"] == f"git+{server.url}/made.git@{commit}#subdirectory=python/made"
    project.spec("demo", SPEC.format(pypi=f"made @ git+{server.url}/made.git@{commit[:9]}#subdirectory=python/made"))
    outcome = cli("lock", "--check")
    assert "locked from" in outcome.out + outcome.err
    cli("lock").succeeded()
    assert entry(project, "made")["version"] == "1.0"


def test_what_git_does_not_have_is_told(project: Project, server: Server, repository: Repository, cli: Command) -> None:
    commit = repository.commit(make_sdist("made"))
    project.spec("demo", SPEC.format(pypi=f"made @ git+{server.url}/made.git@maim"))
    outcome = cli("lock")
    assert outcome.code == 1
    assert f"`{server.url}/made.git` has no tag, branch or commit `maim`" in outcome.err
    assert "did you mean `main`?" in outcome.err
    project.spec("demo", SPEC.format(pypi=f"made @ git+{server.url}/other.git"))
    outcome = cli("lock")
    assert outcome.code == 4
    assert f"`{server.url}/other.git` cannot be fetched: fatal:" in outcome.err
    project.spec("demo", SPEC.format(pypi=f"other @ git+{server.url}/made.git"))
    outcome = cli("lock")
    assert outcome.code == 5
    assert "is the project `made`, expected `other`" in outcome.err
    assert project.locks() == {}
    project.spec("demo", SPEC.format(pypi=f"made @ git+{server.url}/made.git"))
    cli("lock").succeeded()
    repository.git("commit", "--quiet", "--amend", "--allow-empty", "--message=y")
    shutil.rmtree(cli.variables["ENVGEN_CACHE"])
    shutil.rmtree(repository.bare)
    repository.publish()
    outcome = cli("create")
    assert outcome.code == 4
    assert f"does not have commit {commit} any more" in outcome.err


def test_an_archive_and_a_wheel_by_address(project: Project, server: Server, shelf: Path, cli: Command) -> None:
    (shelf / "v1.tar.gz").write_bytes(make_sdist("made", requires=["eggs <2"]))
    wheel = wheel_filename("ready")
    (shelf / wheel).write_bytes(make_wheel("ready", files={"ready.py": "x = 1\n"}, requires=["eggs"]))
    spec = SPEC.format(pypi=f"made @ {server.url}/v1.tar.gz") + f'  - "ready @ {server.url}/{wheel}"\n'
    project.spec("demo", spec.replace('pypi: ["', 'pypi:\n  - "').replace('"]\n', '"\n'))
    cli("lock").succeeded()
    assert entry(project, "made")["url"] == f"{server.url}/v1.tar.gz"
    assert entry(project, "ready")["url"] == f"{server.url}/{wheel}"
    before = project.locks()
    cli("lock").succeeded()
    assert project.locks() == before
    shutil.rmtree(cli.variables["ENVGEN_CACHE"])
    cli("create").succeeded()
    assert says(cli, "import made, ready, eggs; print(ready.x)") == "1"
    (shelf / wheel).write_bytes(make_wheel("ready", files={"ready.py": "x = 2\n"}))
    shutil.rmtree(cli.variables["ENVGEN_CACHE"])
    shutil.rmtree(cli.variables["CONDA_ENVS_PATH"])
    assert cli("create").code == 5
    assert f"{server.url}/{wheel}" in cli("export", "requirements").succeeded().out


@pytest.mark.parametrize(
    ("reference", "code", "what"),
    [
        ("made @ {url}/v1.tar.gz#sha256=" + 64 * "0", 5, "expected " + 64 * "0"),
        ("made @ {url}/none.tar.gz", 4, "none.tar.gz"),
        ("other @ {url}/v1.tar.gz", 5, "is the project `made`, expected `other`"),
        ("made @ {url}/page.html", 1, "expected a wheel or a source archive, got 'page.html'"),
        ("made @ file:///opt/made", 1, "got the absolute path '/opt/made'"),
        ("made @ hg+https://host.test/made", 1, "expected `https://…`"),
        ("made @ git+file:///opt/made.git@v1", 1, "a repository on this machine's disk does not exist elsewhere"),
        ("made @ git+git@host.test:team/made.git", 1, "got the short form of an ssh address"),
        ("made @ {url}/v1.tar.gz#egg=other", 1, "`#egg=other` has another name"),
        ("made @ git+https://me:secret@host.test/made", 1, "it contains credentials in a URL"),
        ("./libs/none", 1, "`./libs/none` is not a Python project"),
        ("made @ {url}/ready-1.0-py3-none-any.whl", 5, "expected a wheel of `made`"),
    ],
)
def test_bad_references(  # noqa: PLR0917  everything that a person may write by mistake
    reference: str, code: int, what: str, project: Project, server: Server, shelf: Path, cli: Command
) -> None:
    (shelf / "v1.tar.gz").write_bytes(make_sdist("made"))
    (shelf / wheel_filename("ready")).write_bytes(make_wheel("ready", files={"ready.py": ""}))
    project.spec("demo", SPEC.format(pypi=reference.format(url=server.url)))
    outcome = cli("lock")
    assert outcome.code == code, outcome.err
    assert what in outcome.err
    assert "secret" not in outcome.err
    assert project.locks() == {}


def local(project: Project, content: str = "x = 1\n", requires: str = "eggs <2") -> None:
    table = f'[project]\nname = "mylib"\nversion = "1.0"\ndependencies = ["{requires}"]\n'
    archive = make_sdist("mylib", files={"mylib.py": content}, requires=[requires], project=table)
    unpack_sdist(archive, project.root / "libs/mylib")


def test_code_of_a_project_changes_nothing_in_the_lock(project: Project, cli: Command) -> None:
    local(project)
    project.spec("demo", SPEC.format(pypi="./libs/mylib"))
    cli("lock").succeeded()
    assert entry(project, "mylib")["url"] == "./libs/mylib"
    assert entry(project, "mylib")["dependencies"] == {"eggs": "<2"}
    cli("create").succeeded()
    assert says(cli, "import mylib; print(mylib.x)") == "1"
    before = project.locks()
    local(project, "x = 2\n")
    cli("lock", "--check").succeeded()
    cli("lock").succeeded()
    assert project.locks() == before
    assert "running the build of `mylib` 1.0 from `./libs/mylib`" in cli("create").succeeded().err
    assert says(cli, "import mylib; print(mylib.x)") == "2"
    assert "up to date, nothing to do" in cli("create").succeeded().err
    local(project, "x = 1\n")
    assert "running the build" not in cli("create").succeeded().err, "it was built before"
    assert says(cli, "import mylib; print(mylib.x)") == "1"


def test_requirements_of_a_project_make_the_lock_stale_without_a_build(project: Project, cli: Command) -> None:
    local(project)
    project.spec("demo", SPEC.format(pypi="./libs/mylib"))
    cli("lock").succeeded()
    local(project, requires="eggs <1.1")
    outcome = cli("lock", "--check")
    assert outcome.code == 1
    assert "`./libs/mylib` declares other metadata than was locked" in outcome.out + outcome.err
    assert "running" not in outcome.err
    assert cli("create").code == 1
    cli("lock").succeeded()
    assert entry(project, "eggs")["version"] == "1.0"
    cli("lock", "--check").succeeded()


def test_which_files_are_a_projects(project: Project, cli: Command) -> None:
    local(project)
    project.spec("demo", SPEC.format(pypi="./libs/mylib"))
    cli("lock").succeeded()
    cli("create").succeeded()
    folder = project.root / "libs/mylib"
    for path in (".hidden", "__pycache__/a.pyc", "build/lib/a.py", "dist/a.whl", "mylib.egg-info/PKG-INFO"):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text("x")
    assert "up to date, nothing to do" in cli("create").succeeded().err
    (folder / "new.py").write_text("x")
    assert "1 to build" in cli("create").succeeded().err
    subprocess.run(["git", "init", "--quiet"], cwd=project.root, check=True)
    subprocess.run(["git", "add", "libs/mylib/*.py", "libs/mylib/pyproject.toml"], cwd=project.root, check=True)
    cli("create").succeeded()
    (folder / "untracked.py").write_text("x")
    assert "up to date, nothing to do" in cli("create").succeeded().err


def test_the_folder_must_be_called_like_the_project(project: Project, cli: Command) -> None:
    local(project)
    (project.root / "libs/mylib").rename(project.root / "libs/other")
    project.spec("demo", SPEC.format(pypi="./libs/other"))
    outcome = cli("lock")
    assert outcome.code == 5
    assert "has the metadata of `mylib` 1.0" in outcome.err
    project.spec("demo", SPEC.format(pypi="mylib @ ./libs/other"))
    cli("lock").succeeded()


def test_an_image_refuses_what_is_not_committed(project: Project, registries: Registries, cli: Command) -> None:
    registries.debian.add(*base_debs("amd64"))
    registries.publish()
    local(project)
    project.spec("demo", SPEC.format(pypi="./libs/mylib") + "image: {base: {suites: [bookworm, bookworm-security]}}\n")
    cli("lock").succeeded()
    who = ["-c", "user.name=x", "-c", "user.email=x@y"]
    for arguments in (["init", "--quiet"], ["add", "libs"], [*who, "commit", "--quiet", "--message=x"]):
        subprocess.run(["git", *arguments], cwd=project.root, check=True)
    local(project, "x = 2\n")
    outcome = cli("image", "--no-check")
    assert outcome.code == 1
    assert "`./libs/mylib` has uncommitted changes: `libs/mylib/mylib.py`" in outcome.err
    cli("image", "--no-check", "--dirty").succeeded()
    layout = project.root / "dist/demo.oci"
    index = json.loads((layout / "index.json").read_text())
    texts = [path.read_bytes() for path in (layout / "blobs/sha256").iterdir() if path.stat().st_size < 20_000]
    assert index
    assert any(b'"envgen.project.mylib":"sha256:' in text.replace(b'": "', b'":"') for text in texts)


def test_a_file_that_is_not_there(project: Project, cli: Command) -> None:
    project.spec("demo", SPEC.format(pypi="made @ file:./none-1.0.tar.gz"))
    outcome = cli("lock")
    assert outcome.code == 1
    assert "`made`: the file `./none-1.0.tar.gz` does not exist" in outcome.err


def test_an_address_of_a_project_that_an_index_lists(
    project: Project, server: Server, repository: Repository, shelf: Path, cli: Command
) -> None:
    repository.commit(make_sdist("made"))
    (shelf / wheel_filename("ready")).write_bytes(make_wheel("ready", files={"ready.py": ""}))
    addresses = f"made @ git+{server.url}/made.git", f"ready @ {server.url}/{wheel_filename('ready')}"
    indexes = f'indexes: {{team: {{url: "{server.url}/simple", projects: ["made*", "ready"]}}}}\n'
    project.spec("demo", SPEC.format(pypi='", "'.join(addresses)) + indexes)
    cli("lock").succeeded()
    assert entry(project, "ready")["url"] == f"{server.url}/{wheel_filename('ready')}"
    cli("lock", "--check").succeeded()
    cli("create").succeeded()
    assert says(cli, "import made, ready; print('there')") == "there"


def test_pointers_of_git_lfs_are_told(project: Project, server: Server, repository: Repository, cli: Command) -> None:
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{64 * '0'}\nsize 12345\n"
    repository.commit(make_sdist("made", files={"made.py": "", "data.bin": pointer}))
    project.spec("demo", SPEC.format(pypi=f"made @ git+{server.url}/made.git"))
    what = "has Git LFS pointers instead of files: `data.bin`; install git-lfs"
    assert what in " ".join(cli("lock").succeeded().err.split())
    assert what not in " ".join(cli("create").succeeded().err.split()), "the wheel is there"
    assert what in " ".join(cli("lock", "--upgrade", "made").succeeded().err.split()), "it is built again"
