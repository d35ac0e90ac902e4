"""Who owns a path: cases of a few claims."""

from __future__ import annotations

import pytest

from envgen.errors import ArtifactError
from envgen.prefix.clobber import Claim, Claims, Ownership, decide

SITE = "lib/python3.11/site-packages"


def claims(package: str, **paths: str) -> Claims:
    """Each keyword is a path (`__` for a slash) with what is there."""
    return Claims(
        package=package, claims=[Claim(path=path.replace("__", "/"), content=text) for path, text in paths.items()]
    )


def at(package: str, path: str, content: str) -> Claims:
    return Claims(package=package, claims=[Claim(path=path, content=content)])


def test_no_path_twice_is_no_work() -> None:
    found = decide([claims("a", lib__a="1"), claims("b", lib__b="1")], fold_case=True)
    assert found == Ownership(lost={}, stray=())


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_identical_bytes_go_to_the_first_by_name_in_any_order(order: tuple[int, ...]) -> None:
    packages = [claims("b", x="1", only="2"), claims("a", x="1"), claims("c", x="1")]
    found = decide([packages[i] for i in order], fold_case=False)
    assert found.lost == {"b": {"x"}, "c": {"x"}}


def test_different_bytes_name_both_packages_and_both_digests() -> None:
    with pytest.raises(ArtifactError) as caught:
        decide([claims("b", lib__x="sha256:2"), claims("a", lib__x="sha256:1")], fold_case=False)
    assert str(caught.value) == ("packages `a` and `b` both bring `lib/x`, with different bytes: sha256:1 and sha256:2")
    assert caught.value.hint


def test_a_third_package_that_differs_is_named() -> None:
    with pytest.raises(ArtifactError, match="`a` and `c` both bring"):
        decide([claims("a", x="1"), claims("b", x="1"), claims("c", x="2")], fold_case=False)


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(ArtifactError) as caught:
        decide([claims("a", x="1", y="1"), claims("b", x="2", y="2")], fold_case=False)
    assert str(caught.value).count("both bring") == 2


@pytest.mark.parametrize("packages", [("a", "b"), ("b", "a"), ("a", "a")])
def test_a_file_where_a_folder_is_needed_is_a_fault(packages: tuple[str, str]) -> None:
    first, second = packages
    found = [at(first, "lib/x", "1"), at(second, "lib/x/y/z", "1")]
    if first == second:
        found = [Claims(package=first, claims=[*found[0].claims, *found[1].claims])]
    with pytest.raises(ArtifactError, match=f"`{first}` brings `lib/x` as a file, package `{second}` needs it"):
        decide(found, fold_case=False)


def test_spellings_count_only_where_case_does_not() -> None:
    packages = [claims("a", lib__Readme="1"), claims("b", lib__README="1")]
    assert decide(packages, fold_case=False).lost == {}
    with pytest.raises(ArtifactError, match="`b` and `a` bring `lib/README` and `lib/Readme`"):
        decide(packages, fold_case=True)


def test_a_path_twice_in_one_package_is_a_fault() -> None:
    with pytest.raises(ArtifactError, match="lists the path `x` twice"):
        decide([Claims(package="a", claims=[Claim(path="x", content="1")] * 2)], fold_case=False)


@pytest.mark.parametrize(
    ("path", "stray"),
    [
        (f"{SITE}/tests/conftest.py", True),
        (f"{SITE}/test/a/b.py", True),
        (f"{SITE}/docs/conf.py", True),
        (f"{SITE}/LICENSE", True),
        (f"{SITE}/README.md", True),
        (f"{SITE}/numpy/tests/test_a.py", False),
        (f"{SITE}/testing/a.py", False),
        (f"{SITE}/README.py", False),
        ("tests/a.py", False),
    ],
)
def test_files_that_no_import_needs_may_differ(path: str, stray: bool) -> None:
    packages = [at("b", path, "2"), at("a", path, "1")]
    if not stray:
        with pytest.raises(ArtifactError):
            decide(packages, fold_case=False)
        return
    assert decide(packages, fold_case=False) == Ownership(lost={"b": frozenset({path})}, stray=(path,))
