"""`envgen init` and `envgen completion`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import jsonschema
import pytest
import yaml

from envgen.manifest.select import select
from tests.command import REPOSITORY, TIMEOUT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.builders.registries import Registries
    from tests.command import Command, Project


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """Make a folder with no project in it."""
    folder = tmp_path / "my-work"
    folder.mkdir()
    return folder


def test_init_writes_what_lock_takes(project: Project, cli: Command, registries: Registries) -> None:
    cli("init", "train", "--platform", "linux-64", "--pypi", "spam ==1.0", "--pypi", "ham[bacon]").succeeded()
    text = (project.root / "environments/train.yaml").read_text()
    assert yaml.safe_load(text)["pypi"] == ["pip", "spam ==1.0", "ham[bacon]"]
    cli("lock").succeeded()
    assert "train.linux-64.conda-lock.yml" in project.locks()


def test_init_in_an_empty_folder_takes_its_name(empty: Path, cli: Command) -> None:
    outcome = cli("init", cwd=empty).succeeded()
    assert outcome.out == ""
    assert "wrote environments/my-work.yaml" in outcome.err
    spec = select(empty)
    assert spec.name == "my-work"
    assert spec.dependencies == ("python",)
    assert [str(requirement) for requirement in spec.pypi] == ["pip"]
    assert spec.channels == ()


def test_init_in_a_folder_whose_name_cannot_be_one(tmp_path: Path, cli: Command) -> None:
    folder = tmp_path / "my work"
    folder.mkdir()
    outcome = cli("init", cwd=folder)
    assert outcome.code == 2
    assert "'my work', is not a valid environment name" in outcome.err
    assert "`envgen init NAME`" in outcome.err
    assert list(folder.iterdir()) == []


def test_init_asks_for_nothing_twice(empty: Path, cli: Command) -> None:
    wishes = ["--dependency", "Python", "--dependency", "cmake", "--dependency", "cmake", "--pypi", "pip >=24"]
    cli("init", *wishes, cwd=empty).succeeded()
    spec = select(empty)
    assert spec.dependencies == ("Python", "cmake")
    assert [str(requirement) for requirement in spec.pypi] == ["pip>=24"]


@pytest.mark.parametrize(
    ("arguments", "channels"),
    [
        (["--python", "3.12"], ("conda-forge",)),
        (["--python", "3.12", "--channel", "mine"], ("mine",)),
        (["--platform", "osx-arm64"], ("conda-forge",)),
        (["--platform", "linux-aarch64"], ()),
    ],
)
def test_init_adds_a_channel_where_python_needs_one(
    arguments: list[str], channels: tuple[str, ...], empty: Path, cli: Command
) -> None:
    outcome = cli("init", *arguments, cwd=empty).succeeded()
    assert select(empty).channels == channels
    assert ("added the channel conda-forge" in outcome.err) is (channels == ("conda-forge",))


def test_init_with_everything(empty: Path, cli: Command) -> None:
    options = ["--python", "3.12", "--platform", "win-64", "--platform", "osx-arm64", "--cuda", "12.8"]
    cli("init", "x", *options, "--dependency", "numpy >=2,<3", cwd=empty).succeeded()
    spec = select(empty)
    assert str(spec.python) == "3.12"
    assert [(t.platform, t.cuda, t.macos) for t in spec.targets.values()] == [
        ("win-64", "12.8", None),
        ("osx-arm64", None, (13, 0)),
    ]
    assert spec.channels == ("conda-forge",)
    assert spec.dependencies == ("python", "numpy >=2,<3")


def test_init_from_what_ships(empty: Path, cli: Command) -> None:
    cli("init", "mine", "--from", "pt28-accel", cwd=empty).succeeded()
    assert select(empty).name == "mine"
    outcome = cli("init", "--from", "pt28-acel", cwd=empty)
    assert outcome.code == 1
    assert "did you mean `pt28-accel`?" in outcome.err


def test_init_overwrites_nothing(demo: Project, cli: Command) -> None:
    outcome = cli("init", "demo")
    assert outcome.code == 1
    assert "`environments/demo.yaml` already exists" in outcome.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--pypi", "spam = 1.0"], "spam = 1.0"),
        (["--python", "3"], "3"),
        (["a/b"], "a/b"),
        (["--cuda", "new"], "new"),
    ],
)
def test_init_with_what_is_not_valid(arguments: list[str], says: str, empty: Path, cli: Command) -> None:
    outcome = cli("init", *arguments, cwd=empty)
    assert outcome.code == 1
    assert says in outcome.err
    assert list(empty.iterdir()) == []


def at_terminal(cli: Command, folder: Path, answers: str, *arguments: str) -> tuple[int, str]:
    """Run `envgen init` with a terminal for standard input; return its exit code and what it wrote elsewhere."""
    ours, theirs = os.openpty()
    try:
        os.write(ours, answers.encode())
        done = subprocess.run(
            [sys.executable, "-m", "envgen", "init", *arguments],
            cwd=folder,
            env=cli.variables,
            stdin=theirs,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
    finally:
        os.close(ours)
        os.close(theirs)
    assert done.stdout == ""
    return done.returncode, done.stderr


def test_init_asks_at_a_terminal(empty: Path, cli: Command) -> None:
    answers = "asked\n3.12.1\n3.12\nlinux-64 win-64\n12.8\ntorch >=2,<3\nham = 1\nham\n\nnumpy >=2\n\n"
    code, said = at_terminal(cli, empty, answers)
    assert code == 0, said
    assert "write the minor version only: `3.12`" in said
    spec = select(empty)
    assert (spec.name, str(spec.python), list(spec.targets)) == ("asked", "3.12", ["linux-64", "win-64"])
    assert [target.cuda for target in spec.targets.values()] == ["12.8", "12.8"]
    assert [str(requirement) for requirement in spec.pypi] == ["pip", "torch<3,>=2", "ham"]
    assert spec.dependencies == ("python", "numpy >=2")


def test_init_at_a_terminal_takes_what_is_offered(empty: Path, cli: Command) -> None:
    code, said = at_terminal(cli, empty, "\n" * 7)
    assert code == 0, said
    assert select(empty).name == "my-work"
    plain = empty.parent / "plain/my-work"
    plain.mkdir(parents=True)
    cli("init", cwd=plain).succeeded()
    file = "environments/my-work.yaml"
    assert (empty / file).read_text() == (plain / file).read_text()


def test_init_at_a_terminal_asks_nothing_that_was_said(empty: Path, cli: Command) -> None:
    code, said = at_terminal(cli, empty, "\n" * 6, "named")
    assert (code, "Name" in said) == (0, False), said
    code, said = at_terminal(cli, empty, "", "flags", "--python", "3.12")
    assert (code, "Platforms" in said) == (0, False), said
    assert {path.stem for path in (empty / "environments").iterdir()} == {"named", "flags"}


def test_init_at_a_terminal_that_is_left_writes_nothing(empty: Path, cli: Command) -> None:
    code, _said = at_terminal(cli, empty, "asked\n\x04")
    assert code == 130
    assert list(empty.iterdir()) == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_script(shell: str, cli: Command, project: Project) -> None:
    assert "_ENVGEN_COMPLETE" in cli("completion", shell).succeeded().out


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("envgen li", {"list", "licenses"}),
        ("envgen list d", {"demo"}),
        ("envgen why eg", {"eggs"}),
        ("envgen lock --upgrade zl", {"zlib1g"}),
        ("envgen lock --platform linux-a", {"linux-aarch64"}),
    ],
)
def test_completion(words: str, found: set[str], locked: Project, cli: Command) -> None:
    last = len(words.split()) - 1
    outcome = cli.process(_ENVGEN_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD=str(last))
    assert {line.partition(",")[2] for line in outcome.out.splitlines()} == found


def test_pre_commit_hook_is_a_command_that_there_is(locked: Project, cli: Command) -> None:
    (hook,) = yaml.safe_load((REPOSITORY / ".pre-commit-hooks.yaml").read_text())
    assert hook["pass_filenames"] is False
    program, *arguments = hook["entry"].split()
    assert program == "envgen"
    cli(*arguments).succeeded()


@pytest.mark.parametrize("origin", [(), ("--from", "pt28-accel")])
def test_a_schema_for_editors(empty: Path, cli: Command, origin: tuple[str, ...]) -> None:
    outcome = cli("init", "train", "--schema", *origin, cwd=empty).succeeded()
    assert "wrote environments/schema.json" in outcome.err
    text = (empty / "environments/train.yaml").read_text()
    head, _, rest = text.partition("\n")
    assert head == "# yaml-language-server: $schema=schema.json"
    schema = (empty / "environments" / head.partition("$schema=")[2]).read_text()
    assert schema == cli("schema").succeeded().out
    document = yaml.safe_load(text.replace("exclude-newer: 2", "exclude-newer: on 2"))  # a date is none in JSON
    assert list(jsonschema.Draft7Validator(json.loads(schema)).iter_errors(document)) == []
    cli("init", "serve", "--schema", cwd=empty).succeeded()
    cli("init", "plain", *origin, cwd=empty).succeeded()
    assert (empty / "environments/plain.yaml").read_text() == rest.replace("train", "plain")


def test_another_file_in_the_place_of_the_schema_stays(empty: Path, cli: Command) -> None:
    (empty / "environments").mkdir()
    for text in ('{"title": "mine"}', "{", "[]"):
        (empty / "environments/schema.json").write_text(text)
        outcome = cli("init", "train", "--schema", cwd=empty)
        assert outcome.code == 1
        assert "`environments/schema.json` is not the schema of specs" in outcome.err
        assert [path.name for path in (empty / "environments").iterdir()] == ["schema.json"]
        assert (empty / "environments/schema.json").read_text() == text
