"""What envgen is given by others: an index's odd fields, a netrc file, a user without a home."""

from __future__ import annotations

import base64
import pwd
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.builders.server import Faults
from tests.builders.wheels import make_wheel, wheel_filename

if TYPE_CHECKING:
    from pathlib import Path

    from tests.builders.registries import Registries
    from tests.command import Command, Project

SPEC = """\
python: "3.11"
platforms: {linux-64: {glibc: "2.36"}}
dependencies: [python]
pypi: [odd]
"""
ODD = wheel_filename("odd", "1.0")


def offer(registries: Registries, **facts: Any) -> bytes:
    """Offer a wheel that has to be read by ranges, since the index has no METADATA of it."""
    wheel = make_wheel("odd", "1.0", files={"odd.py": "x = 1\n"})
    registries.index.add(ODD, wheel, metadata="absent", facts=facts)
    registries.publish()
    return wheel


@pytest.mark.parametrize("size", [0, -1, 1, 10**9, 10**30, "text", 3.5, None, [], {}])
def test_a_wrong_size_does_no_harm(size: object, project: Project, registries: Registries, cli: Command) -> None:
    offer(registries, size=size)
    project.spec("demo", SPEC)
    cli("lock").succeeded()
    cli("create").succeeded()
    cli.process("run", "--", "python", "-c", "import odd").succeeded()


@pytest.mark.parametrize("off", [-7, 7])
def test_a_size_that_is_slightly_off_does_no_harm(
    off: int, project: Project, registries: Registries, cli: Command
) -> None:
    offer(registries, size=len(offer(registries)) + off)
    project.spec("demo", SPEC)
    cli("lock").succeeded()
    cli("create").succeeded()


@pytest.mark.parametrize(
    "facts",
    [
        {"requires-python": 3},
        {"yanked": None},
        {"upload-time": 7},
        {"core-metadata": 7},
        {"core-metadata": {"a": None}},
    ],
)
def test_fields_of_another_type_do_no_harm(
    facts: dict[str, Any], project: Project, registries: Registries, cli: Command
) -> None:
    offer(registries, **facts)
    project.spec("demo", SPEC)
    cli("lock").succeeded()


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"hashes": None}, (3, "the index has no sha256 for it")),
        ({"hashes": {"sha256": 7}}, (3, "the index has no sha256 for it")),
        ({"url": None}, (4, f"/pypi/simple/odd/ lists `{ODD}` at null, expected a URL")),
    ],
)
def test_a_wheel_without_digest_or_address_is_refused(
    facts: dict[str, Any], expected: tuple[int, str], project: Project, registries: Registries, cli: Command
) -> None:
    offer(registries, **facts)
    project.spec("demo", SPEC)
    outcome = cli("lock")
    assert (outcome.code, expected[1] in outcome.err) == (expected[0], True), outcome.err


def test_the_default_entry_of_netrc_is_a_login(
    project: Project, registries: Registries, cli: Command, tmp_path: Path
) -> None:
    offer(registries)
    login = "Basic " + base64.b64encode(b"joe:pw").decode()
    registries.publish(Faults(authorization=login))
    netrc = tmp_path / "netrc"
    netrc.write_text("machine other.example login a password b\ndefault login joe password pw\n")
    netrc.chmod(0o600)
    project.spec("demo", SPEC)
    cli("lock", NETRC=str(netrc)).succeeded()


@pytest.fixture
def homeless(cli: Command, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run commands as a user without an account, whose HOME is empty."""

    def no_account(uid: int) -> None:
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    monkeypatch.setattr(pwd, "getpwuid", no_account)
    cli.variables["HOME"] = ""
    return cli


def files(root: Path) -> set[Path]:
    return {path for path in root.rglob("*") if path.is_file()}


def test_a_user_without_a_home_can_do_everything_with_a_cache(
    homeless: Command, project: Project, registries: Registries
) -> None:
    offer(registries)
    project.spec("demo", SPEC)
    homeless("lock").succeeded()
    before = files(project.root)
    for command in ("lock --check", "list", "tree", "why odd", "licenses", "create", "shell-hook", "clean"):
        homeless(*command.split()).succeeded()
    assert homeless("doctor").code in (0, 1)
    assert files(project.root) == before


def test_a_user_without_a_home_is_told_what_is_missing(
    homeless: Command, project: Project, registries: Registries
) -> None:
    offer(registries)
    project.spec("demo", SPEC)
    homeless("lock").succeeded()
    del homeless.variables["ENVGEN_CACHE"], homeless.variables["CONDA_ENVS_PATH"]
    before = files(project.root)
    for command in ("list", "tree", "lock --check"):
        homeless(*command.split()).succeeded()
    for command in ("lock --upgrade", "create", "clean"):
        outcome = homeless(*command.split())
        assert outcome.code == 1, outcome.err
        assert "HOME is not set" in outcome.err or "set CONDA_ENVS_DIRS" in outcome.err
    assert files(project.root) == before


def test_libraries_get_along_without_a_home(
    project: Project, registries: Registries, cli: Command, tmp_path: Path
) -> None:
    offer(registries)
    project.spec("demo", SPEC)
    script = tmp_path / "homeless.py"
    script.write_text(
        "import pwd, sys\npwd.getpwuid = {}.__getitem__\nfrom envgen.cli.main import main\nmain(sys.argv[1:])\n"
    )
    for home in ({"HOME": ""}, {"HOME": "."}, {}):
        cli.variables.pop("HOME", None)
        command = [sys.executable, str(script), "lock"]
        done = subprocess.run(
            command, cwd=project.root, env=cli.variables | home, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr


def test_a_relative_home_is_none(cli: Command, project: Project, registries: Registries) -> None:
    offer(registries)
    project.spec("demo", SPEC)
    del cli.variables["ENVGEN_CACHE"]
    before = files(project.root)
    cli("list", HOME=".")
    assert files(project.root) == before


def test_a_working_directory_that_was_removed(cli: Command, tmp_path: Path) -> None:
    (gone := tmp_path / "gone").mkdir()
    script = f"rmdir {gone} && exec {sys.executable} -P -m envgen list"
    done = subprocess.run(
        ["sh", "-c", script], cwd=gone, env=cli.variables, capture_output=True, text=True, check=False
    )
    assert (done.returncode, "the working directory was removed" in done.stderr) == (1, True), done.stderr
