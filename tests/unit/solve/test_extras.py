"""An extra that newer releases have is not lost with an older one."""

from __future__ import annotations

import pytest

from envgen.errors import UnsatisfiableError
from envgen.manifest.adjust import Adjustments
from envgen.names import CondaName, project_name
from envgen.solve.task import Preference
from envgen.structs import replace
from tests.unit.solve.fakes import FakeIndex, solved, task, versions


@pytest.fixture
def index() -> FakeIndex:
    return FakeIndex()


def lost(index: FakeIndex) -> None:
    index.add("spam", "1.0")
    index.add("spam", "2.0", "base ==2; extra == 'hot'", extras=["hot"])
    for version in ("1", "2"):
        index.add("base", version)


def test_an_extra_that_newer_releases_have_is_not_lost(index: FakeIndex) -> None:
    lost(index)
    with pytest.raises(UnsatisfiableError) as raised:
        solved(task(index, "base ==1", "spam[hot]"))
    assert str(raised.value).startswith(
        "`spam[hot]` in the spec would be locked at 1.0 for linux-64, which has no extra `hot`; "
        "2.0 has it, but cannot be chosen: "
    )
    assert "spam[hot] 2.0 requires `base==2`" in str(raised.value)
    assert raised.value.hint == (
        "ask for `spam`, without the extra; or "
        '`allow-older: {spam: "reason"}` in the spec accepts 1.0 without the extra'
    )
    assert versions(solved(task(index, "base ==1", "spam"))) == {"spam": "2.0", "base": "1"}
    accepted_by_name = Adjustments(allow_older={project_name("spam"): "so it is"})
    accepted = solved(replace(task(index, "base ==1", "spam[hot]"), adjustments=accepted_by_name))
    assert versions(accepted) == {"spam": "1.0", "base": "1"}
    assert accepted.remarks == ("`spam` 1.0 has no extra `hot`; it has none",)


@pytest.mark.parametrize(
    ("asked", "version", "has", "hint"),
    [
        ("spam[hto]", "2.0", "`hot`", "did you mean `hot`?; or ask for `spam`, without the extra"),
        ("spam[zzz] ==2.0", "2.0", "`hot`", "ask for `spam==2.0`, without the extra"),
        ("spam[zzz] ==1.0", "1.0", "none", "ask for `spam==1.0`, without the extra"),
        ("spam[hot,Zzz]", "2.0", "`hot`", "ask for `spam[hot]`, without the extra"),
    ],
)
def test_an_extra_that_no_release_has_is_an_error(
    index: FakeIndex, asked: str, version: str, has: str, hint: str
) -> None:
    lost(index)
    with pytest.raises(UnsatisfiableError) as raised:
        solved(task(index, asked))
    assert str(raised.value).endswith(
        f" in the spec would be locked at {version} for linux-64, which has no extra "
        f"`{asked.partition('[')[2].partition(']')[0].rpartition(',')[2].lower()}`; it has {has}"
    )
    assert raised.value.hint == hint


def test_an_extra_of_a_dependency_is_a_remark(index: FakeIndex) -> None:
    lost(index)
    index.add("top", "1.0", "spam[hot]")
    solution = solved(task(index, "base ==1", "top"))
    assert versions(solution)["spam"] == "1.0"
    assert solution.remarks == ("`spam` 1.0 has no extra `hot`; it has none",)
    assert versions(solved(replace(task(index, "spam[zzz]"), told=None)))["spam"] == "2.0"


def test_a_lock_that_was_made_with_the_remark_is_kept(index: FakeIndex) -> None:
    lost(index)
    file = index.pages["spam"].wheels["1.0"][0]
    kept = {CondaName("spam"): Preference(version="1.0", sha256=file.sha256)}
    request = replace(task(index, "base", "spam[hot]"), preferred=kept)
    with pytest.raises(UnsatisfiableError) as raised:
        solved(request)
    assert "would be locked at 1.0 for linux-64, which has no extra `hot`" in str(raised.value)
    assert (raised.value.hint or "").startswith("run `envgen lock --upgrade spam` to lock a newer release; or ")
    older = replace(request, told=["`spam` 1.0 has no extra `hot`; it has none"])
    assert versions(solved(older))["spam"] == "1.0"
