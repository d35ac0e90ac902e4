"""Who owns a path: cases of a few claims."""

from __future__ import annotations

from typing import Any

import pytest

from envgen.errors import ArtifactError
from envgen.prefix import clobber
from envgen.prefix.clobber import Claim, Claims, ClobberRules, Kept, Ownership
from envgen.structs import replace

SITE = "lib/python3.11/site-packages"


def decide(packages: list[Claims], *, fold_case: bool, **rules: Any) -> Ownership:
    return clobber.decide(packages, ClobberRules(fold_case=fold_case, **rules))


def claims(package: str, **paths: str) -> Claims:
    """Return claims; each keyword is a path (`__` for a slash) with its content."""
    return Claims(
        package=package, claims=[Claim(path=path.replace("__", "/"), content=text) for path, text in paths.items()]
    )


def at(package: str, path: str, content: str) -> Claims:
    return Claims(package=package, claims=[Claim(path=path, content=content)])


def test_no_path_twice_is_no_work() -> None:
    found = decide([claims("a", lib__a="1"), claims("b", lib__b="1")], fold_case=True)
    assert found == Ownership(clobbered={}, conflicting=())


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_identical_bytes_go_to_the_first_by_name_in_any_order(order: tuple[int, ...]) -> None:
    packages = [claims("b", x="1", only="2"), claims("a", x="1"), claims("c", x="1")]
    found = decide([packages[i] for i in order], fold_case=False)
    assert found.clobbered == {"b": {"x"}, "c": {"x"}}


def test_different_bytes_name_both_packages_and_both_digests() -> None:
    with pytest.raises(ArtifactError) as caught:
        decide([claims("b", lib__x="sha256:2"), claims("a", lib__x="sha256:1")], fold_case=False)
    assert str(caught.value) == (
        "packages `a` and `b` both contain `lib/x`, with different content: sha256:1 and sha256:2"
    )
    assert caught.value.hint


def test_a_third_package_that_differs_is_named() -> None:
    with pytest.raises(ArtifactError, match="`a` and `c` both contain"):
        decide([claims("a", x="1"), claims("b", x="1"), claims("c", x="2")], fold_case=False)


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(ArtifactError) as caught:
        decide([claims("a", x="1", y="1"), claims("b", x="2", y="2")], fold_case=False)
    assert str(caught.value).count("both contain") == 2


@pytest.mark.parametrize("packages", [("a", "b"), ("b", "a"), ("a", "a")])
def test_a_file_where_a_folder_is_needed_is_a_fault(packages: tuple[str, str]) -> None:
    first, second = packages
    found = [at(first, "lib/x", "1"), at(second, "lib/x/y/z", "1")]
    if first == second:
        found = [Claims(package=first, claims=[*found[0].claims, *found[1].claims])]
    with pytest.raises(ArtifactError, match=f"`{first}` contains `lib/x` as a file, package `{second}` needs it"):
        decide(found, fold_case=False)


def test_spellings_count_only_where_case_does_not() -> None:
    packages = [claims("a", lib__Readme="1"), claims("b", lib__README="1")]
    assert decide(packages, fold_case=False).clobbered == {}
    with pytest.raises(ArtifactError, match="`b` and `a` contain `lib/README` and `lib/Readme`"):
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
    assert decide(packages, fold_case=False) == Ownership(clobbered={"b": frozenset({path})}, conflicting=(path,))


def channel(package: str, **paths: str) -> Claims:
    return replace(claims(package, **paths), channel=True)


def test_of_packages_of_channels_the_last_linked_keeps_its_file() -> None:
    packages = [channel("a", x="1", y="1"), channel("b", x="2", y="1"), channel("c", x="3")]
    found = decide(packages, fold_case=False, order=lambda: ("a", "c", "b"))
    assert found.clobbered == {"a": {"x"}, "c": {"x"}, "b": {"y"}}
    assert found.kept == (Kept(path="x", owner="b", others=("a", "c")),)


