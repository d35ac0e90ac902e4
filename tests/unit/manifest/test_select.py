from __future__ import annotations

from pathlib import Path

import pytest

from envgen.errors import SpecError, UserError
from envgen.manifest.select import find_root, load_all, select

TEXT = 'name: {name}\npython: "3.11"\nplatforms: {{linux-64: {{}}}}\n'
DEFAULT = TEXT + "default: true\n"


def project(root: Path, **specs: str) -> Path:
    (root / "environments").mkdir()
    for name, text in specs.items():
        (root / "environments" / f"{name}.yaml").write_text(text.format(name=name))
    return root


def test_root_is_the_nearest_parent_with_environments(tmp_path: Path) -> None:
    root = project(tmp_path)
    inner = root / "a" / "b"
    inner.mkdir(parents=True)
    assert find_root(inner) == root
    assert find_root(root) == root


def test_no_root(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no folder `environments` in") as caught:
        find_root(tmp_path)
    assert "`envgen init`" in str(caught.value.hint)


def test_the_only_one_is_taken(tmp_path: Path) -> None:
    assert select(project(tmp_path, a=TEXT)).name == "a"


def test_the_default_one_of_several_is_taken(tmp_path: Path) -> None:
    assert select(project(tmp_path, a=TEXT, b=DEFAULT)).name == "b"


def test_several_without_a_default_are_listed(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there are several environments: `a`, `a-gpu`, `b`"):
        select(project(tmp_path, **{"b": TEXT, "a-gpu": TEXT, "a": TEXT}))


def test_two_defaults(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="`a` and `b` both have `default: true`"):
        select(project(tmp_path, a=DEFAULT, b=DEFAULT))


def test_unknown_name_has_the_nearest_as_hint(tmp_path: Path) -> None:
    root = project(tmp_path, **{"pt28-accel": TEXT, "other": TEXT})
    with pytest.raises(UserError, match="no environment is named `pt28-acel`") as caught:
        select(root, "pt28-acel")
    assert caught.value.hint == "did you mean `pt28-accel`?"
    with pytest.raises(UserError) as caught:
        select(root, "zzz")
    assert caught.value.hint == "there is `other`, `pt28-accel`"


def test_a_named_one_does_not_suffer_from_a_broken_neighbour(tmp_path: Path) -> None:
    root = project(tmp_path, a=TEXT, b="nonsense")
    assert select(root, "a").name == "a"
    with pytest.raises(SpecError, match=r"environments/b.yaml:1"):
        load_all(root)


def test_no_spec_at_all_and_one_with_the_wrong_ending(tmp_path: Path) -> None:
    root = project(tmp_path)
    with pytest.raises(UserError, match="no spec in"):
        select(root)
    (root / "environments" / "a.yml").write_text("")
    with pytest.raises(UserError) as caught:
        select(root)
    assert caught.value.hint == "rename `a.yml`: file names of specs end in `.yaml`"


def test_not_utf8(tmp_path: Path) -> None:
    root = project(tmp_path)
    (root / "environments" / "a.yaml").write_bytes(b"name: \xff\n")
    with pytest.raises(SpecError, match=r"environments/a\.yaml: not UTF-8 text"):
        select(root)


def test_the_starter_spec_parses() -> None:
    spec = select(Path(__file__).parents[3], "pt28-accel")
    assert spec.default
    assert [str(p) for p in spec.targets] == ["linux-64", "linux-aarch64"]
