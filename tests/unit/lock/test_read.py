from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from envgen.errors import LockError
from envgen.lock.document import content_hash, document
from envgen.lock.read import read_lock
from tests.unit.lock import samples

if TYPE_CHECKING:
    from collections.abc import Callable


def changed(change: Callable[[dict[str, Any]], object], *, rehash: bool = True) -> str:
    content = document(samples.lock())
    change(content)
    if rehash and isinstance(content.get("package"), list):
        content["metadata"]["content_hash"] = {"linux-64": content_hash(content["package"])}
    return yaml.safe_dump(content)


def custom(content: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = content["metadata"]["custom_metadata"]
    return found


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
        "x.yml: package[7].url: expected ${ENVGEN_PYPI}/torch/<file>",
        lambda d: d["package"][7].update(url="https://example.org/torch.whl"),
    ),
    (
        "x.yml: package[2].url: expected ${ENVGEN_CHANNEL}/<subdir>/<file>",
        lambda d: d["package"][2].update(url="${ENVGEN_CHANNEL}/python.conda"),
    ),
    (
        "x.yml: package[7].dependencies: expected text for text, got 'numpy': 1",
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
        "x.yml: metadata.custom_metadata.envgen.converter: invalid literal for int() with base 10: 'two'",
        lambda d: custom(d).update({"envgen.converter": "two"}),
    ),
    ("x.yml: written by a newer envgen than this", lambda d: custom(d).update({"envgen.format": "99"})),
    ("x.yml: written by a newer envgen than this", lambda d: d.update(version=2)),
]


@pytest.mark.parametrize(("message", "change"), FAULTS, ids=[message for message, _ in FAULTS])
def test_damage_is_told_with_its_place(message: str, change: Callable[[dict[str, Any]], object]) -> None:
    with pytest.raises(LockError) as caught:
        read_lock(changed(change), source="x.yml")
    assert str(caught.value) == message
    assert caught.value.hint == "take it back from git, or remove it and run `envgen lock`"


def test_a_package_changed_by_hand_is_noticed() -> None:
    text = changed(lambda d: d["package"][7].update(version="2.9.0"), rehash=False)
    with pytest.raises(LockError, match=r"content_hash\.linux-64: does not fit the packages"):
        read_lock(text, source="x.yml")


def test_merge_conflicts_have_a_hint_of_their_own() -> None:
    text = "version: 1\n<<<<<<< HEAD\na: 1\n=======\na: 2\n>>>>>>> theirs\n"
    with pytest.raises(LockError, match="holds merge conflict markers") as caught:
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