def test_one_package_that_is_of_no_channel_makes_it_an_error() -> None:
    with pytest.raises(ArtifactError, match="`a` and `b` both contain `x`"):
        decide([channel("a", x="1"), channel("b", x="2"), claims("c", x="3")], fold_case=False)


@pytest.mark.parametrize(
    ("key", "name"), [("lib/x", "b"), ("lib/*", "b"), ("*", "B"), ("lib/x", "beta_project"), ("*/x", "Beta.Project")]
)
def test_the_spec_says_whose_file_stays(key: str, name: str) -> None:
    packages = [claims("a", lib__x="1"), replace(claims("b", lib__x="2"), project="beta-project"), claims("c", y="1")]
    found = decide(packages, fold_case=False, conflicts={key: name})
    assert found.clobbered == {"a": {"lib/x"}}
    assert found.unused == ()


def test_the_path_itself_counts_before_patterns() -> None:
    packages = [claims("a", x="1", y="1"), claims("b", x="2", y="2")]
    found = decide(packages, fold_case=False, conflicts={"*": "b", "y": "a"})
    assert found.clobbered == {"a": {"x"}, "b": {"y"}}


def test_the_spec_counts_before_the_rules() -> None:
    stray = f"{SITE}/LICENSE"
    packages = [replace(at(name, stray, name), channel=True) for name in ("a", "b")]
    found = decide(packages, fold_case=False, conflicts={stray: "a"}, order=lambda: ("a", "b"))
    assert found == Ownership(clobbered={"b": frozenset({stray})}, conflicting=())


@pytest.mark.parametrize("conflicts", [{"y": "a"}, {"x": "c"}, {"z*": "b"}])
def test_an_entry_that_decides_nothing_is_told(conflicts: dict[str, str]) -> None:
    packages = [claims("a", y="1"), claims("b", y="1"), claims("c", w="1")]
    assert decide(packages, fold_case=False, conflicts=conflicts).unused == tuple(conflicts)


def test_the_way_out_settles_everything() -> None:
    packages = [claims("a", lib__x="1"), claims("b", lib__x="2")]
    with pytest.raises(ArtifactError) as caught:
        decide(packages, fold_case=False)
    assert caught.value.hint == '`conflicts: {"lib/x": a}` in the spec keeps the files of that package'
    assert decide(packages, fold_case=False, conflicts={"lib/x": "a"}).clobbered == {"b": {"lib/x"}}


def test_many_paths_are_offered_by_folder() -> None:
    paths = {f"lib__cv2__f{number}": str(number) for number in range(30)}
    with pytest.raises(ArtifactError) as caught:
        decide([claims("a", **paths), claims("b", **dict.fromkeys(paths, "x"))], fold_case=False)
    assert caught.value.hint == '`conflicts: {"lib/cv2/*": a}` in the spec keeps the files of that package'
    assert str(caught.value).endswith("\nand 10 more")


def test_no_way_out_is_offered_that_does_not_settle_everything() -> None:
    packages = [claims("a", x="1", y="1"), claims("b", x="2", y__z="1")]
    with pytest.raises(ArtifactError) as caught:
        decide(packages, fold_case=False)
    assert "conflicts" not in str(caught.value.hint)


def test_what_is_not_known_is_taken_for_equal() -> None:
    unknown = Claims(package="b", claims=[Claim(path="x", content=None)])
    assert decide([claims("a", x="1"), unknown], fold_case=False).clobbered == {"b": {"x"}}
    with pytest.raises(ArtifactError, match="`a` and `c` both contain `x`"):
        decide([claims("a", x="1"), unknown, claims("c", x="2")], fold_case=False)


def test_a_link_is_no_folder_of_another_package_where_case_does_not_count() -> None:
    packages = [at("a", "Share", "link to /home/user"), at("b", "share/x", "1")]
    assert decide(packages, fold_case=False).clobbered == {}
    with pytest.raises(ArtifactError, match=r"`a` contains `Share` as a file, package `b` needs it as a folder"):
        decide(packages, fold_case=True)
