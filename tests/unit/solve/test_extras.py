"""An extra that newer releases have is not lost with an older one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from envgen.errors import UnsatisfiableError
from envgen.manifest.adjust import Adjustments
from envgen.names import CondaName, project_name
from envgen.solve.task import Preference
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


@pytest.mark.parametrize("asked", ["spam[hot] ==1.0", "spam[cold]"])
def test_an_extra_that_no_release_has_is_a_remark(index: FakeIndex, asked: str) -> None:
    lost(index)
    assert len(solved(task(index, "base ==1", asked)).remarks) == 1


def test_an_extra_of_a_dependency_and_of_what_is_locked_is_a_remark(index: FakeIndex) -> None:
    lost(index)
    index.add("top", "1.0", "spam[hot]")
    assert versions(solved(task(index, "base ==1", "top")))["spam"] == "1.0"
    file = index.pages["spam"].wheels["1.0"][0]
    kept = {CondaName("spam"): Preference(version="1.0", sha256=file.sha256)}
    request = replace(task(index, "base ==1", "spam[hot]"), preferred=kept)
    assert versions(solved(request)) == {"spam": "1.0", "base": "1"}
