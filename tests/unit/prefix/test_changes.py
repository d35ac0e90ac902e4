"""What a prefix holds beside what it shall hold: which packages come, go and stay."""

from __future__ import annotations

import pytest

from envgen.names import CondaName
from envgen.prefix.changes import PrefixChanges, Wanted, compare, with_paths
from envgen.prefix.installed import InstalledPackage


def wanted(name: str, key: str | None = None) -> Wanted:
    return Wanted(name=CondaName(name), version="1", build="0", key=key or f"{name}-key")


def have(name: str, *files: str, key: str | None = "") -> InstalledPackage:
    return InstalledPackage(
        name=name, version="1", build="0", key=f"{name}-key" if key == "" else key, files=files, requested=""
    )


def names(changes: PrefixChanges) -> tuple[list[str], list[str], list[str], list[str]]:
    unlink, unchanged = [p.name for p in changes.unlink], [p.name for p in changes.unchanged]
    return list(changes.link), unlink, unchanged, list(changes.relink)


def test_packages_are_compared_by_what_determines_their_bytes() -> None:
    installed = (have("a"), have("b", key="another"), have("c", key=None), have("d"))
    changes = compare(map(wanted, ("e", "c", "b", "a")), installed)
    assert names(changes) == (["b", "c", "e"], ["b", "c", "d"], ["a"], [])
    assert changes


def test_a_damaged_package_comes_again() -> None:
    changes = compare([wanted("a"), wanted("b")], [have("a"), have("b")], reinstall={"b"})
    assert names(changes) == (["b"], ["b"], ["a"], [])


def test_nothing_is_to_be_done_where_all_is_there() -> None:
    assert not compare([wanted("a")], [have("a")])


@pytest.mark.parametrize(
    ("installed", "paths", "expected"),
    [
        pytest.param((have("b", "x"),), {"a": "", "b": "x"}, (["a"], [], ["b"], []), id="nothing moves"),
        pytest.param((have("b", "xy"),), {"a": "y", "b": "x"}, (["a", "b"], ["b"], [], ["b"]), id="a file is lost"),
        pytest.param((have("b", "x"),), {"a": "", "b": "xy"}, (["a", "b"], ["b"], [], ["b"]), id="a file is won"),
        pytest.param(
            (have("b", "x", "y"), have("c", "z"), have("z", "y", key=None)),
            {"a": "", "b": "xy", "c": "z"},
            (["a", "b"], ["b", "z"], ["c"], ["b"]),
            id="another tool's package goes and has a file of one that stays",
        ),
        pytest.param(
            (have("b", "x"), have("c", "x", "z")),
            {"a": "", "b": "xy", "c": "xz"},
            (["a", "b", "c"], ["b", "c"], [], ["b", "c"]),
            id="one that is linked again has a file of one that stays",
        ),
    ],
)
def test_packages_are_linked_again_because_of_their_paths(
    installed: tuple[InstalledPackage, ...], paths: dict[str, str], expected: tuple[list[str], ...]
) -> None:
    changes = compare(map(wanted, paths), installed)
    assert names(with_paths(changes, {name: frozenset(text) for name, text in paths.items()})) == expected
