from __future__ import annotations

import datetime as dt
import hashlib
import json
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from envgen.errors import LockError
from envgen.lock.cep37 import document
from envgen.lock.read import read_lock
from envgen.packages import LOCAL_CHANNEL
from tests.unit.lock import samples

if TYPE_CHECKING:
    from collections.abc import Callable


class Plain(yaml.SafeDumper):
    """Writes a package twice rather than refer to it."""

    def ignore_aliases(self, data: Any) -> bool:
        del data
        return True


def changed(change: Callable[[dict[str, Any]], object], *, rehash: bool = True) -> str:
    content = document(samples.lock())
    change(content)
    if rehash and isinstance(content.get("package"), list):
        said = json.dumps(content["package"], sort_keys=True, default=str).encode()
        content["metadata"]["content_hash"] = {"linux-64": hashlib.sha256(said).hexdigest()}
    return yaml.dump(content, Dumper=Plain)


def custom(content: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = content["metadata"]["custom_metadata"]
    return found


def set_custom(content: dict[str, Any], *, key: str, value: str) -> None:
    custom(content)[f"envgen.{key}"] = value


def versioned(content: dict[str, Any], number: int, version: str) -> None:
    """Change a package's version where its URL says it too."""
    entry = content["package"][number]
    entry |= {"url": entry["url"].replace(entry["version"], version), "version": version}


FAULTS: list[tuple[str, Callable[[dict[str, Any]], object]]] = [
    ("x.yml: `package` is missing", lambda d: d.pop("package")),
    ("x.yml: package: expected a list, got 'no'", lambda d: d.update(package="no")),
    ("x.yml: package[1]: expected a mapping, got 'no'", lambda d: d["package"].__setitem__(1, "no")),
    ("x.yml: package[7].hash.sha256: not a sha256: 'ab'", lambda d: d["package"][7]["hash"].update(sha256="ab")),
    ("x.yml: package[7].hash: `sha256` is missing", lambda d: d["package"][7]["hash"].clear()),
    ("x.yml: package[0].hash.md5: not an md5: 'ab'", lambda d: d["package"][0]["hash"].update(md5="ab")),
    ("x.yml: package[2].version: expected text, got 3.11", lambda d: d["package"][2].update(version=3.11)),
    ("x.yml: package[2].manager: expected conda or pip, got 'npm'", lambda d: d["package"][2].update(manager="npm")),
    ("x.yml: package[2].platform: expected linux-64", lambda d: d["package"][2].update(platform="osx-64")),
    (
        "x.yml: package[7].url: expected the file name of a wheel of torch 2.8.0+cu128, got 'torch.whl'",
        lambda d: d["package"][7].update(url="https://example.org/torch.whl"),
    ),
    (
        f"x.yml: package[2].url: expected {LOCAL_CHANNEL}/<subdir>/python-3.11.2-h1_0.conda, got '{LOCAL_CHANNEL}/x'",
        lambda d: d["package"][2].update(url=f"{LOCAL_CHANNEL}/x"),
    ),
    (
        "x.yml: package[7].dependencies: expected a mapping of text to text, got 'numpy': 1",
        lambda d: d["package"][7].update(dependencies={"numpy": 1}),
    ),
    ("x.yml: metadata.platforms: expected one platform, got 2", lambda d: d["metadata"]["platforms"].append("win-64")),
    (
        "x.yml: metadata.platforms[0]: 'linux-65' is not a valid Platform",
        lambda d: d["metadata"].update(platforms=["linux-65"]),
    ),
    ("x.yml: metadata: `custom_metadata` is missing", lambda d: d["metadata"].pop("custom_metadata")),
    (
        "x.yml: metadata.custom_metadata: `envgen.format` is missing: not written by envgen",
        lambda d: custom(d).clear(),
    ),
    (
        "x.yml: metadata.custom_metadata: `envgen.recipe-of.python` is missing: not written by envgen",
        lambda d: custom(d).pop("envgen.recipe-of.python"),
    ),
    (
        "x.yml: metadata.custom_metadata.envgen.converter: expected a whole number, got 'two'",
        lambda d: custom(d).update({"envgen.converter": "two"}),
    ),
    (
        "x.yml: package[2].version: expected text, got datetime.date(2024, 1, 1)",
        lambda d: d["package"][2].update(version=dt.date(2024, 1, 1)),
    ),
    ("x.yml: package: `torch` is listed twice", lambda d: d["package"].append(d["package"][7])),
    ("x.yml: package[7].version: Invalid version: 'not a version'", lambda d: versioned(d, 7, "not a version")),
    (
        "x.yml: package[7].name: not a normalized project name: 'To_rch'",
        lambda d: d["package"][7].update(name="To_rch"),
    ),
    (
        "x.yml: package[7].url: expected the file name of a wheel of torch 2.8.0+cu128, got '../../x.whl'",
        lambda d: d["package"][7].update(url="${ENVGEN_PYPI}/torch/../../x.whl"),
    ),
    (
        (
            "x.yml: package[7].url: expected the file name of a wheel of torch 2.8.0+cu128, got "
            "'torch-2.9.0-py3-none-any.whl'"
        ),
        lambda d: d["package"][7].update(url="${ENVGEN_PYPI}/torch/torch-2.9.0-py3-none-any.whl"),
    ),
    (
        "x.yml: package[7].url: expected the file name of a wheel of torch 2.8.0+cu128, got 'torch.whl'",
        lambda d: d["package"][7].update(url="${ENVGEN_PYPI}/torch/torch.whl"),
    ),
    (
        "x.yml: package[7].dependencies: Invalid specifier: 'newest'",
        lambda d: d["package"][7].update(dependencies={"numpy": "newest"}),
    ),
    (
        "x.yml: package[7].dependencies: not a normalized project name: '../x'",
        lambda d: d["package"][7].update(dependencies={"../x": ""}),
    ),
    (
        "x.yml: package[1].version: expected a version, got '../../x'",
        lambda d: d["package"][1].update(version="../../x"),
    ),
    ("x.yml: package[1].build: expected a build string, got 'h1/0'", lambda d: d["package"][1].update(build="h1/0")),
    ("x.yml: package[1].name: not a conda package name: '..'", lambda d: d["package"][1].update(name="..")),
    (
        "x.yml: package[1].dependencies: not a conda package name: 'A'",
        lambda d: d["package"][1].update(dependencies={"A": ""}),
    ),
    (
        "x.yml: package[1].url: expected linux-64 or noarch, got '..'",
        lambda d: d["package"][1].update(url="https://conda.example.org/../numpy-1-0.conda"),
    ),
    (
        "x.yml: package[1].url: expected linux-64 or noarch, got ''",
        lambda d: d["package"][1].update(url="numpy-1-0.conda"),
    ),
    (
        "x.yml: package[1].url: expected the file name of a `.conda` or `.tar.bz2`, got '..'",
        lambda d: d["package"][1].update(url="https://conda.example.org/linux-64/.."),
    ),
    (
        "x.yml: package[2].url: expected linux-64 or noarch, got 'win-64'",
        lambda d: d["package"][2].update(url="${ENVGEN_CHANNEL}/win-64/python-3.11.2-h1_0.conda"),
    ),
    *(
        (f"x.yml: metadata.custom_metadata.envgen.{key}: {says}", partial(set_custom, key=key, value=value))
        for key, value, says in (
            ("virtual-packages", "[]", "expected a mapping, got []"),
            ("virtual-packages", '{"__glibc": 2}', "expected text, got 2"),
            ("virtual-packages", '{"..": "1"}', "not a conda package name: '..'"),
            ("extras", '{"torch": "x"}', "expected a list, got 'x'"),
            ("extras", '{"torch": [1]}', "expected text, got 1"),
            ("asked-extras", "7", "expected a mapping, got 7"),
            ("shared", "[]", "expected a mapping, got []"),
            ("shared", '{"../x": []}', "not an environment name: '../x'"),
            ("shared", '{"serve": ["a b"]}', "not a conda package name: 'a b'"),
            ("asked-extras", "{", "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
            ("names", '{"Torch": "pytorch"}', "not a normalized project name: 'Torch'"),
            ("names", '{"torch": "../x"}', "not a conda package name: '../x'"),
            ("exclude-newer", "2026-01-01", "expected a time with an offset from UTC, got '2026-01-01'"),
            ("python", "../x", "expected a version, got '../x'"),
            ("environment", "../x", "not an environment name: '../x'"),
            ("size.pip.torch", "-1", "expected a whole number, got '-1'"),
        )
    ),
    (
        "x.yml: unsupported version 2 of the conda-lock format: this envgen reads version 1",
        lambda d: d.update(version=2),
    ),
    *(
        (
            f"x.yml: metadata.custom_metadata.envgen.{key}: {says}",
            partial(set_custom, key=key, value=value),
        )
        for key, value, says in (
            ("overrides", '{"spam":["eggs==1"]}', "expected requirements on `spam`, got eggs==1"),
            ("constraints", '{"spam":"=1"}', "Invalid specifier: '=1'"),
            ("exclude", '{"spam":["Not Normal"]}', "not a normalized project name: 'Not Normal'"),
            ("substitutes", '{"spam":1}', "expected text, got 1"),
            ("conflicts", '["lib"]', "expected a mapping, got ['lib']"),
            ("allow-older", '{"Spam":"why"}', "not a normalized project name: 'Spam'"),
        )
    ),
]


@pytest.mark.parametrize(("message", "change"), FAULTS, ids=[message for message, _ in FAULTS])
def test_damage_is_told_with_its_place(message: str, change: Callable[[dict[str, Any]], object]) -> None:
    with pytest.raises(LockError) as caught:
        read_lock(changed(change), source="x.yml")
    assert str(caught.value) == message
    assert caught.value.hint == "restore the file from git, or remove it and run `envgen lock`"


def test_a_newer_format_is_refused_by_its_number() -> None:
    with pytest.raises(LockError) as caught:
        read_lock(changed(lambda d: custom(d).update({"envgen.format": "99"})), source="x.yml")
    assert str(caught.value) == "x.yml: format 99 was written by a newer envgen: this one reads up to format 2"
    assert caught.value.hint == "upgrade envgen"


def test_format_1_is_read_as_the_same() -> None:
    assert custom(document(samples.lock()))["envgen.format"] == "2"
    assert read_lock(changed(lambda d: custom(d).update({"envgen.format": "1"}))) == samples.lock()


def test_a_package_changed_by_hand_is_noticed() -> None:
    text = changed(lambda d: d["package"][7].update(version="2.9.0"), rehash=False)
    with pytest.raises(LockError, match=r"content_hash\.linux-64: does not match the packages"):
        read_lock(text, source="x.yml")


@pytest.mark.parametrize(
    ("key", "value", "says"), [(7, "a", "expected text for every key, got 7"), ("a", {1}, "expected text, got {1}")]
)
def test_what_json_has_not_is_told_with_its_place(key: object, value: object, says: str) -> None:
    text = changed(lambda d: d["package"][2]["hash"].update({key: value}), rehash=False)
    with pytest.raises(LockError, match=rf"x\.yml: package\[2\]\.hash(\.a)?: {says}"):
        read_lock(text, source="x.yml")


def test_a_package_that_holds_itself_is_refused() -> None:
    text = changed(lambda _: None).replace("- build: 3_cp311\n", "- &self\n  more: *self\n  build: 3_cp311\n")
    with pytest.raises(LockError, match=r"x\.yml: cannot be read: it (is nested more|holds more)"):
        read_lock(text, source="x.yml")


def test_merge_conflicts_have_a_hint_of_their_own() -> None:
    text = "version: 1\n<<<<<<< HEAD\na: 1\n=======\na: 2\n>>>>>>> theirs\n"
    with pytest.raises(LockError, match="contains merge conflict markers") as caught:
        read_lock(text, source="x.yml")
    assert "envgen merge-lock" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1\n", r"x\.yml: not YAML in line 2: "),
        ("a: \x00", r"x\.yml: not YAML: "),
        ("", r"x\.yml: expected a mapping, got None"),
        ("- 1\n", r"x\.yml: expected a mapping, got \[1\]"),
    ],
)
def test_what_is_no_lock_at_all(text: str, message: str) -> None:
    with pytest.raises(LockError, match=message):
        read_lock(text, source="x.yml")
