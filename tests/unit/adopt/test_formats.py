"""Every file below `files/` becomes what stands in `becomes.txt` beside it; `UPDATE_ADOPTED=1` writes these."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from envgen.adopt.formats import read_adopted
from envgen.errors import EnvgenError, Fault, SpecError

if TYPE_CHECKING:
    from envgen.adopt.adopted import Adopted

FILES = Path(__file__).parent / "files"
IS_UPDATE = "UPDATE_ADOPTED" in os.environ
GOLDEN = "becomes.txt"
INCLUDED = {"constraints.txt", "extra.txt", GOLDEN}
CASES = sorted(path for path in FILES.glob("*/*") if path.is_file() and path.name not in INCLUDED)


def read_from(folder: Path, path: str) -> str:
    try:
        return (folder / path).read_text(encoding="utf-8")
    except OSError as error:
        raise SpecError((Fault(where=path, what="failed to read the file"),)) from error


def rendered(found: Adopted) -> str:
    parts = {
        "name": found.name,
        "python": found.python,
        "platforms": list(map(str, found.platforms)),
        "facts": found.facts,
        "channels": found.channels,
        **found.sections,
        "indexes": found.indexes,
        "env": found.env,
        "exclude-newer": found.exclude_newer,
        "pinned": [f"{one.name} {one.version}{' ' + one.build if one.build else ''}" for one in found.pinned],
    }
    lines = [f"{one.where} | {one.text} | {one.fate} {one.to}".rstrip() + f" | {one.why}" for one in found.lines]
    return (
        "\n".join([*(f"{key}: {value}" for key, value in parts.items() if value), "", *map(str.rstrip, lines)]) + "\n"
    )


@pytest.mark.parametrize("file", CASES, ids=lambda path: path.parent.name)
def test_file(file: Path) -> None:
    found = read_adopted(file.name, lambda path: read_from(file.parent, path))
    golden = file.parent / GOLDEN
    if IS_UPDATE:
        golden.write_text(rendered(found), encoding="utf-8")
    assert rendered(found) == golden.read_text(encoding="utf-8")


def adopted(name: str, text: str, groups: tuple[str, ...] = (), **others: str) -> Adopted:
    files = {name: text, **{key.replace("_", "."): value for key, value in others.items()}}

    def read(path: str) -> str:
        if path not in files:
            raise SpecError((Fault(where=path, what="failed to read the file"),))
        return files[path]

    return read_adopted(name, read, groups)


def test_groups_and_extras() -> None:
    text = (FILES / "library/pyproject.toml").read_text()
    found = adopted("pyproject.toml", text, ("all", "test"))
    assert found.sections["pypi"][2:] == ["matplotlib>=3.9", "scipy", "pytest>=8", "ruff"]
    with pytest.raises(SpecError, match="there is no extra or dependency group `al`"):
        adopted("pyproject.toml", text, ("al",))
    locked = adopted("uv.lock", (FILES / "uv-lock/uv.lock").read_text(), ("dev", "docs"))
    assert locked.sections["pypi"][-2:] == ["docs", "plated"]


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("requirements.txt", "a==1\na==2\n", "requirements.txt:2: `a==2` contradicts `a==1`"),
        ("requirements.txt", "a @ https://x.example/a-1.tar.gz\na>=2\n", "contradicts"),
        ("requirements.txt", "-r requirements.txt\n", "`requirements.txt` includes itself"),
        ("requirements.txt", "-r gone.txt\n", "gone.txt: failed to read the file"),
        ("requirements.txt", "-r https://x.example/r.txt\n", "is on another machine"),
        ("pyproject.toml", "[project\n", "pyproject.toml: not TOML"),
        ("pyproject.toml", "project = 1\n", "pyproject.toml: project: expected a table, got int"),
        ("pyproject.toml", "[project]\ndependencies = 'a'\n", "project.dependencies: expected a list, got str"),
        ("pyproject.toml", "[project]\ndependencies = [1, []]\n", "project.dependencies[1]: expected text, got list"),
        ("pyproject.toml", "[project]\nrequires-python = '<3'\n", "no available version of Python satisfies `<3`"),
        ("environment.yml", "a: [", "environment.yml: not YAML"),
        ("environment.yml", "- a\n", "expected a table, got list"),
        ("environment.yml", "dependencies: [numpy=1, numpy=2]\n", "`numpy` is required twice"),
        ("environment.yml", "dependencies: [python=2.7]\n", "no available version of Python satisfies"),
        ("conda-lock.yml", "package: {a: 1}\n", "package: expected a list, got dict"),
        ("uv.lock", "package = [1]\n", "package[0]: expected a table, got int"),
        ("pylock.toml", "lock-version = '2.0'\n", "expected 1.x, got '2.0'"),
        ("pixi.lock", "environments: {}\n", "there is no environment `default`"),
        ("setup.cfg", "", "the format of `setup.cfg` is not known"),
    ],
)
def test_what_is_bad_is_an_error_with_its_place(name: str, text: str, says: str) -> None:
    with pytest.raises(EnvgenError) as caught:
        adopted(name, text)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    "url", ["https://[x/simple", "https://u:p@x.example/simple", "https://x.example/?key=1", "x y"]
)
def test_an_index_that_cannot_be_is_left_out(url: str) -> None:
    found = adopted("requirements.txt", f"--extra-index-url {url}\ntorch==2.8.0+cpu\n")
    assert not found.indexes
    assert [line.fate for line in found.lines] == ["taken", "left out"]
    assert "u:p" not in rendered(found)


def test_two_indexes_of_one_name() -> None:
    index = "[[package.metadata.requires-dist]]\nname = '{0}'\nindex = 'https://{0}.example/simple'\n"
    head = "[[package]]\nname = 'p'\nsource = {virtual = '.'}\n"
    found = adopted("uv.lock", head + index.format("a") + index.format("b"))
    assert {name: projects for name, (_, projects) in found.indexes.items()} == {"further": ["a"], "further-2": ["b"]}


def test_a_dependency_group_that_includes_itself() -> None:
    text = "[dependency-groups]\na = [{include-group = 'b'}]\nb = [{include-group = 'a'}]\n"
    with pytest.raises(SpecError, match="`a` includes itself: a -> b -> a"):
        adopted("pyproject.toml", text, ("a",))
